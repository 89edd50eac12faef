//! `halfopen-client` as a user starts it, against the project's broker or a scripted one on a free port.

#[path = "../client/tests/bob/mod.rs"]
mod bob;
#[path = "../client/tests/serving/mod.rs"]
mod serving;

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use halfopen_broker::{Broker, Config};
use halfopen_websocket::WebSocket;
use rstest::rstest;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};

use self::bob::broker_of_bob;
use self::serving::serving;

/// A started program.
struct Program {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts `halfopen-client` with these words and the port of `address`.
    fn start(address: SocketAddr, words: &str) -> Self {
        let mut words = words.split_whitespace();
        let mut child = Command::new(env!("CARGO_BIN_EXE_halfopen-client"))
            .arg(words.next().expect("pub or sub"))
            .args(["-h", "127.0.0.1", "-p", &address.port().to_string()])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("cargo has built the program");
        let output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, output }
    }

    /// Reads on until a line contains this.
    async fn wait_for(&mut self, text: &str) {
        loop {
            match self.output.next_line().await.expect("it prints UTF-8") {
                Some(line) if line.contains(text) => return,
                Some(_) => {}
                None => panic!("it ended without {text:?}"),
            }
        }
    }

    /// Waits for the end: the status, the lines that were not read yet, and what was said on stderr.
    async fn end(mut self) -> (ExitStatus, Vec<String>, String) {
        let mut lines = Vec::new();
        while let Some(line) = self.output.next_line().await.expect("it prints UTF-8") {
            lines.push(line);
        }
        let output = self.child.wait_with_output().await.expect("it can be waited for");
        (output.status, lines, String::from_utf8(output.stderr).expect("it prints UTF-8"))
    }

    async fn end_well(self) -> Vec<String> {
        let (status, lines, errors) = self.end().await;
        assert!(status.success(), "{errors}");
        assert_eq!(errors, "");
        lines
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// Runs the project's broker as long as `test` takes.
async fn with_broker<T>(test: impl AsyncFnOnce(SocketAddr) -> T) -> T {
    serving(Broker::new(Config::default(), [0; 32]), (), test).await
}

/// Reads one whole packet, which is small.
async fn read_packet(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut packet = vec![0; 2];
    stream.read_exact(&mut packet).await.expect("the client sends a packet");
    let mut body = vec![0; packet[1].into()];
    stream.read_exact(&mut body).await.expect("the client sends all of it");
    packet.extend(body);
    packet
}

#[tokio::test]
async fn a_message_goes_over_websocket() {
    let (listener, address) = listen().await;
    let program = Program::start(address, "pub -t a -m hello --ws");
    let (stream, _) = listener.accept().await.expect("the client connects");
    let mut stream = WebSocket::server(stream);
    assert_eq!(read_packet(&mut stream).await[0], 0x10);
    stream.write_all(&[0x20, 2, 0, 0]).await.expect("the client reads");
    assert_eq!(read_packet(&mut stream).await, b"\x30\x08\0\x01ahello");
    assert_eq!(read_packet(&mut stream).await, [0xE0, 0]);
    assert_eq!(program.end_well().await, [""; 0]);
}

// Shows 3.1.1 MQTT-7.1.2-1, 5.0 MQTT-4.2-1.
#[rstest]
#[tokio::test]
async fn messages_of_every_qos_arrive(#[values("311", "5")] version: &str) {
    let lines = with_broker(async |address| {
        let mut sub = Program::start(address, &format!("sub -t a/# -q 2 -v -C 3 -d -V {version}"));
        sub.wait_for("Subscribed").await;
        for qos in 0..=2 {
            let line = format!("pub -t a/b -m qos{qos} -q {qos} -V {version}");
            assert_eq!(Program::start(address, &line).end_well().await, [""; 0]);
        }
        sub.end_well().await
    })
    .await;
    let messages: Vec<_> = lines.iter().filter(|line| line.starts_with("a/b ")).collect();
    assert_eq!(messages, ["a/b qos0", "a/b qos1", "a/b qos2"]);
}

#[tokio::test]
async fn the_log_shows_the_handshake_to_its_end() {
    let lines =
        with_broker(async |address| Program::start(address, "pub -t a/b -m hello -q 1 -i 1 -d").end_well().await);
    let expected = [
        "Client 1 sending CONNECT",
        "Client 1 received CONNACK (0)",
        "Client 1 sending PUBLISH (d0, q1, r0, m1, 'a/b', ... (5 bytes))",
        "Client 1 received PUBACK (Mid: 1, RC:0)",
        "Client 1 sending DISCONNECT",
    ];
    assert_eq!(lines.await, expected);
}

#[tokio::test]
async fn each_line_of_stdin_is_a_message() {
    let lines = with_broker(async |address| {
        let mut sub = Program::start(address, "sub -t n -q 1 -C 300 -d");
        sub.wait_for("Subscribed").await;
        let mut publisher = Program::start(address, "pub -t n -q 1 -l");
        let mut input = publisher.child.stdin.take().expect("it is piped");
        let numbers: String = (0..300).map(|number| format!("{number}\n")).collect();
        let (written, read) =
            tokio::join!(async move { input.write_all(numbers.trim_end().as_bytes()).await }, async {
                tokio::join!(sub.end_well(), publisher.end_well()).0
            });
        written.expect("the program reads");
        read
    })
    .await;
    let messages: Vec<_> = lines.into_iter().filter(|line| !line.starts_with("Client ")).collect();
    assert_eq!(messages, (0..300).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[rstest]
#[case("INT")]
#[case("TERM")]
#[tokio::test]
async fn a_signal_ends_it_with_disconnect(#[case] signal: &str) {
    let lines = with_broker(async |address| {
        let mut sub = Program::start(address, "sub -t a -d -i 1");
        sub.wait_for("Subscribed").await;
        let id = sub.child.id().expect("it runs").to_string();
        // The shell's own kill: a bare machine may have no program of that name.
        let kill = format!("kill -s {signal} {id}");
        let sent = Command::new("sh").args(["-c", &kill]).status().await.expect("there is a shell");
        assert!(sent.success());
        sub.end_well().await
    });
    assert_eq!(lines.await, ["Client 1 sending DISCONNECT"]);
}

#[tokio::test]
async fn a_first_connection_that_is_refused_ends_it() {
    let (listener, address) = listen().await;
    drop(listener);
    let (status, _, errors) = Program::start(address, "pub -t a -m x").end().await;
    assert_eq!((status.code(), errors.as_str()), (Some(1), "Error: Connection refused\n"));
}

#[rstest]
#[case("311", &[0x20, 2, 0, 5], "Error: Connection Refused: not authorised (5)\n")]
#[case("5", &[0x20, 3, 0, 0x87, 0], "Error: Connection Refused: Not authorized (135)\n")]
#[tokio::test]
async fn a_refusal_of_the_broker_ends_it(#[case] version: &str, #[case] connack: &[u8], #[case] expected: &str) {
    let (listener, address) = listen().await;
    let program = Program::start(address, &format!("sub -t a -V {version}"));
    let (mut stream, _) = listener.accept().await.expect("the client connects");
    read_packet(&mut stream).await;
    stream.write_all(connack).await.expect("the client reads");
    let (status, _, errors) = program.end().await;
    assert_eq!((status.code(), errors.as_str()), (Some(1), expected));
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_the_message_sent_again() {
    let (listener, address) = listen().await;
    let program = Program::start(address, "pub -t a -m x -q 1");
    for is_last in [false, true] {
        let (mut stream, _) = listener.accept().await.expect("the client connects");
        assert_eq!(read_packet(&mut stream).await[0], 0x10);
        stream.write_all(&[0x20, 2, 0, 0]).await.expect("the client reads");
        let publish = read_packet(&mut stream).await;
        assert_eq!(publish[0], 0x32, "QoS 1, without DUP as there is no session");
        if is_last {
            stream.write_all(&[0x40, 2, publish[5], publish[6]]).await.expect("the client reads");
            assert_eq!(read_packet(&mut stream).await, [0xE0, 0]);
        }
    }
    let (status, _, errors) = program.end().await;
    assert!(status.success(), "{errors}");
    assert!(errors.starts_with("Warning: the broker closed the connection; trying again in "), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[tokio::test]
async fn sub_tries_again_where_the_port_is_open_and_no_connack_comes() {
    let (listener, address) = listen().await;
    let mut program = Program::start(address, "sub -t a -C 1 -d");
    let (mut stream, _) = listener.accept().await.expect("the client connects");
    assert_eq!(read_packet(&mut stream).await[0], 0x10);
    drop(stream);
    let (mut stream, _) = listener.accept().await.expect("the client connects again");
    assert_eq!(read_packet(&mut stream).await[0], 0x10);
    stream.write_all(&[0x20, 2, 0, 0]).await.expect("the client reads");
    assert_eq!(read_packet(&mut stream).await[0], 0x82);
    program.wait_for("sending SUBSCRIBE").await;
    stream.write_all(b"\x30\x04\0\x01ax").await.expect("the client reads");
    let (status, _, errors) = program.end().await;
    assert!(status.success(), "{errors}");
    assert!(errors.starts_with("Warning: the broker closed the connection; trying again in "), "{errors}");
}

#[tokio::test]
async fn a_bound_on_attempts_ends_it_with_the_last_reason() {
    let (listener, address) = listen().await;
    let program = Program::start(address, "sub -t a --connect-attempts 2");
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().await.expect("the client connects");
        assert_eq!(read_packet(&mut stream).await[0], 0x10);
    }
    let (status, _, errors) = program.end().await;
    assert_eq!(status.code(), Some(1));
    let lines: Vec<_> = errors.lines().collect();
    assert!(lines[0].starts_with("Warning: the broker closed the connection; trying again in "), "{errors}");
    assert_eq!(lines[1..], ["Error: the broker closed the connection"]);
}

#[rstest]
#[case::unknown_flag("pub -t a -m x --frobnicate")]
#[case::no_topic("sub")]
#[case::qos("sub -t a -q 3")]
#[tokio::test]
async fn bad_flags_are_one_line_and_an_exit_code_of_their_own(#[case] line: &str) {
    let (status, _, errors) = Program::start(([127, 0, 0, 1], 1).into(), line).end().await;
    assert_eq!(status.code(), Some(2));
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.starts_with("Error: "), "{errors}");
}

#[tokio::test]
async fn help_is_long_only_since_h_is_the_host() {
    let (status, lines, _) = Program::start(([127, 0, 0, 1], 1).into(), "pub --help").end().await;
    assert!(status.success());
    assert!(lines.iter().any(|line| line.contains("-h, --host")), "{lines:?}");
}

/// Messages that are retained: topic, payload, and what else.
const KEPT: [&str; 2] = ["-t kept/a -m one -q 1", "-t kept/b -m two -q 2"];

/// Runs it to its end: its status, and what it prints.
async fn printed(address: SocketAddr, line: &str) -> (Option<i32>, String) {
    let Program { child, output } = Program::start(address, line);
    let (mut printed, mut child) = (String::new(), child);
    drop(child.stdin.take());
    output.into_inner().read_to_string(&mut printed).await.expect("it prints UTF-8");
    (child.wait().await.expect("it can be waited for").code(), printed)
}

#[rstest]
#[case::count("-t kept/# -q 2 -C 2 -v", 0, "kept/a one\nkept/b two\n")]
#[case::filters("-t kept/a -t kept/b -C 2", 0, "one\ntwo\n")]
#[case::filter_out("-t kept/# -T kept/a -C 1", 0, "two\n")]
#[case::no_line_break("-t kept/# -N -C 2", 0, "onetwo")]
#[case::no_stale("-t kept/# -R -W 0.2", 27, "")]
#[case::retained_only("-t kept/a --retained-only -C 1", 0, "one\n")]
#[case::exit_after_subscribing("-t kept/a -E", 0, "")]
#[case::timeout("-t nothing -W 0.1", 27, "")]
#[case::format(
    "-t kept/# -q 1 -C 2 -F %t|%q|%r|%l|%x|%X|%p|%%",
    0,
    "kept/a|1|1|3|6f6e65|6F6E65|one|%\nkept/b|1|1|3|74776f|74776F|two|%\n"
)]
#[case::escapes("-t kept/a -C 1 -N -F %p\\t%p\\n", 0, "one\tone\n")]
#[case::retain_as_published("-t kept/a --retain-as-published -V 5 -F %r -C 1", 0, "1\n")]
#[case::retain_as_published_of_3_1_1("-t kept/a --retain-as-published -C 1", 1, "")]
#[case::unsubscribe("-U kept/a -W 0.1", 27, "")]
#[case::session("-t kept/a -c -i me -x 60 -V 5 -C 1", 0, "one\n")]
#[case::session_of_3_1_1("-t kept/a -c -i me -x 60 -C 1", 1, "")]
#[case::id_prefix("-t kept/a -I my- -C 1", 0, "one\n")]
#[case::from_an_address("-t kept/a -A 127.0.0.1 -C 1", 0, "one\n")]
#[case::without_keep_alive("-t kept/a -k 0 -C 1", 0, "one\n")]
#[case::properties_of_connect(
    "-t kept/a -V 5 -D connect receive-maximum 1 -D subscribe subscription-identifier 7 -F %S -C 1",
    0,
    "7\n"
)]
#[tokio::test]
async fn the_flags_of_sub_do_what_they_say(#[case] flags: &str, #[case] status: i32, #[case] expected: &str) {
    with_broker(async |address| {
        for message in KEPT {
            Program::start(address, &format!("pub -r {message}")).end_well().await;
        }
        assert_eq!(printed(address, &format!("sub {flags}")).await, (Some(status), expected.to_owned()));
    })
    .await;
}

#[rstest]
#[case::message("-m hello", "", "%p|%q|%r", "hello|0|1")]
#[case::qos("-m hello -q 2", "", "%p|%q", "hello|2")]
#[case::null_message("-n", "", "%p|%l", "")]
#[case::stdin_file("-s", "line 1\nline 2\n", "%l", "14")]
#[case::lines("-l", "line 1\nline 2", "%p", "line 2")]
#[case::file("-f Cargo.toml", "", "%p", include_str!("../client/Cargo.toml"))]
#[case::repeat("-m hello --repeat 3 --repeat-delay 0.01 -q 1", "", "%p", "hello")]
#[case::content_type("-m {} -V 5 -D publish content-type text/plain", "", "%C", "text/plain")]
#[case::response("-m x -V 5 -D publish response-topic re -D publish correlation-data 7", "", "%R|%D", "re|7")]
#[case::user_property("-m x -V 5 -D publish user-property k v", "", "%P", "k:v")]
#[case::payload_format("-m x -V 5 -D publish payload-format-indicator 1", "", "%F", "1")]
#[case::expiry("-m x -V 5 -D publish message-expiry-interval 1000", "", "%E", "1000")]
#[tokio::test]
async fn the_flags_of_pub_do_what_they_say(
    #[case] flags: &str,
    #[case] input: &str,
    #[case] format: &str,
    #[case] expected: &str,
) {
    with_broker(async |address| {
        let mut publisher = Program::start(address, &format!("pub -t a -r {flags}"));
        let mut stdin = publisher.child.stdin.take().expect("it is piped");
        // Most do not read it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        publisher.end_well().await;
        let (status, line) = if expected.is_empty() {
            printed(address, "sub -t a -V 5 -q 2 -W 0.1").await
        } else {
            printed(address, &format!("sub -t a -V 5 -q 2 -C 1 -N -F {format}")).await
        };
        assert_eq!((status, line.as_str()), (Some(if expected.is_empty() { 27 } else { 0 }), expected));
    })
    .await;
}

#[tokio::test]
async fn retained_messages_that_came_are_removed_if_that_is_wanted() {
    with_broker(async |address| {
        Program::start(address, "pub -r -t kept -m one").end_well().await;
        assert_eq!(Program::start(address, "sub -t kept --remove-retained -C 1").end_well().await, ["one"]);
        assert_eq!(printed(address, "sub -t kept -W 0.1").await, (Some(27), String::new()));
    })
    .await;
}

#[tokio::test]
async fn a_will_is_published_as_it_was_given() {
    with_broker(async |address| {
        let mut watcher = Program::start(address, "sub -t will -q 1 -C 1 -d -F %p|%q|%r");
        watcher.wait_for("Subscribed").await;
        let will = "--will-topic will --will-payload gone --will-qos 1 --will-retain";
        let mut doomed = Program::start(address, &format!("sub -t a -d {will}"));
        doomed.wait_for("Subscribed").await;
        doomed.child.kill().await.expect("it runs");
        assert!(watcher.end_well().await.contains(&"gone|1|0".to_owned()));
        assert_eq!(printed(address, "sub -t will -C 1").await, (Some(0), "gone\n".to_owned()), "it is retained");
    })
    .await;
}

#[tokio::test]
async fn quiet_prints_no_errors() {
    let (listener, address) = listen().await;
    drop(listener);
    let (status, _, errors) = Program::start(address, "pub -t a -m x --quiet").end().await;
    assert_eq!((status.code(), errors.as_str()), (Some(1), ""));
}

#[rstest]
#[case::right("-u bob -P secret", 0, "")]
#[case::wrong("-u bob -P guess", 1, "Error: Connection Refused: Not authorized (135)")]
#[case::none("-u bob", 1, "Error: --auth-method needs -u and -P\n")]
#[tokio::test]
async fn a_password_is_proved_and_not_sent(#[case] login: &str, #[case] status: i32, #[case] expected: &str) {
    serving(broker_of_bob(), (), async |address| {
        let line = format!("pub -t a -m x -q 1 -V 5 --auth-method SCRAM-SHA-256 {login}");
        let (ended, _, errors) = Program::start(address, &line).end().await;
        assert_eq!(ended.code(), Some(status), "{errors}");
        assert!(errors.starts_with(expected), "{errors}");
    })
    .await;
}
