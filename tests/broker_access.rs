//! The real program with passwords, SCRAM, an access file, a configuration file and several ports.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use halfopen_protocol::packet::{Auth, ConnAck, Connect, PacketId, Publish, QoS, Subscribe, Subscription};
use halfopen_protocol::scram::{ClientExchange, METHOD};
use halfopen_protocol::{DecodeOptions, Packet, ReasonCode, Role, Version, decode, encode};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

/// Only a guard against a test that never ends.
const PATIENCE: Duration = Duration::from_secs(30);

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broker_access").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the folder of the tests is writable");
    folder
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen-broker"));
    command.args(arguments).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

/// Runs the program to its end, with this on its stdin.
async fn run(folder: &Path, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let mut child = command(folder, arguments).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    // Whether it wants to read that is its own decision.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("it ran");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

async fn passwd(folder: &Path, arguments: &[&str], password: &str) {
    let result = run(folder, &[&["passwd", "users"], arguments].concat(), &format!("{password}\n")).await;
    assert_eq!(result, (Some(0), String::new()), "{arguments:?}");
}

struct Program {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    addresses: Vec<SocketAddr>,
}

impl Program {
    /// Starts the broker on this many ports.
    async fn start(folder: &Path, arguments: &[&str], ports: usize) -> Self {
        let listen = ["--listen", "127.0.0.1:0"].repeat(ports);
        let mut child = command(folder, &[&listen, arguments].concat()).spawn().expect("the broker starts");
        let log = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut program = Self { child, log, addresses: Vec::new() };
        while program.addresses.len() < ports {
            let line = program.next_line().await;
            if let Some((_, port)) = line.split_once("Opening ipv4 listen socket on port ") {
                let port: u16 = port.trim_end_matches('.').parse().expect("a port");
                program.addresses.push(([127, 0, 0, 1], port).into());
            }
        }
        program
    }

    async fn next_line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.log.next_line()).await.expect("a line in time");
        line.expect("text").expect("the broker still runs")
    }

    async fn wait_for(&mut self, end: &str) {
        while !self.next_line().await.ends_with(end) {}
    }

    #[cfg(unix)]
    async fn hang_up(&self) {
        let kill = format!("kill -HUP {}", self.child.id().expect("it runs"));
        let sent = Command::new("sh").args(["-c", &kill]).status().await.expect("there is a shell");
        assert!(sent.success());
    }

    async fn open(&self, version: Version) -> Client {
        let stream = TcpStream::connect(self.addresses[0]).await.expect("the broker listens");
        Client { stream, bytes: BytesMut::new(), version }
    }

    /// How the broker answers a CONNECT.
    async fn connect(&self, connect: Connect) -> (Client, ConnAck) {
        let mut client = self.open(connect.version).await;
        client.send(Packet::from(connect)).await;
        match client.receive().await {
            Packet::ConnAck(connack) => (client, Arc::unwrap_or_clone(connack)),
            other => panic!("{other:?}"),
        }
    }

    async fn reason(&self, version: Version, user: Option<&'static str>, password: &'static str) -> u8 {
        let connect = Connect {
            username: user.map(Into::into),
            password: user.map(|_| password.into()),
            ..Connect::new(version, "c")
        };
        self.connect(connect).await.1.reason.value()
    }
}

struct Client {
    stream: TcpStream,
    bytes: BytesMut,
    version: Version,
}

impl Client {
    async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        encode(&packet, self.version, &mut bytes).expect("a valid packet");
        self.stream.write_all(&bytes).await.expect("the broker reads");
    }

    async fn receive(&mut self) -> Packet {
        let options = DecodeOptions { version: self.version, reader: Role::Client, maximum_packet_size: u32::MAX };
        loop {
            if let Some(packet) = decode(&mut self.bytes, &options).expect("a valid packet") {
                return packet;
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.bytes)).await;
            assert_ne!(read.expect("in time").expect("no error"), 0, "the broker closed");
        }
    }
}

#[tokio::test]
async fn a_password_file_lets_in_who_knows_a_password_and_nobody_else() {
    let folder = folder("passwords");
    passwd(&folder, &["ann"], "old").await;
    passwd(&folder, &["bob", "--scram"], "geheim").await;
    passwd(&folder, &["ann"], "secret").await;
    passwd(&folder, &["cid"], "gone").await;
    passwd(&folder, &["cid", "--delete"], "").await;
    let users = fs::read_to_string(folder.join("users")).expect("written");
    let kinds: Vec<&str> = users.lines().filter_map(|line| line.split('$').next()).collect();
    assert_eq!(kinds, ["ann:", "bob:", "bob:SCRAM-SHA-256"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.join("users")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let broker = Program::start(&folder, &["--password-file", "users"], 1).await;
    for (user, password, v3, v5) in [
        (Some("ann"), "secret", 0, 0),
        (Some("bob"), "geheim", 0, 0),
        (Some("ann"), "old", 5, 0x86),
        (Some("cid"), "gone", 5, 0x86),
        (None, "", 5, 0x87),
    ] {
        assert_eq!(broker.reason(V3, user, password).await, v3, "{user:?} {password}");
        assert_eq!(broker.reason(V5, user, password).await, v5, "{user:?} {password}");
    }
    let open = Program::start(&folder, &["--password-file", "users", "--allow-anonymous", "true"], 1).await;
    assert_eq!(open.reason(V5, None, "").await, 0);
    assert_eq!(open.reason(V5, Some("ann"), "old").await, 0x86);
}

fn auth(reason: ReasonCode, data: String) -> Packet {
    Packet::Auth(Auth {
        reason,
        authentication_method: Some(METHOD.into()),
        authentication_data: Some(data.into()),
        ..Auth::default()
    })
}

/// Answers the challenge that comes, and gives what ends the exchange if the broker has proved itself.
async fn prove(client: &mut Client, exchange: ClientExchange) -> Packet {
    let Packet::Auth(challenge) = client.receive().await else { panic!("no challenge") };
    let challenge = challenge.authentication_data.expect("data");
    let (answer, proof) = exchange.answer(&challenge).expect("a challenge");
    client.send(auth(ReasonCode::CONTINUE_AUTHENTICATION, answer)).await;
    let end = client.receive().await;
    let data = match &end {
        Packet::ConnAck(connack) => connack.authentication_data.as_ref(),
        Packet::Auth(auth) => auth.authentication_data.as_ref(),
        _ => None,
    };
    if let Some(data) = data {
        assert_eq!(proof.check(data), Ok(()));
    }
    end
}

#[tokio::test]
async fn a_user_logs_in_by_scram_and_does_so_again() {
    let folder = folder("scram");
    passwd(&folder, &["bob", "--scram"], "geheim").await;
    let broker = Program::start(&folder, &["--password-file", "users"], 1).await;
    for (password, expected) in [("geheim", 0), ("guess", 0x87)] {
        let exchange = ClientExchange::new("bob", password, "nonceOfTheClient").expect("plain text");
        let mut client = broker.open(V5).await;
        let connect = Connect {
            authentication_method: Some(METHOD.into()),
            authentication_data: Some(exchange.first().into()),
            ..Connect::new(V5, "c")
        };
        client.send(Packet::from(connect)).await;
        let Packet::ConnAck(connack) = prove(&mut client, exchange).await else { panic!("no CONNACK") };
        assert_eq!(connack.reason.value(), expected);
        if expected == 0 {
            let exchange = ClientExchange::new("bob", password, "anotherNonce").expect("plain text");
            client.send(auth(ReasonCode::RE_AUTHENTICATE, exchange.first())).await;
            let Packet::Auth(end) = prove(&mut client, exchange).await else { panic!("no AUTH") };
            assert_eq!((end.reason, end.authentication_data.is_some()), (ReasonCode::SUCCESS, true));
        }
    }
}

#[tokio::test]
async fn an_access_file_and_a_configuration_file_are_obeyed() {
    let folder = folder("configuration");
    fs::write(folder.join("acl"), "topic read public/#\ntopic write inbox\n").expect("written");
    let text = "log = 'packets'\n[access]\nacl_file = 'acl'\n[mqtt]\nserver_keep_alive = '7s'\nreceive_maximum = 3\n";
    fs::write(folder.join("broker.toml"), text).expect("written");
    // From another folder: the file's own counts.
    let path = folder.join("broker.toml");
    let arguments = ["--config", path.to_str().expect("text"), "--receive-maximum", "4"];
    let mut broker = Program::start(Path::new("/"), &arguments, 1).await;
    let (mut client, connack) = broker.connect(Connect::new(V5, "c")).await;
    assert_eq!((connack.server_keep_alive, connack.receive_maximum), (Some(7), Some(4)));

    let subscriptions = ["public/a", "#", "secret"].map(|filter| Subscription::new(filter, QoS::AtMostOnce)).to_vec();
    let (packet_id, user_properties) = (PacketId::MIN, Vec::new());
    client
        .send(Packet::Subscribe(Subscribe { packet_id, subscription_id: None, user_properties, subscriptions }))
        .await;
    let Packet::SubAck(suback) = client.receive().await else { panic!("no SUBACK") };
    assert_eq!(suback.reasons.iter().map(|reason| reason.value()).collect::<Vec<_>>(), [0, 0, 0x87]);
    for (topic, expected) in [("inbox", 0x10), ("public/a", 0x87)] {
        let publish = Publish {
            qos: QoS::AtLeastOnce,
            packet_id: Some(PacketId::MIN),
            topic: topic.into(),
            ..Publish::default()
        };
        client.send(Packet::from(publish)).await;
        let Packet::PubAck(puback) = client.receive().await else { panic!("no PUBACK") };
        let reason = puback.reason.value();
        assert!(reason == expected, "{topic}: {reason:#x}");
    }
    broker.wait_for("Client c may not subscribe to 'secret'.").await;
    broker.wait_for("Received PUBLISH from c (d0, q1, r0, m1, 'public/a', ... (0 bytes))").await;
    broker.wait_for("Client c may not publish to 'public/a'.").await;
}

#[tokio::test]
async fn it_listens_on_several_ports() {
    let mut broker = Program::start(&folder("ports"), &[], 2).await;
    for address in broker.addresses.clone() {
        let stream = TcpStream::connect(address).await.expect("the broker listens");
        let end = format!("New connection from {} on port {}.", stream.local_addr().expect("open"), address.port());
        broker.wait_for(&end).await;
    }
}

#[tokio::test]
async fn what_is_wrong_in_a_file_is_one_clear_line() {
    let folder = folder("mistakes");
    for (name, text) in [
        ("broker.toml", "[mqtt]\nqueue_message = 1\n"),
        ("users", "# ours\nann:secret\n"),
        ("acl", "topic dney secret/#\n"),
    ] {
        fs::write(folder.join(name), text).expect("written");
    }
    let table = [
        (
            &["--config", "broker.toml"][..],
            "broker.toml:2:1: there is no key `queue_message`; did you mean `queue_messages`?",
        ),
        (&["--config", "nothing.toml"], "cannot read nothing.toml: No such file or directory"),
        (&["--password-file", "users"], "users:2: a hash begins with `$argon2id$` or `SCRAM-SHA-256$`"),
        (&["--acl-file", "acl"], "acl:1: `dney` is no right: did you mean `deny`?"),
        (&["--acl-file", "nothing"], "cannot read nothing: No such file or directory"),
        (&["passwd", "users", "bob"], "users:2: a hash begins with"),
        (&["passwd", "others", "a:b"], "a name has neither `:` nor control characters"),
        (&["passwd", "others", "bob", "--delete"], "cannot read others: No such file or directory"),
    ];
    for (arguments, expected) in table {
        let (code, said) = run(&folder, arguments, "password\n").await;
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.starts_with(&format!("halfopen-broker: {expected}")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let (code, said) = run(&folder, &["passwd", "others", "bob"], "\n").await;
    assert_eq!((code, said.trim_end()), (Some(2), "halfopen-broker: a password is not empty"));
    assert!(!folder.join("others").exists());
}

#[tokio::test]
async fn all_mistakes_are_said_at_once() {
    let folder = folder("all_mistakes");
    fs::write(folder.join("users"), "ann:secret\nbob\n").expect("written");
    fs::write(folder.join("acl"), "user ann\ntopic dney a\ntopics b\n").expect("written");
    let (code, said) = run(&folder, &["--password-file", "users", "--acl-file", "acl"], "").await;
    let expected = [
        "users:1: a hash begins with `$argon2id$` or `SCRAM-SHA-256$`",
        "users:2: expected `user:hash`",
        "acl:2: `dney` is no right: did you mean `deny`?",
        "acl:3: `topics`: did you mean `topic`?",
    ];
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(said.lines().collect::<Vec<_>>(), expected.map(|line| format!("halfopen-broker: {line}")));
}

#[cfg(unix)]
#[tokio::test]
async fn at_a_hangup_the_files_are_read_again_and_a_wrong_one_changes_nothing() {
    let folder = folder("hangup");
    passwd(&folder, &["ann"], "secret").await;
    fs::write(folder.join("acl"), "user ann\ntopic write inbox\n").expect("written");
    let text = "[access]\npassword_file = 'users'\nacl_file = 'acl'\n[mqtt]\nserver_keep_alive = '7s'\n";
    fs::write(folder.join("broker.toml"), text).expect("written");
    let mut broker = Program::start(&folder, &["--config", "broker.toml"], 1).await;
    let login = |username: &'static str, password: &'static str| Connect {
        username: Some(username.into()),
        password: Some(password.into()),
        ..Connect::new(V5, username)
    };
    let (mut ann, _) = broker.connect(login("ann", "secret")).await;
    assert_eq!(broker.reason(V5, Some("bob"), "geheim").await, 0x86);
    assert_eq!(publish(&mut ann, "outbox").await, 0x87);

    passwd(&folder, &["bob"], "geheim").await;
    fs::write(folder.join("acl"), "user ann\ntopic write outbox\n").expect("written");
    fs::write(folder.join("broker.toml"), text.replace("'7s'", "'seven'")).expect("written");
    broker.hang_up().await;
    broker.wait_for("broker.toml:5:21: expected a whole number with a unit: ms, s, m or h").await;
    assert_eq!(broker.reason(V5, Some("bob"), "geheim").await, 0x86);
    assert_eq!(publish(&mut ann, "outbox").await, 0x87);

    // A misspelt right would grant what it is to deny.
    fs::write(folder.join("broker.toml"), text).expect("written");
    fs::write(folder.join("acl"), "user ann\ntopic write outbox\ntopic dney inbox\n").expect("written");
    broker.hang_up().await;
    broker.wait_for("Read all files again and changed nothing; what held before still holds:").await;
    broker.wait_for("acl:3: `dney` is no right: did you mean `deny`?").await;
    assert_eq!(publish(&mut ann, "outbox").await, 0x87);

    fs::write(folder.join("acl"), "user ann\ntopic write outbox\n").expect("written");
    let changed = text.replace("'7s'", "'8s'\nmaximum_qos = 1\nqueue_messages = 5");
    fs::write(folder.join("broker.toml"), format!("log = 'packets'\n{changed}")).expect("written");
    broker.hang_up().await;
    broker.wait_for("Read all files again. Passwords and access rules are those of the files.").await;
    broker.wait_for("Changed: server_keep_alive, queue_messages.").await;
    broker.wait_for("Needs a restart to change: log, maximum_qos.").await;
    let (_, connack) = broker.connect(login("bob", "geheim")).await;
    assert_eq!((connack.reason.value(), connack.server_keep_alive), (0, Some(8)));
    // Who is connected stays so, with what it may do now.
    assert_eq!(publish(&mut ann, "outbox").await, 0x10);
    assert_eq!(publish(&mut ann, "inbox").await, 0x87);
}

/// How the broker acknowledges a message.
async fn publish(client: &mut Client, topic: &'static str) -> u8 {
    let (qos, packet_id) = (QoS::AtLeastOnce, Some(PacketId::MIN));
    client.send(Packet::from(Publish { qos, packet_id, topic: topic.into(), ..Publish::default() })).await;
    let Packet::PubAck(puback) = client.receive().await else { panic!("no PUBACK") };
    puback.reason.value()
}
