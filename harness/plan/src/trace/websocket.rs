use bytes::Bytes;

/// An item that WebSocket adds to a connection: a part of the upgrade from HTTP, or a frame that carries no packets (RFC 6455).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WebSocketItem {
    /// The request of the client, up to its empty line.
    Request(Bytes),
    /// The response of the server, up to its empty line.
    Response(Bytes),
    /// The payload of a text frame, which MQTT forbids ([MQTT-6.0.0-1]).
    Text(Bytes),
    /// The payload of a close frame: a code and a reason.
    Close(Bytes),
    /// The payload of a ping frame.
    Ping(Bytes),
    /// The payload of a pong frame.
    Pong(Bytes),
}

impl WebSocketItem {
    /// Returns the word for it, as a trace prints it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Request(_) => "HTTP request",
            Self::Response(_) => "HTTP response",
            Self::Text(_) => "text frame",
            Self::Close(_) => "close frame",
            Self::Ping(_) => "ping frame",
            Self::Pong(_) => "pong frame",
        }
    }

    /// Returns its bytes: of HTTP all, of a frame what is in it.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Request(bytes)
            | Self::Response(bytes)
            | Self::Text(bytes)
            | Self::Close(bytes)
            | Self::Ping(bytes)
            | Self::Pong(bytes) => bytes,
        }
    }

    /// Returns the item of this [word](Self::word) and these bytes.
    pub fn of(word: &str, bytes: &Bytes) -> Option<Self> {
        let kinds = [Self::Request, Self::Response, Self::Text, Self::Close, Self::Ping, Self::Pong];
        kinds.into_iter().map(|kind| kind(bytes.clone())).find(|item| item.word() == word)
    }

    /// Returns the subprotocols that a request offers or a response selects.
    pub fn subprotocols(&self) -> Vec<String> {
        let (Self::Request(head) | Self::Response(head)) = self else { return Vec::new() };
        let head = String::from_utf8_lossy(head);
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields
            .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))
            .flat_map(|(_, list)| list.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>())
            .collect()
    }

    /// Returns the status of a response.
    pub fn status(&self) -> Option<u16> {
        let Self::Response(head) = self else { return None };
        String::from_utf8_lossy(head).split_whitespace().nth(1)?.parse().ok()
    }

    /// Returns what is worth telling of it, in words.
    pub fn details(&self) -> String {
        match self {
            Self::Request(head) => {
                let head = String::from_utf8_lossy(head);
                let path = head.split_whitespace().nth(1).unwrap_or_default();
                format!("path={path} subprotocols={}", self.subprotocols().join(","))
            }
            Self::Response(_) => {
                let status = self.status().map_or_else(String::new, |status| status.to_string());
                match &self.subprotocols()[..] {
                    [] => format!("status={status}"),
                    selected => format!("status={status} subprotocol={}", selected.join(",")),
                }
            }
            Self::Close(bytes) => match &bytes[..] {
                [high, low, reason @ ..] => {
                    let code = u16::from_be_bytes([*high, *low]);
                    let reason = String::from_utf8_lossy(reason);
                    let reason = if reason.is_empty() { String::new() } else { format!(" reason={reason:?}") };
                    format!("code={code}{reason}")
                }
                _ => String::new(),
            },
            Self::Text(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => match std::str::from_utf8(bytes) {
                Ok("") => String::new(),
                Ok(text) => format!("{text:?}"),
                Err(_) => format!("{} bytes", bytes.len()),
            },
        }
    }
}
