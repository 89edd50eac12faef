//! One client of rumqttc, as `peer.rs` wants it.

use std::time::Duration;

use rumqttc::v5::mqttbytes::v5 as five;
use rumqttc::{Event, Outgoing, Packet, QoS, v5};
use tokio::io::{AsyncBufReadExt, BufReader};

/// Takes commands from stdin until the connection has ended.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) {
    let port: u16 = arguments.next().and_then(|port| port.parse().ok()).expect("a port");
    let level = arguments.next().expect("a protocol level");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let run = async { if level == "5" { run_5_0(port).await } else { run_3_1_1(port).await } };
    runtime.block_on(run);
    println!("closed");
    // Not to wait for the thread that reads stdin.
    std::process::exit(0);
}

/// One macro for both versions: rumqttc has two sets of types with the same names.
macro_rules! serve {
    ($client:ident, $events:ident, $commands:ident, $qos:path, $event:ident => $told:expr) => {
        loop {
            tokio::select! {
                biased;
                event = $events.poll() => {
                    let Ok($event) = event else { return };
                    if let Some(line) = $told {
                        println!("{line}");
                    }
                }
                command = $commands.next_line() => {
                    let command = command.expect("text").expect("the test goes on");
                    let words: Vec<&str> = command.split(' ').collect();
                    match words[..] {
                        ["subscribe", filter, qos] => $client.subscribe(filter, $qos(level(qos)).expect("a QoS")).await,
                        ["publish", topic, payload, qos, retain] => {
                            let qos = $qos(level(qos)).expect("a QoS");
                            $client.publish(topic, qos, retain == "1", payload.to_owned()).await
                        }
                        ["disconnect"] => $client.disconnect().await,
                        _ => panic!("{command}"),
                    }
                    .expect("it is queued");
                }
            }
        }
    };
}

async fn run_3_1_1(port: u16) {
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    let command = commands.next_line().await.expect("text").expect("connect comes first");
    let connect = Connect::parse(&command);
    let mut options = rumqttc::MqttOptions::new(connect.id, "127.0.0.1", port);
    options.set_keep_alive(connect.keep_alive).set_clean_session(connect.clean);
    if let Some((topic, payload, qos, retain)) = connect.will {
        options.set_last_will(rumqttc::LastWill::new(topic, payload, rumqttc::qos(qos).expect("a QoS"), retain));
    }
    let (client, mut events) = rumqttc::AsyncClient::new(options, 10);
    serve!(client, events, commands, rumqttc::qos, event => match event {
        Event::Incoming(Packet::ConnAck(connack)) => Some(format!("connected {}", u8::from(connack.session_present))),
        Event::Incoming(Packet::SubAck(suback)) => Some(format!("subscribed {}", granted(suback.return_codes[0]))),
        Event::Incoming(Packet::Publish(message)) => {
            let payload = String::from_utf8_lossy(&message.payload).into_owned();
            Some(told(&message.topic, &payload, message.qos as u8, message.retain))
        }
        Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_)) | Event::Outgoing(Outgoing::Publish(0)) => {
            Some("published".to_owned())
        }
        _ => None,
    });
}

async fn run_5_0(port: u16) {
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    let command = commands.next_line().await.expect("text").expect("connect comes first");
    let connect = Connect::parse(&command);
    let mut options = v5::MqttOptions::new(connect.id, "127.0.0.1", port);
    // It refuses a shorter one.
    let keep_alive = connect.keep_alive.max(Duration::from_secs(5));
    options.set_keep_alive(keep_alive).set_clean_start(connect.clean);
    let mut properties = five::ConnectProperties::new();
    properties.session_expiry_interval = Some(if connect.clean { 0 } else { 3600 });
    options.set_connect_properties(properties);
    if let Some((topic, payload, qos, retain)) = connect.will {
        let qos = v5::mqttbytes::qos(qos).expect("a QoS");
        options.set_last_will(five::LastWill::new(topic, payload, qos, retain, None));
    }
    let (client, mut events) = v5::AsyncClient::new(options, 10);
    serve!(client, events, commands, v5::mqttbytes::qos, event => match event {
        v5::Event::Incoming(five::Packet::ConnAck(connack)) => {
            Some(format!("connected {}", u8::from(connack.session_present)))
        }
        v5::Event::Incoming(five::Packet::SubAck(suback)) => match suback.return_codes[0] {
            five::SubscribeReasonCode::Success(qos) => Some(format!("subscribed {}", qos as u8)),
            refused => Some(format!("refused {refused:?}")),
        },
        v5::Event::Incoming(five::Packet::Publish(message)) => {
            let (topic, payload) = (String::from_utf8_lossy(&message.topic), String::from_utf8_lossy(&message.payload));
            Some(told(&topic, &payload, message.qos as u8, message.retain))
        }
        v5::Event::Incoming(five::Packet::PubAck(_) | five::Packet::PubComp(_))
        | v5::Event::Outgoing(Outgoing::Publish(0)) => Some("published".to_owned()),
        _ => None,
    });
}

struct Connect {
    id: String,
    clean: bool,
    keep_alive: Duration,
    will: Option<(String, String, u8, bool)>,
}

impl Connect {
    fn parse(command: &str) -> Self {
        let words: Vec<&str> = command.split(' ').collect();
        let ["connect", id, clean, keep_alive, will @ ..] = &words[..] else { panic!("{command}") };
        let will = match will {
            [topic, payload, qos, retain] => {
                Some(((*topic).to_owned(), (*payload).to_owned(), level(qos), *retain == "1"))
            }
            _ => None,
        };
        let keep_alive = Duration::from_secs(keep_alive.parse().expect("seconds"));
        Self { id: (*id).to_owned(), clean: *clean == "1", keep_alive, will }
    }
}

fn told(topic: &str, payload: &str, qos: u8, retain: bool) -> String {
    format!("message {topic} {payload} {qos} {}", u8::from(retain))
}

fn granted(code: rumqttc::SubscribeReasonCode) -> u8 {
    match code {
        rumqttc::SubscribeReasonCode::Success(QoS::AtMostOnce) => 0,
        rumqttc::SubscribeReasonCode::Success(QoS::AtLeastOnce) => 1,
        rumqttc::SubscribeReasonCode::Success(QoS::ExactlyOnce) => 2,
        rumqttc::SubscribeReasonCode::Failure => 0x80,
    }
}

fn level(qos: &str) -> u8 {
    qos.parse().expect("a number")
}
