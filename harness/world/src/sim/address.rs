use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use halfopen_protocol::Role;
use turmoil_net::{Packet, TcpSegment, Transport};

use crate::plan::NodeId;

/// The port every broker listens on.
pub(super) const PORT: u16 = 1883;

/// Names a connection for as long as it lasts: the client and its port.
pub(super) type Key = (NodeId, u16);

/// The address of a node: its number below 10.0.0.0.
pub(super) fn address(node: NodeId) -> IpAddr {
    let [_, a, b, c] = (node.0 as u32 + 1).to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(10, a, b, c))
}

/// The node with this address.
pub(super) fn node(address: IpAddr) -> Option<NodeId> {
    match address {
        IpAddr::V4(address) => {
            let number = address.to_bits() & 0x00ff_ffff;
            Some(NodeId((number as usize).checked_sub(1)?))
        }
        IpAddr::V6(_) => None,
    }
}

/// The address of a node's MQTT port.
pub(super) fn server_address(node: NodeId) -> SocketAddr {
    SocketAddr::new(address(node), PORT)
}

/// Which connection a packet belongs to, and which side sent it.
pub(super) fn locate(packet: &Packet) -> Option<(Key, Role)> {
    let segment = segment(packet)?;
    if segment.dst_port == PORT {
        Some(((node(packet.src)?, segment.src_port), Role::Client))
    } else {
        Some(((node(packet.dst)?, segment.dst_port), Role::Server))
    }
}

/// The TCP segment in a packet.
pub(super) fn segment(packet: &Packet) -> Option<&TcpSegment> {
    match &packet.payload {
        Transport::Tcp(segment) => Some(segment),
        Transport::Udp(_) => None,
    }
}

/// How much of the sequence space a segment takes.
pub(super) fn length(segment: &TcpSegment) -> u32 {
    let payload = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
    payload + u32::from(segment.flags.syn) + u32::from(segment.flags.fin)
}
