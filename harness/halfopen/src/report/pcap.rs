//! What the connections of a run carried, as pcapng: Ethernet, IPv4, TCP and MQTT with virtual timestamps.
//!
//! The file is what a capture at every node at once would have: each segment where and when it left, those that were
//! lost among them, with a comment. The world records items, not segments, so segments are made from items: a
//! handshake for each opening, one acknowledgement for each item that arrived, FIN and RST as they were sent. Sequence
//! numbers count the bytes. A trace does not tell when TCP sent something again, only when it arrived: what was lost and
//! sent again stands where it left first, and its acknowledgement where it came in the end. Bytes that make no packet have a
//! comment that says why.

mod segments;

use std::borrow::Cow;
use std::time::Duration;

use etherparse::PacketBuilder;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::{DataLink, PcapError};

use self::segments::{Segment, segments};
use crate::plan::{NodeId, Plan};
use crate::trace::Trace;

/// The port of brokers, which dissectors know.
const PORT: u16 = 1883;
/// The port of brokers for WebSocket, which dissectors take for HTTP.
const WEBSOCKET_PORT: u16 = 8080;

/// A run as the bytes of a pcapng file.
///
/// # Errors
/// Something does not fit into its format; nothing that a run can hold does that.
pub fn pcapng(plan: &Plan, trace: &Trace) -> Result<Vec<u8>, PcapError> {
    let mut writer = PcapNgWriter::new(Vec::new())?;
    let nanoseconds = InterfaceDescriptionOption::IfTsResol(9);
    let name = InterfaceDescriptionOption::IfName(Cow::Borrowed("halfopen"));
    let about = InterfaceDescriptionOption::IfDescription(Cow::Owned(plan.run.to_string()));
    let options = vec![name, about, nanoseconds];
    writer.write_pcapng_block(InterfaceDescriptionBlock { linktype: DataLink::ETHERNET, snaplen: 0, options })?;
    for segment in segments(plan, trace) {
        let data = frame(&segment)?;
        let options = segment.comment.iter().map(|comment| EnhancedPacketOption::Comment(Cow::Owned(comment.clone())));
        writer.write_pcapng_block(EnhancedPacketBlock {
            interface_id: 0,
            timestamp: segment.at,
            original_len: u32::try_from(data.len()).unwrap_or(u32::MAX),
            options: options.collect(),
            data: Cow::Owned(data),
        })?;
    }
    Ok(writer.into_inner())
}

fn frame(segment: &Segment) -> Result<Vec<u8>, PcapError> {
    let [from, to] = [segment.from, segment.to];
    let tcp = PacketBuilder::ethernet2(mac(from), mac(to)).ipv4(address(from), address(to), 64).tcp(
        segment.ports.0,
        segment.ports.1,
        segment.sequence,
        u16::MAX,
    );
    let mut tcp = if segment.syn { tcp.syn() } else { tcp };
    tcp = if segment.fin { tcp.fin() } else { tcp };
    tcp = if segment.rst { tcp.rst() } else { tcp };
    tcp = if segment.payload.is_empty() { tcp } else { tcp.psh() };
    if let Some(acknowledged) = segment.acknowledged {
        tcp = tcp.ack(acknowledged);
    }
    let mut bytes = Vec::with_capacity(tcp.size(segment.payload.len()));
    let is_written = tcp.write(&mut bytes, &segment.payload);
    is_written.map_err(|error| PcapError::IoError(std::io::Error::other(error.to_string())))?;
    Ok(bytes)
}

/// The number of a node, from 1. A group may have a million members.
fn octets(node: NodeId) -> [u8; 3] {
    let [_, high, middle, low] = u32::try_from(node.0 + 1).unwrap_or(u32::MAX).to_be_bytes();
    [high, middle, low]
}

/// Locally administered, the node's number in the end.
fn mac(node: NodeId) -> [u8; 6] {
    let [high, middle, low] = octets(node);
    [2, 0, 0, high, middle, low]
}

/// 10.0.0.1 is the first node.
fn address(node: NodeId) -> [u8; 4] {
    let [high, middle, low] = octets(node);
    [10, high, middle, low]
}

/// Whole milliseconds are all that a world knows.
fn half(from: Duration, to: Duration) -> Duration {
    from + to.saturating_sub(from) / 2
}

#[cfg(test)]
mod tests;
