//! The adapter of rumqttc: one client, told what to do by JSON lines. `docs/adapters.md` documents the lines.
//!
//! It speaks MQTT in one thread. Another one, of tokio, reads the commands.

#![forbid(unsafe_code)]

mod v4;
mod v5;

use std::future::Future;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The result of telling the library something: otherwise a reason why it cannot do that.
type Told = Result<(), String>;

/// The half of the library that is told what to do.
trait Commands: Send + 'static {
    fn subscribe(&self, subscriptions: &Value, subscription_id: &Value) -> Told;
    fn unsubscribe(&self, filters: &[String]) -> Told;
    fn publish(&self, line: &Value) -> Told;
    fn disconnect(&self) -> Told;
}

/// Something that the library says.
enum Said {
    Connected {
        session_present: bool,
    },
    /// A message, with its fields.
    Message(Value),
    Acknowledged(&'static str),
    /// DISCONNECT has been sent.
    Disconnected,
    /// Nothing that the harness is told.
    Nothing,
}

/// The half of the library that speaks with the broker. It connects again whenever it is asked for the next event.
trait Events: Send + 'static {
    fn next(&mut self) -> impl Future<Output = Result<Said, String>> + Send;
    /// Drops the connection, and keeps what the session owes.
    fn close(&mut self);
}

fn say(event: &str, mut fields: Value) {
    fields["event"] = event.into();
    if let Value::Object(fields) = &mut fields {
        fields.retain(|_, value| !value.is_null());
    }
    println!("{fields}");
    let _ = io::stdout().flush();
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap_or_default().as_bytes();
    let value = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or_default() as u8;
    digits.chunks_exact(2).map(|pair| value(&pair[0]) << 4 | value(&pair[1])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number<N: TryFrom<u64>>(value: &Value) -> Option<N> {
    value.as_u64().and_then(|number| N::try_from(number).ok())
}

fn strings(values: &Value) -> Vec<String> {
    values.as_array().into_iter().flatten().map(text).collect()
}

fn pairs(values: &Value) -> Vec<(String, String)> {
    values.as_array().into_iter().flatten().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

/// The application connects again with pauses that grow, since the library leaves them to it.
#[derive(Clone, Copy)]
struct Pauses {
    min: Duration,
    max: Duration,
    factor: f64,
}

impl Pauses {
    fn of(line: &Value) -> Option<Self> {
        let reconnect = line.get("reconnect")?;
        let pause = |name: &str| number(&reconnect[name]).map(Duration::from_millis);
        let min = pause("min_ms")?;
        Some(Self { min, max: pause("max_ms").unwrap_or(min), factor: reconnect["factor"].as_f64().unwrap_or(1.0) })
    }
}

/// Tells the harness what happens, until it is stopped or the library fails and is not to connect again.
async fn drive<E: Events>(mut events: E, commands: impl Commands, line: Value, mut stop: oneshot::Receiver<()>) -> E {
    let pauses = Pauses::of(&line);
    let mut pause = pauses.map(|pauses| pauses.min).unwrap_or_default();
    loop {
        let said = tokio::select! {
            biased;
            _ = &mut stop => return events,
            said = events.next() => said,
        };
        match said {
            Ok(Said::Connected { session_present }) => {
                say("connected", json!({ "session_present": session_present }));
                pause = pauses.map(|pauses| pauses.min).unwrap_or_default();
                let wanted = &line["subscribe"];
                if !session_present
                    && wanted.is_array()
                    && let Err(why) = commands.subscribe(wanted, &Value::Null)
                {
                    say("cannot", json!({ "text": why }));
                }
            }
            Ok(Said::Message(fields)) => say("message", fields),
            Ok(Said::Acknowledged(what)) => say("acknowledged", json!({ "what": what })),
            Ok(Said::Disconnected) => {
                // The library goes on with the connection, and leaves its end to the application.
                events.close();
                say("closed", json!({}));
                return events;
            }
            Ok(Said::Nothing) => {}
            Err(why) => {
                say("error", json!({ "text": why }));
                say("closed", json!({}));
                let Some(Pauses { max, factor, .. }) = pauses else { return events };
                tokio::select! {
                    biased;
                    _ = &mut stop => return events,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = pause.mul_f64(factor).min(max);
            }
        }
    }
}

/// A client of one of the two versions, and what drives it.
struct Client<C, E> {
    commands: C,
    driving: Driving<E>,
}

enum Driving<E> {
    /// It is not asked for anything.
    Idle(E),
    Running(JoinHandle<E>, oneshot::Sender<()>),
    /// Its task has failed.
    Lost,
}

/// A client, whichever version it speaks.
trait Session {
    fn commands(&self) -> &dyn Commands;

    /// Connects.
    fn start(&mut self, line: &Value);

    /// Drops the connection without a word, and keeps what the session owes.
    fn stop(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>>;
}

impl<C: Commands + Clone, E: Events> Session for Client<C, E> {
    fn commands(&self) -> &dyn Commands {
        &self.commands
    }

    #[expect(clippy::disallowed_methods, reason = "a program by itself, which no world holds in a thread of its own")]
    fn start(&mut self, line: &Value) {
        self.driving = match std::mem::replace(&mut self.driving, Driving::Lost) {
            Driving::Idle(events) => {
                let (stop, stopped) = oneshot::channel();
                Driving::Running(tokio::spawn(drive(events, self.commands.clone(), line.clone(), stopped)), stop)
            }
            other => other,
        };
    }

    fn stop(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(async {
            self.driving = match std::mem::replace(&mut self.driving, Driving::Lost) {
                Driving::Running(task, stop) => {
                    // It may have ended by itself.
                    let _ = stop.send(());
                    task.await.map_or(Driving::Lost, |mut events| {
                        events.close();
                        Driving::Idle(events)
                    })
                }
                other => other,
            };
        })
    }
}

/// The client, and the `connect` that made it.
#[derive(Default)]
struct Adapter {
    session: Option<Box<dyn Session>>,
    made_by: Value,
}

impl Adapter {
    async fn obey(&mut self, line: &Value) -> Told {
        if line["do"] == "connect" {
            return self.connect(line).await;
        }
        match (text(&line["do"]).as_str(), &mut self.session) {
            ("close" | "subscribe" | "unsubscribe" | "publish" | "disconnect", None) => {
                say("error", json!({ "text": "it was not told to connect yet" }));
                Ok(())
            }
            ("close", Some(session)) => {
                session.stop().await;
                say("closed", json!({}));
                Ok(())
            }
            ("subscribe", Some(session)) => {
                session.commands().subscribe(&line["subscriptions"], &line["subscription_id"])
            }
            ("unsubscribe", Some(session)) => session.commands().unsubscribe(&strings(&line["filters"])),
            ("publish", Some(session)) => session.commands().publish(line),
            ("disconnect", Some(session)) => {
                let more = ["session_expiry", "reason_string", "user_properties"];
                match number(&line["reason"]).unwrap_or(0_u8) == 0 && more.iter().all(|name| line[name].is_null()) {
                    true => session.commands().disconnect(),
                    false => Err("the DISCONNECT of rumqttc has no reason and no properties".to_owned()),
                }
            }
            (other, _) => Err(format!("`{other}` is nothing that the adapter knows")),
        }
    }

    /// Connects. What the session keeps is in the library, which is made anew for another session alone.
    async fn connect(&mut self, line: &Value) -> Told {
        if let Some(session) = &mut self.session {
            session.stop().await;
        }
        if self.session.is_none() || line["clean"] == true || *line != self.made_by {
            self.session = Some(match line["protocol_level"].as_u64() {
                Some(5) => v5::make(line)?,
                _ => v4::make(line),
            });
            self.made_by = line.clone();
        }
        if let Some(session) = &mut self.session {
            session.start(line);
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut adapter = Adapter::default();
    say("ready", json!({}));
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line) {
            Ok(line) => {
                if let Err(why) = adapter.obey(&line).await {
                    say("cannot", json!({ "text": why }));
                }
            }
            Err(error) => say("error", json!({ "text": error.to_string() })),
        }
    }
    Ok(())
}
