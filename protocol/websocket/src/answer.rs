use tungstenite::error::{Error, ProtocolError};
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, Response, create_response, write_response};
use tungstenite::http::HeaderValue;

use super::SUBPROTOCOL;

/// The server's side of the upgrade: reads the request by which HTTP becomes WebSocket.
#[derive(Debug, Default)]
pub(super) struct Answer {
    request: Vec<u8>,
}

/// The reason for which a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The request is longer than [`LONGEST_REQUEST`].
    #[error("the request is too long")]
    TooLong,
    /// Something follows before it was answered, or it is no HTTP.
    #[error("this is no request of HTTP/1.1")]
    NoHttp,
    #[error("only GET is understood")]
    Method,
    #[error("only WebSocket is spoken here")]
    NoWebSocket,
    #[error("only version 13 of WebSocket is spoken here")]
    Version,
    #[error("Sec-WebSocket-Key must be 16 bytes in base64")]
    Key,
    /// [MQTT-6.0.0-3]
    #[error("the subprotocol must be mqtt")]
    Subprotocol,
}

/// Maximum size of a request in bytes: that of usual HTTP servers, with the cookies of a page.
pub(super) const LONGEST_REQUEST: usize = 16 * 1024;

/// Maximum length of a method: no method of HTTP is longer.
const LONGEST_METHOD: usize = 32;

impl Answer {
    /// Returns how many bytes may follow.
    pub(super) fn room(&self) -> usize {
        LONGEST_REQUEST - self.request.len()
    }

    /// Reads at most [`room`](Self::room) bytes on. Gives the answer if the request is complete.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        self.request.extend_from_slice(bytes);
        // Only the end of a line can be the end of all, so that a sender of single bytes stays cheap; but who speaks
        // something else altogether is told at once.
        if bytes.contains(&b'\n') || self.request.len() <= LONGEST_METHOD {
            // The client must wait for the answer (RFC 6455 §4.1): nothing may follow.
            match Request::try_parse(&self.request).map_err(|error| refusal(&error))? {
                Some((length, request)) if length == self.request.len() => return Ok(Some(accept(&request)?)),
                Some(_) => return Err(Refusal::NoHttp),
                None => {}
            }
        }
        if self.room() == 0 { Err(Refusal::TooLong) } else { Ok(None) }
    }
}

impl Refusal {
    /// The answer of HTTP.
    pub(super) fn response(&self) -> Vec<u8> {
        let status = match self {
            Self::NoHttp | Self::Key | Self::Subprotocol => "400 Bad Request",
            Self::TooLong => "431 Request Header Fields Too Large",
            Self::Method => "405 Method Not Allowed\r\nAllow: GET",
            Self::NoWebSocket | Self::Version => {
                "426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
            }
        };
        let text = format!("{self}\n");
        let length = text.len();
        format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{text}"
        )
        .into_bytes()
    }
}

fn accept(request: &Request) -> Result<Vec<u8>, Refusal> {
    let mut response: Response = create_response(request).map_err(|error| refusal(&error))?;
    let lists = request.headers().get_all("Sec-WebSocket-Protocol").iter().filter_map(|value| value.to_str().ok());
    if !lists.flat_map(|list| list.split(',')).any(|name| name.trim() == SUBPROTOCOL) {
        return Err(Refusal::Subprotocol);
    }
    // [MQTT-6.0.0-4]
    response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(SUBPROTOCOL));
    let mut bytes = Vec::new();
    write_response(&mut bytes, &response).map_err(|error| refusal(&error))?;
    Ok(bytes)
}

fn refusal(error: &Error) -> Refusal {
    let Error::Protocol(error) = error else { return Refusal::NoHttp };
    match error {
        ProtocolError::WrongHttpMethod => Refusal::Method,
        ProtocolError::MissingConnectionUpgradeHeader | ProtocolError::MissingUpgradeWebSocketHeader => {
            Refusal::NoWebSocket
        }
        ProtocolError::MissingSecWebSocketVersionHeader => Refusal::Version,
        ProtocolError::MissingSecWebSocketKey | ProtocolError::InvalidSecWebSocketKey => Refusal::Key,
        _ => Refusal::NoHttp,
    }
}
