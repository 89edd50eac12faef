use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitStatus;

/// A TCP socket of a program.
pub type SocketId = u32;

/// An action of a program, in the order in which it did them.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Begins to accept connections at this address.
    Listens {
        /// The listening socket.
        socket: SocketId,
        /// Address that it was bound to.
        at: SocketAddr,
    },
    /// Accepts connections no more.
    StoppedListening {
        /// The listening socket, which is gone.
        socket: SocketId,
    },
    /// Opens a connection: [`Process::connected`](crate::Process::connected) answers.
    Connects {
        /// The socket.
        socket: SocketId,
        /// The address of the peer.
        to: SocketAddr,
    },
    /// Sent bytes.
    Sent {
        /// The socket.
        socket: SocketId,
        /// The bytes that were sent since the last event of this kind.
        bytes: Vec<u8>,
    },
    /// Sends no more (FIN).
    Finished {
        /// The socket.
        socket: SocketId,
        /// True if the socket is closed, so that it does not read either, and is gone.
        closed: bool,
    },
    /// Closed with bytes unread or a linger time of zero (RST). The socket is gone.
    Aborted {
        /// The socket.
        socket: SocketId,
    },
    /// Wrote to its standard output or standard error.
    Output(Vec<u8>),
    /// Asked for something that does not exist in the world, and was told so: reported once for each kind.
    Unsupported(String),
    /// Ended. Nothing follows.
    Exited(ExitStatus),
}

/// The cost of watching a program, and the reasons for which its runs may differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// System calls that the program was asked about.
    pub notifications: u64,
    /// The same, by name.
    pub by_call: BTreeMap<&'static str, u64>,
    /// Waits that the program went through by itself, under a lease.
    pub leased: u64,
    /// Number of times that a thread was found blocked in the kernel in a call that is not asked about. When it goes on
    /// again depends on real time, so that runs may differ.
    pub blocked_natively: u64,
    /// The first call that was found so.
    pub blocked_in: Option<&'static str>,
    /// Number of times that a thread computed too long, so that another was let run beside it. Runs may differ then.
    pub overtaken: u64,
}

impl Stats {
    /// Returns why two runs may differ, if they may.
    pub fn nondeterminism(&self) -> Option<String> {
        match (self.blocked_natively, self.overtaken) {
            (0, 0) => None,
            (0, _) => Some("a thread computed for seconds, and others ran beside it".to_owned()),
            _ => {
                let call = self.blocked_in.unwrap_or("a call that is not asked about");
                Some(format!("a thread waited in the kernel for something outside of the world, in {call}"))
            }
        }
    }
}
