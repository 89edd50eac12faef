//! The breaches that show in CONNECT and CONNACK.

use halfopen_protocol::packet::Will;
use halfopen_protocol::{Packet, PacketType};

use super::{Edit, Row, client, server};

pub(super) static ROWS: &[Row] = &[
    client(
        "connect_flags",
        "sets flags in the first byte of CONNECT",
        Edit::Bytes(PacketType::Connect, |frame| frame.first |= 1),
        &["2.2.2-1"],
        &["2.1.3-1"],
    ),
    client(
        "protocol_name",
        "writes the protocol name in small letters",
        Edit::Bytes(PacketType::Connect, |frame| frame.body[2] = b'm'),
        &[],
        &["3.1.2-1"],
    ),
    client(
        "will_missing",
        "sets the Will Flag and leaves the will out",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 4 != 0 {
                let fields = frame.connect_fields();
                frame.body.drain(fields[1]..fields[3]);
            }
        }),
        &["3.1.2-9"],
        &["3.1.2-9"],
    ),
    client(
        "will_flags_without_will",
        "sets Will QoS and Will Retain without a will",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 4 == 0 {
                *frame.connect_flags() |= 0x28;
            }
        }),
        &["3.1.2-11", "3.1.2-13", "3.1.2-15"],
        &["3.1.2-11", "3.1.2-13"],
    ),
    client(
        "will_qos_3",
        "sends a will with QoS 3",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 4 != 0 {
                *frame.connect_flags() |= 0x18;
            }
        }),
        &["3.1.2-14"],
        &["3.1.2-12"],
    ),
    client(
        "user_name_without_flag",
        "appends a user name without its flag",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 0x80 == 0 {
                frame.body.extend_from_slice(&[0, 1, b'u']);
            }
        }),
        &["3.1.2-18"],
        &["3.1.2-16"],
    ),
    client(
        "password_without_flag",
        "appends a password without its flag",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 0xC0 == 0x80 {
                frame.body.extend_from_slice(&[0, 1, b'p']);
            }
        }),
        &["3.1.2-20"],
        &["3.1.2-18"],
    ),
    client(
        "password_without_user_name",
        "sends a password without a user name",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 0xC0 == 0 {
                *frame.connect_flags() |= 0x40;
                frame.body.extend_from_slice(&[0, 1, b'p']);
            }
        }),
        &["3.1.2-22"],
        &[],
    ),
    client(
        "user_name_missing",
        "sets the User Name Flag and leaves the name out",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 0xC0 == 0x80 {
                frame.cut_connect_field(0);
            }
            if *frame.connect_flags() & 0xC0 == 0xC0 {
                frame.cut_connect_field(1);
            }
        }),
        &["3.1.2-19"],
        &["3.1.2-17"],
    ),
    client(
        "password_missing",
        "sets the Password Flag and leaves the password out",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 0x40 != 0 {
                frame.cut_connect_field(0);
            }
        }),
        &["3.1.2-21"],
        &["3.1.2-19"],
    ),
    client(
        "identifier_missing",
        "leaves out the client identifier",
        Edit::Bytes(PacketType::Connect, |frame| {
            let fields = frame.connect_fields();
            frame.body.drain(fields[0]..fields[1]);
        }),
        &["3.1.3-3"],
        &["3.1.3-3"],
    ),
    client(
        "identifier_last",
        "sends the client identifier behind the other fields",
        Edit::Bytes(PacketType::Connect, |frame| {
            let fields = frame.connect_fields();
            let identifier: Vec<u8> = frame.body.drain(fields[0]..fields[1]).collect();
            frame.body.extend_from_slice(&identifier);
        }),
        &["3.1.3-1"],
        &["3.1.3-1"],
    ),
    client(
        "session_without_identifier",
        "asks to keep a session without a client identifier",
        Edit::Bytes(PacketType::Connect, |frame| *frame.connect_flags() &= !2),
        &["3.1.3-7"],
        &[],
    ),
    client(
        "identifier_not_utf_8",
        "sends a client identifier that is not UTF-8",
        spoil!(Connect(connect) => Some(&connect.client_id), 0xFF),
        &["3.1.3-4"],
        &["3.1.3-4"],
    ),
    client(
        "will_topic_not_utf_8",
        "sends a will topic that is not UTF-8",
        spoil!(Connect(connect) => connect.will.as_ref().map(|will| &will.topic), 0xFF),
        &["3.1.3-10"],
        &["3.1.3-11"],
    ),
    client(
        "user_name_not_utf_8",
        "sends a user name that is not UTF-8",
        spoil!(Connect(connect) => connect.username.as_ref(), 0xFF),
        &["3.1.3-11"],
        &["3.1.3-12"],
    ),
    server(
        "no_connack",
        "sends no CONNACK",
        Edit::Lose(PacketType::ConnAck),
        &["3.1.4-4", "7.1.1-1"],
        &["3.1.4-5", "4.2-1"],
    ),
    server(
        "connack_flags",
        "sets reserved flags in CONNACK",
        Edit::Bytes(PacketType::ConnAck, |frame| frame.body[0] |= 2),
        &[],
        &["3.2.2-1"],
    ),
    server(
        "session_present_with_refusal",
        "says Session Present where it refuses",
        Edit::Bytes(PacketType::ConnAck, |frame| {
            if frame.body[1] != 0 {
                frame.body[0] = 1;
            }
        }),
        &["3.2.2-4"],
        &["3.2.2-6"],
    ),
    server(
        "session_present_with_success",
        "says Session Present always",
        Edit::Bytes(PacketType::ConnAck, |frame| {
            if frame.body[1] == 0 {
                frame.body[0] = 1;
            }
        }),
        &["3.2.2-1", "3.2.2-3", "3.1.2-6"],
        &["3.2.2-2", "3.2.2-3", "3.1.2-4", "3.1.2-6"],
    ),
    server(
        "session_present_never",
        "says Session Present never",
        Edit::Bytes(PacketType::ConnAck, |frame| frame.body[0] = 0),
        &["3.2.2-2"],
        &["3.2.2-3", "3.1.2-5"],
    ),
    server(
        "unknown_return_code",
        "sends CONNACK with a code that its table does not have",
        Edit::Bytes(PacketType::ConnAck, |frame| {
            if frame.body[1] != 0 {
                frame.body[1] = 0x92;
            }
        }),
        &["3.1.2-2", "3.1.3-8", "3.1.3-9"],
        &["3.2.2-8"],
    ),
    server(
        "refuses_identifiers",
        "refuses client identifiers",
        Edit::Bytes(PacketType::ConnAck, |frame| {
            if frame.body[1] == 0 {
                frame.body[1] = if frame.is_v5 { 0x85 } else { 0x02 };
            }
        }),
        &["3.1.3-5", "3.1.3-6"],
        &["3.1.3-5", "3.1.3-6"],
    ),
    server(
        "identifier_not_told",
        "does not tell which identifier it has assigned",
        change!(ConnAck(connack) => connack.assigned_client_id = None),
        &[],
        &["3.1.3-7", "3.2.2-16"],
    ),
    server(
        "maximum_qos_not_told",
        "does not tell its Maximum QoS",
        change!(ConnAck(connack) => connack.maximum_qos = None),
        &[],
        &["3.2.2-9"],
    ),
    server(
        "response_information_unasked",
        "tells Response Information to everybody",
        change!(ConnAck(connack) => connack.response_information = Some("answers".into())),
        &[],
        &["3.1.2-28"],
    ),
    server(
        "method_unasked",
        "names an authentication method to everybody",
        change!(ConnAck(connack) => connack.authentication_method = Some("LORE".into())),
        &[],
        &["4.12.0-6"],
    ),
    server(
        "connack_reason_too_long",
        "puts a reason in words into CONNACK that does not fit",
        change!(ConnAck(packet) => packet.reason_string = Some("a reason that is too long for a small packet".into())),
        &[],
        &["3.2.2-19"],
    ),
    server(
        "connack_user_property_too_long",
        "puts a user property into CONNACK that does not fit",
        change!(ConnAck(packet) => packet.user_properties = vec![("a name that is".into(), "too long for a small packet".into())]),
        &[],
        &["3.2.2-20"],
    ),
    server(
        "looks_behind_a_refused_connect",
        "keeps a refused connection and answers on it",
        Edit::Behind(PacketType::ConnAck, &[0xD0, 0]),
        &["3.1.4-5"],
        &["3.1.4-6"],
    ),
    client(
        "goes_on_with_the_session_before",
        "sends PUBREL of the session before a clean one",
        Edit::Behind(PacketType::Connect, &[0x62, 2, 0, 2]),
        &["3.1.2-6"],
        &["3.1.2-4"],
    ),
    client(
        "another_identifier",
        "connects with another client identifier than its own",
        change!(Connect(connect) => connect.client_id = "other".into()),
        &["3.1.3-2"],
        &["3.1.3-2"],
    ),
    server(
        "one_identifier_for_all",
        "keeps all sessions under the same identifier",
        mistake!(Connect(connect) => connect.client_id = "same".into()),
        &["3.1.3-2"],
        &["3.1.3-2"],
    ),
    server(
        "invents_a_will",
        "publishes a will where none was asked for",
        mistake!(Connect(connect) => {
            connect.will.get_or_insert_with(|| Box::new(Will { topic: "w".into(), ..Will::default() }));
        }),
        &["3.1.2-12"],
        &[],
    ),
];
