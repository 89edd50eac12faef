//! The real program on a real port, with a client that is not the project's. Nothing sleeps: each step waits for the
//! line that the broker logs about it.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use rumqttc::v5::mqttbytes::v5 as rumqttc5;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

/// Only a guard against a test that never ends.
const PATIENCE: Duration = Duration::from_secs(30);

struct Program {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    address: SocketAddr,
}

impl Program {
    /// Starts the broker on a free port and waits until it listens.
    async fn start(arguments: &[&str]) -> Self {
        let mut child =
            command(&[&["--listen", "127.0.0.1:0"], arguments].concat()).spawn().expect("the broker starts");
        let log = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut program = Self { child, log, address: ([127, 0, 0, 1], 0).into() };
        assert_eq!(program.next_line().await, "halfopen-broker 0.1.0 starting");
        let in_memory =
            "Sessions, queued and retained messages are held in memory: they are lost when this process ends.";
        assert_eq!(program.next_line().await, in_memory);
        let line = program.next_line().await;
        let port = line.strip_prefix("Opening ipv4 listen socket on port ").and_then(|rest| rest.strip_suffix('.'));
        program.address.set_port(port.and_then(|port| port.parse().ok()).expect("a port"));
        program
    }

    /// The next line of the log, without the time, and with `PEER` for the address of a client.
    async fn next_line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.log.next_line()).await.expect("a line in time");
        let line = line.expect("text").expect("the broker still runs");
        let (time, text) = line.split_once(": ").expect("a timestamp");
        assert!(time.parse::<u64>().is_ok_and(|secs| secs > 1_700_000_000), "{line}");
        text.split(' ')
            .map(|word| if word.starts_with("127.0.0.1:") { "PEER" } else { word })
            .collect::<Vec<_>>()
            .join(" ")
    }

    async fn expect_lines(&mut self, expected: &[&str]) {
        for expected in expected {
            assert_eq!(self.next_line().await, *expected);
        }
    }

    /// Waits for a line, whatever comes before it.
    async fn wait_for(&mut self, expected: &str) {
        while self.next_line().await != expected {}
    }

    #[cfg(unix)]
    async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("the broker runs").to_string();
        // The shell's own kill: a bare machine may have no program of that name.
        let kill = format!("kill {signal} {id}");
        let sent = Command::new("sh").args(["-c", &kill]).status().await.expect("there is a shell");
        assert!(sent.success());
    }

    async fn exit_code(&mut self) -> Option<i32> {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("the broker ends").expect("it ran").code()
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen-broker"));
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs the broker to its end and gives its exit code and what it says.
async fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = tokio::time::timeout(PATIENCE, command(arguments).output()).await.expect("the broker ends");
    let output = output.expect("the broker starts");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

/// CONNECT of 3.1.1 with identifier `raw`, clean, without a will.
fn connect(keep_alive: u8) -> Vec<u8> {
    [b"\x10\x0F\0\x04MQTT\x04\x02\0", &[keep_alive][..], b"\0\x03raw"].concat()
}

#[tokio::test]
async fn a_foreign_client_of_3_1_1_can_subscribe_publish_and_leave() {
    let mut broker = Program::start(&["--verbose"]).await;
    let mut options = rumqttc::MqttOptions::new("1", "127.0.0.1", broker.address.port());
    options.set_keep_alive(Duration::from_secs(5));
    let (client, mut events) = rumqttc::AsyncClient::new(options, 10);
    client.subscribe("home/#", rumqttc::QoS::AtLeastOnce).await.expect("queued");
    client.publish("home/kitchen/table", rumqttc::QoS::ExactlyOnce, false, "hello").await.expect("queued");
    let mut message = None;
    let mut completed = false;
    while message.is_none() || !completed {
        match tokio::time::timeout(PATIENCE, events.poll()).await.expect("an event in time").expect("no error") {
            rumqttc::Event::Incoming(rumqttc::Packet::Publish(publish)) => message = Some(publish),
            rumqttc::Event::Incoming(rumqttc::Packet::PubComp(_)) => completed = true,
            _ => {}
        }
    }
    let message = message.expect("waited for");
    assert_eq!((message.topic.as_str(), &message.payload[..]), ("home/kitchen/table", &b"hello"[..]));
    client.disconnect().await.expect("queued");
    // Polled until the end of the connection, so that what it owes is written.
    while tokio::time::timeout(PATIENCE, events.poll()).await.expect("an event in time").is_ok() {}

    broker
        .expect_lines(&[
            &format!("New connection from PEER on port {}.", broker.address.port()),
            "New client connected from PEER as 1 (p2, c1, k5).",
            "No will message specified.",
            "Sending CONNACK to 1 (0, 0)",
            "Received SUBSCRIBE from 1",
            "\thome/# (QoS 1)",
            "Sending SUBACK to 1",
            "Received PUBLISH from 1 (d0, q2, r0, m2, 'home/kitchen/table', ... (5 bytes))",
            "Sending PUBLISH to 1 (d0, q1, r0, m1, 'home/kitchen/table', ... (5 bytes))",
            "Sending PUBREC to 1 (m2, rc0)",
        ])
        .await;
    broker.wait_for("Received DISCONNECT from 1").await;
    broker.expect_lines(&["Client 1 disconnected."]).await;
}

#[tokio::test]
async fn a_foreign_client_of_5_0_is_told_the_server_keep_alive_and_of_the_shutdown() {
    let mut broker = Program::start(&["--server-keep-alive", "7s"]).await;
    let mut options = rumqttc::v5::MqttOptions::new("five", "127.0.0.1", broker.address.port());
    options.set_keep_alive(Duration::from_secs(5));
    let (_client, mut events) = rumqttc::v5::AsyncClient::new(options, 10);
    let event = tokio::time::timeout(PATIENCE, events.poll()).await.expect("an event in time").expect("accepted");
    let rumqttc::v5::Event::Incoming(rumqttc5::Packet::ConnAck(connack)) = event else { panic!("{event:?}") };
    let properties = connack.properties.expect("5.0 has some");
    assert_eq!(properties.server_keep_alive, Some(7));
    broker
        .expect_lines(&[
            &format!("New connection from PEER on port {}.", broker.address.port()),
            "New client connected from PEER as five (p5, c1, k5).",
        ])
        .await;
    #[cfg(unix)]
    {
        broker.signal("-TERM").await;
        broker
            .expect_lines(&["Client five disconnected: the broker stops.", "halfopen-broker 0.1.0 terminating"])
            .await;
        assert_eq!(broker.exit_code().await, Some(0));
    }
}

#[tokio::test]
async fn a_silent_client_is_closed_after_one_and_a_half_times_its_keep_alive() {
    let mut broker = Program::start(&[]).await;
    let mut stream = TcpStream::connect(broker.address).await.expect("the broker listens");
    let start = tokio::time::Instant::now();
    stream.write_all(&connect(1)).await.expect("the broker reads");
    let mut bytes = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("closed").expect("in order");
    assert!(start.elapsed() >= Duration::from_millis(1_500), "{:?}", start.elapsed());
    assert_eq!(bytes, [0x20, 2, 0, 0]);
    broker.wait_for("Client raw has exceeded timeout, disconnecting.").await;
}

#[cfg(unix)]
#[tokio::test]
async fn sigint_and_sigterm_stop_it_in_order_even_with_clients() {
    for signal in ["-INT", "-TERM"] {
        let mut broker = Program::start(&[]).await;
        let mut stream = TcpStream::connect(broker.address).await.expect("the broker listens");
        stream.write_all(&connect(60)).await.expect("the broker reads");
        broker.wait_for("New client connected from PEER as raw (p2, c1, k60).").await;
        broker.signal(signal).await;
        broker.expect_lines(&["Client raw disconnected: the broker stops.", "halfopen-broker 0.1.0 terminating"]).await;
        assert_eq!(broker.exit_code().await, Some(0), "{signal}");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("closed in order");
        assert_eq!(bytes, [0x20, 2, 0, 0]);
    }
}

#[tokio::test]
async fn a_busy_port_is_one_clear_line() {
    let broker = Program::start(&[]).await;
    let (code, said) = run(&["--listen", &broker.address.to_string()]).await;
    assert_eq!(code, Some(1));
    let last = said.lines().last().expect("a line");
    let expected = format!("halfopen-broker: cannot listen on {}: ", broker.address);
    assert!(last.starts_with(&expected), "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[tokio::test]
async fn bad_flags_are_one_clear_line() {
    let table = [
        (
            &["--lisen", "x"][..],
            "unexpected argument '--lisen' found; a similar argument exists: '--listen' (--help shows what there is)",
        ),
        (
            &["--listen", "nowhere"],
            "invalid value 'nowhere' for '--listen <ADDRESS>': expected an address or a host name, and a port",
        ),
        (&["--connect-timeout", "10"], "expected a whole number with a unit: ms, s, m or h"),
        (&["--connect-timeout", "0s"], "expected a duration from 1ms to 24h"),
        (&["--server-keep-alive", "70000s"], "expected whole seconds from 0s to 65535s"),
        (&["--receive-maximum", "0"], "'--receive-maximum <COUNT>': expected a whole number from 1 to 65535"),
        (&["--keep-alive-factor", "1e300"], "expected a number from 1 to 100"),
        (&["--log", "all"], "invalid value 'all' for '--log <DETAIL>' [possible values: none, connections, packets]"),
        (&["--allow-anonymous", "false"], "`allow_anonymous = false` needs a `password_file`: nobody could connect"),
        (
            &["--min-keep-alive", "2m", "--max-keep-alive", "60s"],
            "`min_keep_alive` (120s) is above `max_keep_alive` (60s)",
        ),
        (&["passwd", "users"], "the following required arguments were not provided: <USER>"),
    ];
    for (arguments, expected) in table {
        let (code, said) = run(arguments).await;
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(said.contains(expected), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[tokio::test]
async fn a_host_name_is_listened_on_and_one_that_does_not_exist_is_one_clear_line() {
    let mut child = command(&["--listen", "localhost:0"]).spawn().expect("the broker starts");
    let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
    loop {
        let line = tokio::time::timeout(PATIENCE, log.next_line()).await.expect("in time").expect("text");
        if line.expect("the broker runs").contains(" listen socket on port ") {
            break;
        }
    }
    let (code, said) = run(&["--listen", "no-such-host.invalid:0"]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("halfopen-broker: cannot listen on no-such-host.invalid:0: there is no such host"), "{said}");
}

#[tokio::test]
async fn help_and_version_are_no_errors() {
    for argument in ["--help", "--version"] {
        assert_eq!(run(&[argument]).await, (Some(0), String::new()));
    }
}

#[tokio::test]
async fn a_port_is_opened_for_this_machine_in_both_families() {
    let mut child = command(&["-p", "0"]).spawn().expect("the broker starts");
    let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
    // A machine without IPv6 has one line of the two.
    let families = if std::net::TcpListener::bind("[::1]:0").is_ok() { vec!["ipv4", "ipv6"] } else { vec!["ipv4"] };
    let mut ports = Vec::new();
    for family in families {
        let opening = format!("Opening {family} listen socket on port ");
        let port = loop {
            let line = tokio::time::timeout(PATIENCE, log.next_line()).await.expect("in time").expect("text");
            let line = line.expect("the broker runs");
            if let Some((_, port)) = line.split_once(&opening) {
                break port.trim_end_matches('.').parse::<u16>().expect("a port");
            }
        };
        ports.push((family, port));
    }
    for (family, port) in ports {
        let address = if family == "ipv4" { format!("127.0.0.1:{port}") } else { format!("[::1]:{port}") };
        let mut stream = TcpStream::connect(address).await.expect("the broker listens");
        stream.write_all(&connect(0)).await.expect("the broker reads");
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).await.expect("it answers");
        assert_eq!(connack, [0x20, 2, 0, 0]);
    }
}
