//! All cases that are played.

use crate::case::Act::{
    Abort, Close, Connect, Cut, Forget, Heal, Listen, PowerLoss, Reset, Restart, ResumeAccepting, ResumeReading,
    Shutdown, StopAccepting, StopListening, StopReading, Write,
};
use crate::case::End::{Client, Server};
use crate::case::Way::{Both, ToClient, ToServer};

use crate::case::{Act, Case};

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
    case(
        "end of a stream that nobody has read",
        800,
        &[
            (0, Listen),
            (0, StopReading(Server)),
            (50, Connect),
            (150, Write(Client, 100)),
            (150, Shutdown(Client)),
            (300, Write(Server, 200)),
            (500, ResumeReading(Server)),
        ],
    ),
    case(
        "abort after the other end has finished",
        600,
        &[(0, Listen), (50, Connect), (150, Shutdown(Client)), (300, Abort(Server))],
    ),
    case("both abort at once", 500, &[(0, Listen), (50, Connect), (200, Abort(Client)), (200, Abort(Server))]),
    case("abort crosses bytes", 600, &[(0, Listen), (50, Connect), (200, Write(Server, 100)), (200, Abort(Client))]),
    case(
        "close with bytes on the way in both directions",
        600,
        &[
            (0, Listen),
            (50, Connect),
            (200, Write(Client, 1000)),
            (200, Write(Server, 1000)),
            (200, Shutdown(Client)),
            (200, Shutdown(Server)),
        ],
    ),
    case(
        "close long before the bytes are read",
        800,
        &[
            (0, Listen),
            (0, StopReading(Server)),
            (50, Connect),
            (150, Write(Client, 100_000)),
            (250, Close(Client)),
            (500, ResumeReading(Server)),
        ],
    ),
    case(
        "bytes and FIN lost",
        1500,
        &[(0, Listen), (50, Connect), (150, Cut(Both)), (300, Write(Client, 100)), (300, Close(Client)), (400, Heal)],
    ),
    case(
        "FIN lost for ever, then bytes",
        5500,
        &[(0, Listen), (50, Connect), (150, Cut(Both)), (200, Close(Client)), (4500, Heal), (4800, Write(Server, 10))],
    ),
    case(
        "acknowledgement lost for a while",
        2000,
        &[(0, Listen), (50, Connect), (150, Cut(ToClient)), (300, Write(Client, 10)), (900, Heal)],
    ),
    case(
        "bytes lost twice, with success in between",
        2500,
        &[
            (0, Listen),
            (50, Connect),
            (150, Cut(Both)),
            (300, Write(Client, 10)),
            (400, Heal),
            (1000, Cut(Both)),
            (1050, Write(Client, 10)),
            (1150, Heal),
        ],
    ),
    case("write after RST", 800, &[(0, Listen), (50, Connect), (200, Reset(ToServer)), (400, Write(Server, 10))]),
    case(
        "RST to a connection that is half closed",
        800,
        &[(0, Listen), (50, Connect), (150, Shutdown(Client)), (300, Reset(ToClient))],
    ),
    case(
        "RST in the middle of the handshake, towards the server",
        2500,
        &[(0, Listen), (20, Cut(ToClient)), (50, Connect), (200, Reset(ToServer)), (500, Heal)],
    ),
    differs(
        "RST before the server accepts",
        800,
        &[(0, StopAccepting), (0, Listen), (50, Connect), (200, Reset(ToServer)), (400, ResumeAccepting)],
        "Linux lets the program accept a connection that is gone, of which all calls fail; the model leaves it out, since \
         there is nothing that the program could do with it",
    ),
    case(
        "bytes and end before the server accepts",
        800,
        &[
            (0, StopAccepting),
            (0, Listen),
            (50, Connect),
            (150, Write(Client, 100)),
            (250, Close(Client)),
            (400, ResumeAccepting),
        ],
    ),
    case(
        "path that forgets in the middle of the handshake",
        4500,
        &[(0, Listen), (20, Cut(ToClient)), (50, Connect), (200, Forget(Both)), (300, Heal)],
    ),
    case(
        "new connection while the old one closes",
        1200,
        &[(0, Listen), (50, Connect), (200, Close(Client)), (300, Connect), (450, Write(Client, 10))],
    ),
    case(
        "full window and a path that is lost",
        5500,
        &[(0, Listen), (0, StopReading(Server)), (50, Connect), (150, Write(Client, BIG)), (600, Cut(Both))],
    ),
    differs(
        "full window for longer than the time-out",
        5500,
        &[(0, Listen), (0, StopReading(Server)), (50, Connect), (150, Write(Client, BIG))],
        "TCP_USER_TIMEOUT, which stands for `give_up` here, counts the time for which the window is closed, too; without \
         that option Linux waits for as long as its probes are answered (RFC 9293, 3.8.6.1), as the model does",
    ),
    case(
        "full window, power loss and restart of the reader",
        5500,
        &[
            (0, Listen),
            (0, StopReading(Server)),
            (50, Connect),
            (150, Write(Client, BIG)),
            (500, PowerLoss),
            (600, Restart),
        ],
    ),
    case(
        "full window whose opening is lost",
        4500,
        &[
            (0, Listen),
            (0, StopReading(Server)),
            (50, Connect),
            (150, Write(Client, BIG)),
            (600, Cut(ToClient)),
            (700, ResumeReading(Server)),
            (800, StopReading(Server)),
            (900, Heal),
            (1500, ResumeReading(Server)),
        ],
    ),
];
