//! What is played, on the model and on Linux.

use std::fmt;
use std::time::Duration;

/// One of the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Client,
    Server,
}

impl End {
    pub(crate) const BOTH: [Self; 2] = [Self::Client, Self::Server];
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// Directions of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
    Both,
}

impl Way {
    /// Whether it includes the direction towards this end.
    pub(crate) fn leads_to(self, end: End) -> bool {
        match self {
            Self::ToServer => end == Server,
            Self::ToClient => end == Client,
            Self::Both => true,
        }
    }
}

/// What happens at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// The server's program begins to listen.
    Listen,
    /// The server's program closes its listener; connections that it has accepted stay.
    StopListening,
    /// The server's program accepts nothing, though it listens.
    StopAccepting,
    /// The client opens a connection.
    Connect,
    /// A program writes this many bytes, however long it takes.
    Write(End, usize),
    /// A program finishes its stream and reads on.
    Shutdown(End),
    /// A program closes its socket. The kernel does the same when the process is killed.
    Close(End),
    /// A program closes its socket with RST.
    Abort(End),
    /// A program reads nothing.
    StopReading(End),
    /// A program reads again.
    ResumeReading(End),
    /// Packets vanish.
    Cut(Way),
    /// No packets vanish any more.
    Heal,
    /// The path forgets the connections that exist: their packets vanish.
    Forget(Way),
    /// A third party sends RST towards these ends.
    Reset(Way),
    /// The server's host loses power.
    PowerLoss,
    /// The server's host starts again at the same address, and its program listens.
    Restart,
}

/// A case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) acts: &'static [(u64, Act)],
    /// When it ends, in milliseconds.
    pub(crate) end: u64,
    /// Why Linux and the model differ, if they do.
    pub(crate) difference: Option<&'static str>,
}

/// What a program saw, and when, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) at: u64,
    pub(crate) end: End,
    pub(crate) what: What,
}

/// What a program sees of its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Connected,
    Accepted,
    /// This many bytes, read one after the other without anything else in between.
    Read(usize),
    /// The other end has finished.
    End,
    /// A write has to wait.
    Blocked,
    /// A write that had to wait is done.
    Written,
    Refused,
    Reset,
    TimedOut,
    BrokenPipe,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.end)?;
        match self.what {
            What::Read(count) => write!(f, "read {count}"),
            What::Connected => f.write_str("connected"),
            What::Accepted => f.write_str("accepted"),
            What::End => f.write_str("end"),
            What::Blocked => f.write_str("blocked"),
            What::Written => f.write_str("written"),
            What::Refused => f.write_str("connection refused"),
            What::Reset => f.write_str("connection reset"),
            What::TimedOut => f.write_str("timed out"),
            What::BrokenPipe => f.write_str("broken pipe"),
        }
    }
}

/// Adds a note; what is read piece by piece is one note.
pub(crate) fn note(notes: &mut Vec<Note>, at: u64, end: End, what: What) {
    let last = notes.iter_mut().rev().find(|note| note.end == end);
    if let What::Read(count) = what
        && let Some(Note { what: What::Read(total), .. }) = last
    {
        *total += count;
    } else {
        notes.push(Note { at, end, what });
    }
}

/// How long a socket waits for an answer before it fails.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(3);

use Act::{
    Abort, Close, Connect, Cut, Forget, Heal, Listen, PowerLoss, Reset, Restart, ResumeReading, Shutdown,
    StopAccepting, StopListening, StopReading, Write,
};
use End::{Client, Server};
use Way::{Both, ToClient, ToServer};

const fn case(name: &'static str, end: u64, acts: &'static [(u64, Act)]) -> Case {
    Case { name, acts, end, difference: None }
}

const fn differs(name: &'static str, end: u64, acts: &'static [(u64, Act)], why: &'static str) -> Case {
    Case { name, acts, end, difference: Some(why) }
}

const BIG: usize = 8_000_000;

/// All cases.
pub(crate) const CASES: &[Case] = &[
    case(
        "handshake and bytes both ways",
        500,
        &[(0, Listen), (50, Connect), (150, Write(Client, 100)), (250, Write(Server, 2000))],
    ),
    case("nobody listens", 300, &[(50, Connect)]),
    case(
        "listener closes, connection stays",
        600,
        &[(0, Listen), (50, Connect), (150, StopListening), (200, Connect), (300, Write(Client, 10))],
    ),
    case(
        "listener closes before anybody accepts",
        500,
        &[(0, StopAccepting), (0, Listen), (50, Connect), (200, StopListening)],
    ),
    case("SYN lost", 2500, &[(0, Listen), (20, Cut(ToServer)), (50, Connect), (500, Heal)]),
    case("SYN lost twice", 4500, &[(0, Listen), (20, Cut(ToServer)), (50, Connect), (2000, Heal)]),
    case("answer to SYN lost", 2500, &[(0, Listen), (20, Cut(ToClient)), (50, Connect), (500, Heal)]),
    case("no answer to SYN", 5000, &[(0, Listen), (20, Cut(Both)), (50, Connect)]),
    case("refusal lost", 2500, &[(20, Cut(ToClient)), (50, Connect), (500, Heal)]),
    case(
        "close by the client, then by the server",
        600,
        &[(0, Listen), (50, Connect), (150, Close(Client)), (300, Close(Server))],
    ),
    case(
        "shutdown leaves the other direction open",
        700,
        &[(0, Listen), (50, Connect), (150, Shutdown(Client)), (250, Write(Server, 500)), (400, Close(Server))],
    ),
    case("both close at once", 500, &[(0, Listen), (50, Connect), (200, Shutdown(Client)), (200, Shutdown(Server))]),
    case("killed with nothing unread", 500, &[(0, Listen), (50, Connect), (200, Close(Server))]),
    case(
        "killed with unread bytes",
        600,
        &[(0, Listen), (0, StopReading(Server)), (50, Connect), (150, Write(Client, 10)), (300, Close(Server))],
    ),
    case(
        "killed in the middle of an answer",
        600,
        &[(0, Listen), (50, Connect), (150, Write(Server, 3000)), (150, Close(Server))],
    ),
    differs(
        "bytes for a closed socket",
        700,
        &[(0, Listen), (50, Connect), (150, Close(Server)), (300, Write(Client, 10)), (450, Write(Client, 10))],
        "the RST comes after FIN: Linux then fails writes with a broken pipe and lets reads return the end again, so that a \
         program cannot know of the RST; the model says that the connection was reset",
    ),
    case(
        "killed with unread bytes, after a write",
        600,
        &[
            (0, Listen),
            (0, StopReading(Server)),
            (50, Connect),
            (150, Write(Client, 10)),
            (300, Write(Server, 100)),
            (300, Close(Server)),
        ],
    ),
    case(
        "power loss before the answer to SYN arrives",
        2500,
        &[(0, Listen), (20, Cut(ToClient)), (50, Connect), (200, PowerLoss), (400, Restart), (500, Heal)],
    ),
    case("write after shutdown", 500, &[(0, Listen), (50, Connect), (150, Shutdown(Client)), (250, Write(Client, 1))]),
    case("abort", 500, &[(0, Listen), (50, Connect), (200, Abort(Client))]),
    case(
        "abort with bytes before it",
        500,
        &[(0, Listen), (50, Connect), (200, Write(Client, 100)), (200, Abort(Client))],
    ),
    case(
        "abort that reaches bytes that nobody has read",
        700,
        &[
            (0, Listen),
            (0, StopReading(Server)),
            (50, Connect),
            (150, Write(Client, 100)),
            (250, Abort(Client)),
            (400, ResumeReading(Server)),
        ],
    ),
    case("RST by a third party, both ends", 600, &[(0, Listen), (50, Connect), (200, Reset(Both))]),
    case(
        "RST by a third party, one end",
        900,
        &[(0, Listen), (50, Connect), (200, Reset(ToClient)), (500, Write(Server, 10))],
    ),
    case(
        "nobody notices a path that forgets while nothing is sent",
        1000,
        &[(0, Listen), (50, Connect), (150, Forget(Both))],
    ),
    case(
        "path that forgets, both ways",
        4500,
        &[(0, Listen), (50, Connect), (150, Forget(Both)), (300, Write(Client, 10))],
    ),
    case(
        "path that forgets, to the client",
        4500,
        &[(0, Listen), (50, Connect), (150, Forget(ToClient)), (300, Write(Client, 10))],
    ),
    case(
        "new connection beside a forgotten one",
        1000,
        &[(0, Listen), (50, Connect), (150, Forget(Both)), (300, Connect), (450, Write(Client, 10))],
    ),
    case(
        "acknowledgements lost for ever",
        4500,
        &[(0, Listen), (50, Connect), (150, Cut(ToClient)), (300, Write(Client, 10))],
    ),
    case(
        "bytes lost, path heals at once",
        1500,
        &[(0, Listen), (50, Connect), (150, Cut(Both)), (300, Write(Client, 10)), (400, Heal)],
    ),
    differs(
        "bytes lost, path heals later",
        4000,
        &[(0, Listen), (50, Connect), (150, Cut(Both)), (300, Write(Client, 10)), (1000, Heal)],
        "Linux sends a tail loss probe (RFC 8985) before the first time-out doubles, so its attempts come at about 0.2, \
         0.4, 0.8, 1.7 s; the model has none, as RFC 6298 describes it: 0.2, 0.6, 1.4, 3.0 s",
    ),
    case("FIN lost", 1500, &[(0, Listen), (50, Connect), (150, Cut(Both)), (300, Close(Client)), (400, Heal)]),
    case(
        "RST lost, next bytes meet another",
        1200,
        &[(0, Listen), (50, Connect), (150, Cut(Both)), (200, Abort(Client)), (400, Heal), (600, Write(Server, 10))],
    ),
    case(
        "full window stops the writer until the reader goes on",
        3000,
        &[
            (0, Listen),
            (0, StopReading(Server)),
            (50, Connect),
            (150, Write(Client, BIG)),
            (800, ResumeReading(Server)),
        ],
    ),
    case(
        "full window and a reader that is killed",
        1500,
        &[(0, Listen), (0, StopReading(Server)), (50, Connect), (150, Write(Client, BIG)), (800, Close(Server))],
    ),
    case("nobody hears of a power loss", 1000, &[(0, Listen), (50, Connect), (200, PowerLoss)]),
    case(
        "power loss, and the client writes",
        5000,
        &[(0, Listen), (50, Connect), (200, PowerLoss), (300, Write(Client, 10))],
    ),
    case(
        "power loss and restart, then the client writes",
        1200,
        &[(0, Listen), (50, Connect), (200, PowerLoss), (400, Restart), (700, Write(Client, 10))],
    ),
    case(
        "power loss and restart while the client sends again",
        3000,
        &[(0, Listen), (50, Connect), (200, PowerLoss), (300, Write(Client, 10)), (450, Restart)],
    ),
    case(
        "power loss and restart, new connection on the same address",
        1200,
        &[(0, Listen), (50, Connect), (200, PowerLoss), (400, Restart), (700, Connect), (850, Write(Client, 10))],
    ),
    case(
        "connection attempt to a host without power",
        3000,
        &[(0, Listen), (20, PowerLoss), (50, Connect), (400, Restart)],
    ),
    case(
        "restart of the process on the same port",
        1000,
        &[
            (0, Listen),
            (50, Connect),
            (200, StopListening),
            (200, Close(Server)),
            (400, Listen),
            (600, Connect),
            (750, Write(Client, 10)),
        ],
    ),
];
