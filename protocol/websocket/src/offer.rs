use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;
use tungstenite::handshake::client::Response;
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::http::StatusCode;

use super::SUBPROTOCOL;

/// The client's side of the upgrade: reads the answer to its request.
#[derive(Debug)]
pub(super) struct Offer {
    key: String,
    answer: Vec<u8>,
}

/// The reason for which an answer is no WebSocket for MQTT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the answer is longer than {LONGEST_ANSWER} bytes")]
    TooLong,
    #[error("the answer is no HTTP/1.1")]
    NoHttp,
    #[error("the server does not switch to WebSocket: {0}")]
    Status(StatusCode),
    /// RFC 6455 §4.1
    #[error("the answer is not one to this request: its Sec-WebSocket-Accept is wrong or missing")]
    Accept,
    /// [MQTT-6.0.0-4]
    #[error("the server does not select the subprotocol {SUBPROTOCOL}")]
    Subprotocol,
}

/// Maximum size of an answer in bytes: that of usual HTTP clients.
pub(super) const LONGEST_ANSWER: usize = 16 * 1024;

impl Offer {
    /// Draws a key.
    pub(super) fn new(random: &mut ChaCha8Rng) -> Self {
        let mut key = [0; 16];
        random.fill_bytes(&mut key);
        Self { key: STANDARD.encode(key), answer: Vec::new() }
    }

    /// Returns the request, which offers the subprotocol `mqtt` and nothing else ([MQTT-6.0.0-3]).
    pub(super) fn request(&self, host: &str, path: &str) -> Vec<u8> {
        let key = &self.key;
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
        )
        .into_bytes()
    }

    /// Reads on. If the answer is complete, returns how many of these bytes belonged to it.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refused> {
        let before = self.answer.len();
        self.answer.extend_from_slice(bytes);
        // Only the end of a line can be the end of all, so that a sender of single bytes stays cheap.
        if bytes.contains(&b'\n')
            && let Some((length, response)) = Response::try_parse(&self.answer).map_err(|_| Refused::NoHttp)?
        {
            self.accepts(&response)?;
            return Ok(Some(length.saturating_sub(before)));
        }
        if self.answer.len() > LONGEST_ANSWER { Err(Refused::TooLong) } else { Ok(None) }
    }

    fn accepts(&self, response: &Response) -> Result<(), Refused> {
        let is = |name: &str, wanted: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .is_some_and(|value| value.trim() == wanted)
        };
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            Err(Refused::Status(response.status()))
        } else if !is("Sec-WebSocket-Accept", &derive_accept_key(self.key.as_bytes())) {
            Err(Refused::Accept)
        } else if !is("Sec-WebSocket-Protocol", SUBPROTOCOL) {
            Err(Refused::Subprotocol)
        } else {
            Ok(())
        }
    }
}
