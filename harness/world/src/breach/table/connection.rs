//! The breaches that show in PINGREQ, DISCONNECT and AUTH, and on a connection as a whole.

use halfopen_protocol::{Packet, PacketType};

use super::super::frames::FrameEdit;
use super::{Edit, Row, both, client, server};

pub(super) static ROWS: &[Row] = &[
    both(
        "disconnect_reason_too_long",
        "puts a reason in words into DISCONNECT that does not fit",
        change!(Disconnect(disconnect) => disconnect.reason_string = Some("a reason that is too long for a small packet".into())),
        &[],
        &["3.14.2-3"],
    ),
    both(
        "disconnect_user_property_too_long",
        "puts a user property into DISCONNECT that does not fit",
        change!(Disconnect(disconnect) => disconnect.user_properties = vec![("a name that is".into(), "too long for a small packet".into())]),
        &[],
        &["3.14.2-4"],
    ),
    both(
        "unknown_disconnect_reason",
        "sends DISCONNECT with a reason that its table does not have",
        Edit::Bytes(PacketType::Disconnect, |frame| {
            if frame.is_v5 {
                frame.body = vec![0x01];
            }
        }),
        &[],
        &["3.14.2-1"],
    ),
    both(
        "keeps_open",
        "closes no connection",
        Edit::KeepOpen,
        &[
            "3.14.4-1", "4.8.0-1", "2.2.2-2", "1.5.3-1", "1.5.3-2", "3.3.1-4", "3.1.0-2", "3.1.2-1", "3.1.3-9",
            "3.1.4-1", "3.2.2-5", "3.1.2-3", "3.14.1-1", "3.8.3-4", "3.6.1-1", "3.8.1-1", "3.10.1-1",
        ],
        &[
            "3.14.4-2", "4.13.2-1", "3.2.2-4", "3.15.1-1", "3.1.0-2", "3.1.2-1", "3.1.2-2", "3.1.3-8", "3.1.4-1",
            "3.1.4-2", "3.2.2-7", "3.2.2-12", "3.2.2-13", "4.13.1-1", "3.8.3-5", "3.6.1-1", "3.8.1-1", "3.10.1-1",
            "4.12.0-1", "4.12.0-4", "4.12.1-2",
        ],
    ),
    both(
        "tolerates_what_is_malformed",
        "does not look at what is malformed",
        Edit::Tolerate,
        &[
            "1.5.3-1", "1.5.3-2", "2.2.2-2", "3.3.1-4", "3.1.2-3", "3.1.4-1", "3.6.1-1", "3.8.1-1", "3.8.3-4",
            "3.10.1-1", "3.14.1-1",
        ],
        &[
            "3.14.1-1", "3.15.1-1", "1.5.4-1", "1.5.4-2", "1.5.5-1", "1.5.7-1", "2.2.2-1", "3.1.2-3", "3.1.4-1",
            "3.6.1-1", "3.8.1-1", "3.8.3-4", "3.8.3-5", "3.10.1-1", "3.15.2-1",
        ],
    ),
    client(
        "ping_before_connect",
        "sends PINGREQ before CONNECT",
        Edit::Before(PacketType::Connect, &[0xC0, 0]),
        &["3.1.0-1"],
        &["3.1.0-1"],
    ),
    client(
        "ping_behind_connect",
        "sends PINGREQ before CONNACK is there",
        Edit::Behind(PacketType::Connect, &[0xC0, 0]),
        &[],
        &["3.1.2-30"],
    ),
    client(
        "auth_unasked",
        "sends AUTH without having named a method",
        Edit::Behind(PacketType::Connect, &[0xF0, 9, 0x18, 7, 0x15, 0, 4, b'L', b'O', b'R', b'E']),
        &[],
        &["4.12.0-7"],
    ),
    client(
        "nothing_reaches",
        "sends no CONNECT over any transport",
        Edit::Lose(PacketType::Connect),
        &["7.1.2-1"],
        &["4.2-1"],
    ),
    client(
        "reserved_flags",
        "sets flags in the first byte of acknowledgements and pings",
        Edit::Bytes(PacketType::PingReq, |frame| frame.first |= 1),
        &["2.2.2-1"],
        &["2.1.3-1"],
    ),
    client(
        "packet_behind_disconnect",
        "sends something behind DISCONNECT",
        Edit::Behind(PacketType::Disconnect, &[0xC0, 0]),
        &["3.14.4-2"],
        &["3.14.4-1"],
    ),
    server(
        "reserved_flags",
        "sets flags in the first byte of acknowledgements and pings",
        Edit::Bytes(PacketType::PingResp, |frame| frame.first |= 1),
        &["2.2.2-1"],
        &["2.1.3-1"],
    ),
    server(
        "packet_behind_disconnect",
        "sends something behind DISCONNECT",
        Edit::Behind(PacketType::Disconnect, &[0xD0, 0]),
        &[],
        &["3.14.4-1"],
    ),
    server(
        "ping_before_connack",
        "sends PINGRESP before CONNACK",
        Edit::Before(PacketType::ConnAck, &[0xD0, 0]),
        &["3.2.0-1"],
        &["3.2.0-1"],
    ),
    server(
        "disconnect_before_connack",
        "sends DISCONNECT before CONNACK",
        Edit::Before(PacketType::ConnAck, &[0xE0, 0]),
        &[],
        &["3.14.0-1"],
    ),
    server("second_connack", "sends CONNACK twice", Edit::Twice(PacketType::ConnAck), &[], &["3.2.0-2"]),
    both(
        "auth_reason_too_long",
        "puts a reason in words into AUTH that does not fit",
        change!(Auth(packet) => packet.reason_string = Some("a reason that is too long for a small packet".into())),
        &[],
        &["3.15.2-2"],
    ),
    both(
        "auth_user_property_too_long",
        "puts a user property into AUTH that does not fit",
        change!(Auth(packet) => packet.user_properties = vec![("a name that is".into(), "too long for a small packet".into())]),
        &[],
        &["3.15.2-3"],
    ),
    both(
        "auth_unknown_reason",
        "sends AUTH with a reason that its table does not have",
        Edit::Bytes(PacketType::Auth, |frame| frame.body[0] = 0x01),
        &[],
        &["3.15.2-1", "4.12.0-2"],
    ),
    server(
        "auth_other_method",
        "names another method in AUTH",
        change!(Auth(auth) => auth.authentication_method = Some("OTHER".into())),
        &[],
        &["4.12.0-5"],
    ),
    server(
        "auth_flags",
        "sets flags in the first byte of AUTH",
        Edit::Bytes(PacketType::Auth, |frame| frame.first |= 1),
        &[],
        &["2.1.3-1"],
    ),
    both("text_frames", "sends packets in text frames", Edit::Frames(FrameEdit::SendText), &["6.0.0-1"], &["6.0.0-1"]),
    both(
        "takes_text_frames",
        "reads packets in text frames",
        Edit::Frames(FrameEdit::TakeText),
        &["6.0.0-1"],
        &["6.0.0-1"],
    ),
    both(
        "expects_whole_frames",
        "does not look at a frame that is not one whole packet",
        Edit::Frames(FrameEdit::ExpectWhole),
        &["6.0.0-2"],
        &["6.0.0-2"],
    ),
    client(
        "offers_other_subprotocol",
        "offers another subprotocol",
        Edit::Frames(FrameEdit::NameOther),
        &["6.0.0-3"],
        &["6.0.0-3"],
    ),
    server(
        "selects_other_subprotocol",
        "selects another subprotocol",
        Edit::Frames(FrameEdit::NameOther),
        &["6.0.0-4"],
        &["6.0.0-4"],
    ),
    server("no_suback", "sends no SUBACK", Edit::Lose(PacketType::SubAck), &["3.8.4-1"], &["3.8.4-1"]),
    server(
        "disconnect_with_session_expiry",
        "puts Session Expiry Interval into DISCONNECT",
        Edit::Bytes(PacketType::Disconnect, |frame| {
            let reason = frame.body.first().copied().unwrap_or_default();
            frame.body = vec![reason, 5, 0x11, 0, 0, 0, 9];
        }),
        &[],
        &["3.14.2-2"],
    ),
];
