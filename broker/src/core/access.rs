use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

/// Access control: who may connect, and who may do what. By default everybody may do everything.
#[derive(Debug)]
pub struct Access {
    /// True if a client may connect that names neither a user nor an authentication method.
    pub anonymous: bool,
    /// True if user names and passwords are judged, by the driver of the broker
    /// ([`Output::Verify`](super::Output::Verify)). If not, they mean nothing: such a client is anonymous.
    pub passwords: bool,
    /// The methods of enhanced authentication (§4.12 of 5.0); a CONNECT with another is refused.
    pub mechanisms: Vec<Box<dyn Mechanism>>,
    /// Judges what clients do; `None` allows all.
    pub authorizer: Option<Box<dyn Authorize>>,
}

impl Default for Access {
    fn default() -> Self {
        Self { anonymous: true, passwords: false, mechanisms: Vec::new(), authorizer: None }
    }
}

/// A method of enhanced authentication.
pub trait Mechanism: fmt::Debug {
    /// The Authentication Method, as it stands in CONNECT.
    fn name(&self) -> &str;

    /// A client begins.
    fn begin(&mut self) -> Box<dyn Exchange>;
}

/// The exchange of one client with a [`Mechanism`]. It must be quick: it runs while everybody else waits.
pub trait Exchange: fmt::Debug {
    /// Takes the client's Authentication Data and gives what comes next. Not called again after the end.
    fn step(&mut self, data: Option<&[u8]>) -> Step;
}

/// The answer of an [`Exchange`] to what the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The client has to answer this.
    Continue(Bytes),
    /// The client has proved to be this user.
    Accept {
        /// The name, for [`Authorize`].
        user: ByteString,
        /// The Authentication Data for the client, if any.
        data: Option<Bytes>,
    },
    /// The client is not who it claims to be.
    Refuse,
}

/// Judges what clients do.
pub trait Authorize: fmt::Debug {
    /// Returns whether `who` may do this.
    fn allows(&self, who: Who<'_>, operation: Operation, topic: &str) -> bool;
}

/// A client, for [`Authorize`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who<'a> {
    /// The client identifier.
    pub client_id: &'a str,
    /// The user name, if it has proved one.
    pub user: Option<&'a str>,
}

/// An operation that a client needs a permission for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Publish to a topic, now or by its will.
    Publish,
    /// Subscribe to a topic filter (without `$share` and group).
    Subscribe,
    /// Receive a message on a topic, by a subscription that it has.
    Receive,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "publish to",
            Self::Subscribe => "subscribe to",
            Self::Receive => "receive",
        })
    }
}

/// A user name and its password, to be judged.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// User Name.
    pub username: ByteString,
    /// Password: any bytes.
    pub password: Bytes,
}

/// Tells no secret.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}
