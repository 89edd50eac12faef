//! Captures as tshark reads them: all runs of a report in one file, because a tshark for each would take minutes.
//!
//! The nodes of run *k* have addresses of their own there, 10 + *k* / 256 . *k* % 256 . 0 . 1 and so on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::BytesMut;
use halfopen_protocol::{DecodeOptions, PacketType, Role, Version, decode};
use serde::Deserialize;

/// A report, as far as captures have it.
#[derive(Deserialize)]
struct Report {
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    name: String,
    mqtt: String,
    nodes: Vec<Node>,
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Node {
    name: String,
}

#[derive(Deserialize)]
struct Event {
    at_ms: u64,
    kind: String,
    node: Option<String>,
    item: Option<String>,
    connection: Option<u32>,
    #[serde(default)]
    fields: BTreeMap<String, serde_json::Value>,
}

/// Something on the wire: run, milliseconds, sender, from 1.
type Place = (usize, u64, usize);

impl Run {
    /// What was sent, other than TCP's own.
    fn sent(&self, index: usize) -> impl Iterator<Item = (Place, &Event)> {
        let sent = self.events.iter().filter(|event| event.kind == "sent");
        sent.filter_map(move |event| {
            let node = event.node.as_ref()?;
            let sender = self.nodes.iter().position(|known| known.name == *node)?;
            Some(((index, event.at_ms, sender + 1), event))
        })
    }

    /// Whether bytes that make no packet are malformed, and not only the beginning of a packet that never went on.
    fn is_malformed(&self, event: &Event) -> bool {
        let hex = event.fields["bytes"].as_str().expect("bytes are hex");
        let digits: Vec<u8> = hex.bytes().take_while(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = digits.chunks_exact(2).map(byte).collect();
        let opens = |other: &&Event| other.connection == event.connection && other.item.as_deref() == Some("open");
        let opening = self.events.iter().find(opens).expect("a connection is opened");
        let reader = if opening.node == event.node { Role::Server } else { Role::Client };
        let version = if self.mqtt == "5.0" { Version::V5_0 } else { Version::V3_1_1 };
        let options = DecodeOptions { version, reader, maximum_packet_size: u32::MAX };
        decode(&mut BytesMut::from(&bytes[..]), &options).is_err()
    }
}

/// What was run, and its captures in one file.
fn captured(name: &str, arguments: &[&str]) -> (Report, PathBuf) {
    let folder = super::folder(name);
    let [captures, json] = ["captures", "r.json"].map(|name| folder.join(name).to_string_lossy().into_owned());
    super::halfopen(&[arguments, &["--pcap", &captures, "--json", &json]].concat());
    let report: Report = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let files: BTreeMap<String, PathBuf> =
        files(Path::new(&captures)).into_iter().map(|file| (run_of(&file), file)).collect();
    let mut merged = Vec::new();
    for (index, run) in report.runs.iter().enumerate() {
        let file = files.get(&run.name).unwrap_or_else(|| panic!("{} has no capture", run.name));
        append(&mut merged, &fs::read(file).unwrap(), index);
    }
    let all = folder.join("all.pcapng");
    fs::write(&all, merged).unwrap();
    (report, all)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The blocks of a pcapng file: type and bytes.
fn blocks(mut file: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let mut blocks = Vec::new();
    while !file.is_empty() {
        let (kind, length) = (number(&file[..4]), number(&file[4..8]) as usize);
        blocks.push((kind, file[..length].to_vec()));
        file = &file[length..];
    }
    blocks
}

const INTERFACE: u32 = 1;
const PACKET: u32 = 6;

/// The run that a file is of, which the description of its interface says.
fn run_of(file: &Path) -> String {
    let bytes = fs::read(file).unwrap();
    let (_, interface) = blocks(&bytes).into_iter().find(|(kind, _)| *kind == INTERFACE).expect("an interface");
    let mut options = &interface[16..];
    loop {
        let [code, length] = [0, 2].map(|at| usize::from(u16::from_le_bytes([options[at], options[at + 1]])));
        if code == 3 {
            return String::from_utf8(options[4..4 + length].to_vec()).unwrap();
        }
        options = &options[4 + length.next_multiple_of(4)..];
    }
}

/// Puts the packets of a run behind those of others, with addresses of their own.
fn append(merged: &mut Vec<u8>, file: &[u8], index: usize) {
    let is_first = merged.is_empty();
    for (kind, mut block) in blocks(file) {
        if kind == PACKET {
            // Behind the head of the block and that of Ethernet, source and destination.
            for address in [28 + 14 + 12, 28 + 14 + 16] {
                block[address] = 10 + u8::try_from(index / 256).expect("fewer than 60,000 runs");
                block[address + 1] = u8::try_from(index % 256).unwrap();
            }
        } else if !is_first {
            continue;
        }
        merged.extend(block);
    }
}

/// The packets that fit the filter, and what tshark says of a field of each.
fn tshark(file: &Path, filter: &str, field: &str) -> Vec<(Place, String)> {
    let output = Command::new("tshark")
        .args(["-r", &file.to_string_lossy(), "-Y", filter, "-T", "fields", "-E", "occurrence=a"])
        .args(["-e", "ip.src", "-e", "frame.time_epoch", "-e", field])
        .output()
        .expect("the trial runs only where it is");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(packet).collect()
}

fn packet(line: &str) -> (Place, String) {
    let mut cells = line.split('\t');
    let mut cell = || cells.next().expect("three fields").to_owned();
    let (source, time, field) = (cell(), cell(), cell());
    let address: Vec<usize> = source.split('.').map(|octet| octet.parse().unwrap()).collect();
    let (seconds, fraction) = time.split_once('.').expect("a fraction");
    let at_ms = seconds.parse::<u64>().unwrap() * 1000 + fraction[..3].parse::<u64>().unwrap();
    (((address[0] - 10) * 256 + address[1], at_ms, address[2] * 256 + address[3]), field)
}

/// Returns how often each of the values of a field was read at each place.
fn counted(read: Vec<(Place, String)>) -> BTreeMap<(Place, String), usize> {
    let mut counted = BTreeMap::new();
    for (place, values) in read {
        for one in values.split(',') {
            *counted.entry((place, one.to_owned())).or_default() += 1;
        }
    }
    counted
}

/// Returns the opcode of the frame that carries an item over WebSocket (RFC 6455 §11.8); none for what is no frame.
fn opcode(item: &str) -> Option<u8> {
    Some(match item {
        "text frame" => 1,
        "close frame" => 8,
        "ping frame" => 9,
        "pong frame" => 10,
        "bytes" => 2,
        _ if PacketType::ALL.iter().any(|known| known.name() == item) => 2,
        _ => return None,
    })
}

/// Each packet of each run is read, when and from whom it was sent, no other is, and what is flagged is what is malformed.
pub(crate) fn read_all(paths: &[&str]) {
    let (report, file) = captured("captures_of_all", paths);
    let mut sent: BTreeMap<(Place, String), usize> = BTreeMap::new();
    let mut malformed = BTreeSet::new();
    // What is in frames of WebSocket, tshark does not read as MQTT: the frames alone are compared.
    let mut frames: BTreeMap<(Place, String), usize> = BTreeMap::new();
    for (index, run) in report.runs.iter().enumerate() {
        let is_websocket = run.events.iter().any(|event| event.item.as_deref() == Some("HTTP request"));
        for (place, event) in run.sent(index) {
            let item = event.item.as_deref().unwrap_or_default();
            if is_websocket {
                if let Some(opcode) = opcode(item) {
                    *frames.entry((place, opcode.to_string())).or_default() += 1;
                }
                continue;
            }
            match PacketType::ALL.into_iter().find(|known| known.name() == item) {
                Some(known) => *sent.entry((place, (known as u8).to_string())).or_default() += 1,
                None if item == "bytes" && run.is_malformed(event) => drop(malformed.insert(place)),
                None => {}
            }
        }
    }
    assert_eq!(counted(tshark(&file, "websocket", "websocket.opcode")), frames);
    let mut read = counted(tshark(&file, "mqtt", "mqtt.msgtype"));
    // Of these tshark reads one and flags another: the table below says which.
    let is_lenient = |place: &Place| LENIENT.iter().any(|scenario| report.runs[place.0].name.starts_with(scenario));
    let lenient: BTreeSet<Place> = malformed.extract_if(.., is_lenient).collect();
    // What is read of something malformed, beside the packets that were sent at the same instant, is tshark's own.
    for ((place, what), count) in &mut read {
        if lenient.contains(place) {
            *count = (*count).min(sent.get(&(*place, what.clone())).copied().unwrap_or_default());
        }
    }
    read.retain(|_, count| *count > 0);
    let name = |place: &Place| format!("{} at {} from node {}", report.runs[place.0].name, place.1, place.2);
    let differ = sent
        .iter()
        .filter(|(what, count)| read.get(what) != Some(count))
        .chain(read.iter().filter(|(what, _)| !sent.contains_key(*what)));
    let differ: Vec<String> = differ.take(10).map(|((place, what), _)| format!("{what}: {}", name(place))).collect();
    assert!(differ.is_empty(), "packets that are not read as they were sent: {differ:#?}");
    assert!(sent.len() > 10_000, "{} packets", sent.len());

    let mut flagged: BTreeSet<Place> =
        tshark(&file, FLAGGED, "frame.number").into_iter().map(|(place, _)| place).collect();
    flagged.retain(|place| !lenient.contains(place) && !READ_AS_3_1_1.contains(&&*report.runs[place.0].name));
    let differ: Vec<String> = flagged.symmetric_difference(&malformed).map(name).collect();
    assert!(differ.is_empty(), "flagged or malformed, and not both: {differ:#?}");
    let tcp = "tcp.analysis.retransmission || tcp.analysis.ack_lost_segment || tcp.analysis.lost_segment";
    let wrong: Vec<String> = tshark(&file, tcp, "frame.number").iter().map(|(place, _)| name(place)).collect();
    assert!(wrong.is_empty(), "TCP that is none: {wrong:#?}");
}

/// Scenarios that send malformed packets of every kind, many of which tshark does not judge.
const LENIENT: [&str; 3] = ["subscribe/no_local_and_shared", "session/outlives_a_violation", "conformance/"];

/// Runs of 5.0 with a packet before CONNECT: tshark takes the version from CONNECT, and reads it as one of 3.1.1.
const READ_AS_3_1_1: [&str; 2] =
    ["conformance/first_packet[5.0 SUBSCRIBE]", "conformance/first_packet[5.0 UNSUBSCRIBE]"];

/// What tshark itself finds wrong.
const FLAGGED: &str = "_ws.malformed || _ws.expert.severity == \"Error\"";

/// What tshark makes of something malformed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tshark {
    /// It says so.
    Flags,
    /// It does not, for this reason.
    Lenient(&'static str),
}

use Tshark::{Flags, Lenient};

const NO_RULES: Tshark = Lenient("it takes apart what there is and knows no rule about values");
const NO_FLAGS: Tshark = Lenient("it shows the flags of the fixed header and does not judge them");
const NO_TEXT: Tshark = Lenient("it shows any bytes as text");
const NO_REST: Tshark = Lenient("it leaves what lies behind the last field it knows alone");
const NO_TYPE: Tshark = Lenient("it calls the type reserved, and goes on");

/// What is malformed, its bytes in 3.1.1 and in 5.0, and what tshark makes of it.
const MALFORMED: [(&str, &str, &str, Tshark); 43] = [
    ("packet of type 0", "00 00", "00 00", NO_TYPE),
    ("packet of type 15", "f0 00", "", NO_TYPE),
    ("flags of PINGREQ", "c1 00", "c1 00", NO_FLAGS),
    ("flags of SUBSCRIBE", "80 06 0001 0001 61 00", "80 07 0001 00 0001 61 00", NO_FLAGS),
    ("flags of PUBREL", "60 02 0001", "60 02 0001", NO_FLAGS),
    ("QoS 3", "36 05 0001 61 0001", "36 06 0001 61 0001 00", NO_FLAGS),
    ("DUP at QoS 0", "38 03 0001 61", "38 04 0001 61 00", NO_FLAGS),
    ("PINGREQ with a body", "c0 01 00", "c0 01 00", NO_REST),
    (
        "length of five bytes",
        "30 80 80 80 80 01",
        "30 80 80 80 80 01",
        Lenient("it waits for the rest of a huge packet"),
    ),
    ("topic longer than its packet", "30 03 0005 61", "30 03 0005 61", Flags),
    ("packet too short for a topic", "30 01 00", "30 01 00", Flags),
    ("packet too short for its id", "32 04 0001 61 00", "32 04 0001 61 00", Flags),
    ("packet id 0", "32 05 0001 61 0000", "32 06 0001 61 0000 00", NO_RULES),
    ("U+0000 in a topic", "30 05 0003 610062", "30 06 0003 610062 00", NO_TEXT),
    ("topic that is no UTF-8", "30 03 0001 ff", "30 04 0001 ff 00", NO_TEXT),
    ("surrogate in a topic", "30 05 0003 eda080", "30 06 0003 eda080 00", NO_TEXT),
    ("wildcard in a topic", "30 05 0003 612f23", "30 06 0003 612f23 00", NO_RULES),
    ("PUBACK of one byte", "40 01 00", "40 01 00", Flags),
    ("SUBSCRIBE without a filter", "82 02 0001", "82 03 0001 00", NO_RULES),
    ("filter without its QoS", "82 05 0001 0001 61", "82 06 0001 00 0001 61", Flags),
    ("filter of QoS 3", "82 06 0001 0001 61 03", "82 07 0001 00 0001 61 03", NO_RULES),
    ("filter longer than its packet", "82 05 0001 0009 61", "82 06 0001 00 0009 61", Flags),
    ("UNSUBSCRIBE without a filter", "a2 02 0001", "a2 03 0001 00", NO_RULES),
    ("DISCONNECT with a body", "e0 01 00", "", NO_REST),
    (
        "CONNECT of another protocol",
        "10 0c 0004 4d515458 04 02 003c 0000",
        "10 0d 0004 4d515458 05 02 003c 00 0000",
        NO_TEXT,
    ),
    (
        "reserved flag of CONNECT",
        "10 0c 0004 4d515454 04 03 003c 0000",
        "10 0d 0004 4d515454 05 03 003c 00 0000",
        NO_RULES,
    ),
    ("CONNECT that ends before its keep-alive", "10 08 0004 4d515454 04 02", "10 08 0004 4d515454 05 02", Flags),
    (
        "CONNECT without its will",
        "10 0d 0004 4d515454 04 06 003c 0001 61",
        "10 0e 0004 4d515454 05 06 003c 00 0001 61",
        Flags,
    ),
    (
        "will of QoS 3",
        "10 13 0004 4d515454 04 1e 003c 0001 61 0001 77 0001 78",
        "10 15 0004 4d515454 05 1e 003c 00 0001 61 00 0001 77 0001 78",
        NO_RULES,
    ),
    (
        "CONNECT with more than it announces",
        "10 0e 0004 4d515454 04 02 003c 0001 61 00",
        "10 0f 0004 4d515454 05 02 003c 00 0001 61 00",
        NO_REST,
    ),
    ("password without a user name", "10 10 0004 4d515454 04 42 003c 0001 61 0001 78", "", NO_RULES),
    ("properties longer than their packet", "", "32 07 0001 61 0001 ff7f", Flags),
    ("property that is cut", "", "30 06 0001 61 02 0200", Flags),
    ("length of properties in five bytes", "", "30 08 0001 61 80808080 01", Flags),
    ("unknown property", "", "30 06 0001 61 02 7f00", NO_RULES),
    ("property of another packet", "", "30 09 0001 61 05 1100000001", NO_RULES),
    ("property that comes twice", "", "30 08 0001 61 04 01000100", NO_RULES),
    ("topic alias 0", "", "30 07 0001 61 03 230000", NO_RULES),
    ("subscription identifier 0", "", "82 09 0001 02 0b00 0001 61 00", NO_RULES),
    ("reserved bits of a filter", "", "82 07 0001 00 0001 61 c0", NO_RULES),
    ("reason that DISCONNECT does not have", "", "e0 01 01", NO_RULES),
    ("receive maximum 0", "", "10 10 0004 4d515454 05 02 003c 03 210000 0000", NO_RULES),
    ("payload format 2", "", "30 06 0001 61 02 0102", NO_RULES),
];

/// Of each kind of malformed bytes our decoder says that it is, the capture says so in a comment, and tshark says of exactly
/// those of which it is known to.
pub(crate) fn find_malformed() {
    let folder = super::folder("malformed_scenarios");
    let scenario = |version: &str, bytes: fn(&(&'static str, &'static str, &'static str, Tshark)) -> &'static str| {
        let rows = MALFORMED.iter().filter(|row| !bytes(row).is_empty());
        let row = |row: &(&'static str, &'static str, &'static str, Tshark)| {
            let first = if bytes(row).starts_with("10") { "open" } else { "connect" };
            format!("  - {{ case: '{}', bytes: '{}', first: {first} }}\n", row.0, pairs(bytes(row)))
        };
        let rows: String = rows.map(row).collect();
        let path = folder.join(format!("malformed_{}.yaml", version.replace('.', "_")));
        fs::write(&path, format!("mqtt: {version}\ntable:\n{rows}{STORY}")).unwrap();
        path.to_string_lossy().into_owned()
    };
    let paths = [scenario("3.1.1", |row| row.1), scenario("5.0", |row| row.2)];
    let (report, file) = captured("malformed", &[&paths[0], &paths[1]]);
    let mut malformed = BTreeSet::new();
    let mut expected = BTreeSet::new();
    for (index, run) in report.runs.iter().enumerate() {
        let row = MALFORMED.iter().find(|row| run.name.ends_with(&format!("{}]", row.0))).expect("a row of the table");
        let bytes: Vec<_> = run.sent(index).filter(|(_, event)| event.item.as_deref() == Some("bytes")).collect();
        let [(place, event)] = bytes.as_slice() else { panic!("{}: {} times bytes", run.name, bytes.len()) };
        assert!(run.is_malformed(event), "{} is well-formed", run.name);
        malformed.insert(*place);
        if row.3 == Flags {
            expected.insert(*place);
        }
    }
    assert_eq!(malformed.len(), 71, "both versions, where both have it");
    let name = |place: &Place| format!("{} from node {}", report.runs[place.0].name, place.2);
    let of = |filter: &str| -> BTreeSet<Place> {
        tshark(&file, filter, "frame.number").into_iter().map(|(place, _)| place).collect()
    };
    let differ: Vec<String> =
        of("frame.comment contains \"malformed\"").symmetric_difference(&malformed).map(name).collect();
    assert!(differ.is_empty(), "commented or malformed, and not both: {differ:#?}");
    let flagged = of(FLAGGED);
    let reason = |place: &Place| {
        let row = MALFORMED.iter().find(|row| report.runs[place.0].name.ends_with(&format!("{}]", row.0)));
        match row.map(|row| row.3) {
            Some(Lenient(why)) => format!("{}, though {why}", name(place)),
            _ => name(place),
        }
    };
    let more: Vec<String> = flagged.difference(&expected).map(reason).collect();
    let fewer: Vec<String> = expected.difference(&flagged).map(reason).collect();
    assert!(more.is_empty() && fewer.is_empty(), "flagged beyond the table: {more:#?}, and not as it says: {fewer:#?}");
}

/// Hex as scenarios have it, two digits at a time.
fn pairs(hex: &str) -> String {
    let digits: Vec<char> = hex.chars().filter(|digit| *digit != ' ').collect();
    digits.chunks(2).map(|pair| pair.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

const STORY: &str = "
raw_clients: { good: {}, bad: {} }
steps:
  - good: connect
  - bad: <first>
  - bad: { send: { bytes: <bytes> } }
  - good: [{ send: PINGREQ }, { receive: PINGRESP }]
  - wait: 1s
expect: [ { broker: { closes: bad } } ]
";
