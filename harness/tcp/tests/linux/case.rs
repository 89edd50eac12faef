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
            Self::ToServer => end == End::Server,
            Self::ToClient => end == End::Client,
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
    /// The server's program accepts again.
    ResumeAccepting,
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
