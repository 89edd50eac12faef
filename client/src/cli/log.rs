use halfopen_client::Options;
use halfopen_client::core::{DisconnectReason, Event};
use halfopen_protocol::packet::{Ack, Publish, RetainHandling, Subscription};
use halfopen_protocol::{Packet, Version};

use super::text::printable;
use super::trouble::describe;

/// The output of `-d`, in the words of Mosquitto. It does not know where the lines go.
pub(crate) struct Log {
    is_on: bool,
    client: String,
    version: Version,
}

impl Log {
    pub(crate) fn new(is_on: bool, options: &Options) -> Self {
        Self { is_on, client: printable(&options.connect.client_id), version: options.connect.version }
    }

    /// The lines about an event; none unless it was asked for them.
    pub(crate) fn lines(&self, event: &Event) -> Vec<String> {
        if !self.is_on {
            return Vec::new();
        }
        let client = &self.client;
        match event {
            Event::Sending(packet) => {
                sending(packet).into_iter().map(|line| format!("Client {client} {line}")).collect()
            }
            Event::Received(packet) => {
                let mut lines = vec![format!("Client {client} {}", received(packet))];
                if let Packet::SubAck(suback) = packet {
                    let codes: Vec<_> = suback.reasons.iter().map(|reason| reason.value().to_string()).collect();
                    lines.push(format!("Subscribed (mid: {}): {}", suback.packet_id, codes.join(", ")));
                }
                lines
            }
            Event::Disconnected { reason, .. } if *reason != DisconnectReason::Asked => {
                vec![format!("Client {client} lost its connection: {}", describe(reason, self.version))]
            }
            _ => Vec::new(),
        }
    }
}

fn sending(packet: &Packet) -> Vec<String> {
    let name = packet.packet_type();
    let one = |details: String| vec![format!("sending {name}{details}")];
    match packet {
        Packet::Publish(publish) => one(format!(" ({})", message(publish))),
        Packet::PubAck(ack) | Packet::PubRec(ack) => one(format!(" (m{}, rc{})", ack.packet_id, ack.reason.value())),
        Packet::PubRel(ack) | Packet::PubComp(ack) => one(format!(" (m{})", ack.packet_id)),
        Packet::Subscribe(subscribe) => {
            let lines = subscribe.subscriptions.iter().map(|subscription| {
                format!(
                    "sending {name} (Mid: {}, Topic: {}, QoS: {}, Options: 0x{:02x})",
                    subscribe.packet_id,
                    printable(&subscription.filter),
                    subscription.qos.level(),
                    options(subscription)
                )
            });
            lines.collect()
        }
        Packet::Unsubscribe(unsubscribe) => {
            let lines = unsubscribe
                .filters
                .iter()
                .map(|filter| format!("sending {name} (Mid: {}, Topic: {})", unsubscribe.packet_id, printable(filter)));
            lines.collect()
        }
        _ => one(String::new()),
    }
}

fn received(packet: &Packet) -> String {
    let name = packet.packet_type();
    let with_code = |ack: &Ack| format!("received {name} (Mid: {}, RC:{})", ack.packet_id, ack.reason.value());
    match packet {
        Packet::ConnAck(connack) => format!("received {name} ({})", connack.reason.value()),
        Packet::Publish(publish) => format!("received {name} ({})", message(publish)),
        Packet::PubAck(ack) | Packet::PubComp(ack) => with_code(ack),
        Packet::PubRec(ack) | Packet::PubRel(ack) => format!("received {name} (Mid: {})", ack.packet_id),
        Packet::Disconnect(disconnect) => format!("received {name} ({})", disconnect.reason.value()),
        _ => format!("received {name}"),
    }
}

fn message(publish: &Publish) -> String {
    format!(
        "d{}, q{}, r{}, m{}, '{}', ... ({} bytes)",
        u8::from(publish.dup),
        publish.qos.level(),
        u8::from(publish.retain),
        publish.packet_id.map_or(0, std::num::NonZero::get),
        printable(&publish.topic),
        publish.payload.len()
    )
}

/// The options byte without its QoS, as Mosquitto prints it (§3.8.3.1 of 5.0).
fn options(subscription: &Subscription) -> u8 {
    let retain_handling = match subscription.retain_handling {
        RetainHandling::Send => 0x00,
        RetainHandling::SendIfNew => 0x10,
        RetainHandling::DoNotSend => 0x20,
    };
    u8::from(subscription.no_local) << 2 | u8::from(subscription.retain_as_published) << 3 | retain_handling
}

#[cfg(test)]
mod tests {
    use halfopen_protocol::ReasonCode;
    use halfopen_protocol::packet::{Connect, Disconnect, PacketId, QoS, SubAck, Subscribe, Unsubscribe};

    use super::*;

    fn id() -> PacketId {
        PacketId::new(7).expect("not 0")
    }

    fn publish(qos: QoS) -> Packet {
        let packet_id = (qos != QoS::AtMostOnce).then_some(id());
        Packet::from(Publish { qos, packet_id, topic: "a/b".into(), payload: "hello".into(), ..Publish::default() })
    }

    #[test]
    fn it_reads_as_mosquitto_does() {
        let log = Log::new(true, &Options::new(Version::V5_0, "1"));
        let subscriptions = vec![Subscription::new("a/#", QoS::AtLeastOnce), Subscription::new("b", QoS::AtMostOnce)];
        let refused = Ack::with_reason(id(), ReasonCode::QUOTA_EXCEEDED);
        let packets = [
            Event::Sending(Packet::from(Connect::new(Version::V5_0, "1"))),
            Event::Received(Packet::ConnAck(Default::default())),
            Event::Sending(Packet::Subscribe(Subscribe {
                packet_id: id(),
                subscription_id: None,
                user_properties: vec![],
                subscriptions,
            })),
            Event::Received(Packet::SubAck(SubAck {
                packet_id: id(),
                reason_string: None,
                user_properties: vec![],
                reasons: vec![ReasonCode::GRANTED_QOS_1, ReasonCode::NOT_AUTHORIZED],
            })),
            Event::Sending(publish(QoS::AtMostOnce)),
            Event::Sending(publish(QoS::AtLeastOnce)),
            Event::Received(Packet::PubAck(Ack::new(id()))),
            Event::Received(Packet::PubRec(refused)),
            Event::Sending(Packet::PubRel(Ack::new(id()))),
            Event::Received(Packet::PubComp(Ack::new(id()))),
            Event::Received(publish(QoS::ExactlyOnce)),
            Event::Sending(Packet::PubRec(Ack::new(id()))),
            Event::Received(Packet::PubRel(Ack::new(id()))),
            Event::Sending(Packet::PubComp(Ack::new(id()))),
            Event::Sending(Packet::PubAck(Ack::new(id()))),
            Event::Sending(Packet::Unsubscribe(Unsubscribe {
                packet_id: id(),
                user_properties: vec![],
                filters: vec!["a/\u{7}".into()],
            })),
            Event::Sending(Packet::PingReq),
            Event::Received(Packet::PingResp),
            Event::Received(Packet::Disconnect(Disconnect::new(ReasonCode::SERVER_SHUTTING_DOWN))),
            Event::Disconnected {
                reason: DisconnectReason::Server(Box::new(Disconnect::new(ReasonCode::SERVER_SHUTTING_DOWN))),
                retry_at: None,
            },
            Event::Sending(Packet::Disconnect(Disconnect::default())),
            Event::Disconnected { reason: DisconnectReason::Asked, retry_at: None },
        ];
        let lines: Vec<_> = packets.iter().flat_map(|event| log.lines(event)).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn without_the_flag_it_says_nothing() {
        let log = Log::new(false, &Options::new(Version::V5_0, "1"));
        assert_eq!(log.lines(&Event::Sending(Packet::PingReq)), [""; 0]);
    }
}
