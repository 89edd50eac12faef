use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Point;

/// Something that happens to a node without its program having a say in it.
///
/// The one type of it: from the scenario to the engine, and from the engine to the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeFault {
    /// The process dies, its kernel lives: FIN, or RST where unread data was waiting. Nothing if it is dead already.
    Crash,
    /// The host dies: nothing is sent, and what comes for it vanishes. Nothing if it is down already.
    PowerLoss,
    /// The process ends in order: the end of the step `shutdown`, which tells the program so.
    Shutdown,
    /// The program starts again on the same address; it crashes first if it still runs.
    Restart,
    /// The data that the node has kept is lost. A process that runs may still write it again. No effect if nothing was
    /// kept.
    LoseDisk,
    /// The process stands still for this long, or until `Resume`; its kernel still acknowledges. Nothing if it stands
    /// still already, or does not run.
    Pause(#[serde(with = "crate::trace::optional_duration")] Option<Duration>),
    /// Ends `Pause`: what has come is read, then all timers that have passed are due at once. In a trace also the end
    /// of a pause whose time is over.
    Resume,
    /// The program reads nothing any more: the windows of those who send to it fill.
    StopReading,
    /// Ends `StopReading`.
    ResumeReading,
    /// The node's clock runs faster than the world's by this many millionths, slower if negative; more than -1,000,000.
    ClockDrift(i32),
    /// The node's clock leaps by this many milliseconds. Set back it stands still until it has caught up, because what
    /// programs measure time with never goes back.
    ClockJump(i64),
    /// The node's wall clock is set by this many milliseconds, as a person or NTP sets the date. What programs measure
    /// time with does not follow it, so nothing may come of it.
    SetWallClock(i64),
}

impl NodeFault {
    /// Returns the word for it in scenarios, and what a trace says happens to the node.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Crash => ("crash", "crashes"),
            Self::PowerLoss => ("power_loss", "loses power"),
            Self::Shutdown => ("shutdown", "has shut down"),
            Self::Restart => ("restart", "restarts"),
            Self::LoseDisk => ("lose_disk", "loses its disk"),
            Self::Pause(_) => ("pause", "stands still"),
            Self::Resume => ("resume", "goes on"),
            Self::StopReading => ("stop_reading", "stops reading"),
            Self::ResumeReading => ("resume_reading", "reads again"),
            Self::ClockDrift(_) => ("clock_drift", "clock drifts"),
            Self::ClockJump(_) => ("clock_jump", "clock leaps"),
            Self::SetWallClock(_) => ("set_wall_clock", "date is set"),
        }
    }

    /// Returns the word for it in scenarios.
    pub const fn word(self) -> &'static str {
        self.words().0
    }

    /// Returns what a trace says happens to the node.
    pub const fn statement(self) -> &'static str {
        self.words().1
    }

    /// Returns whether the process of the node ends by it.
    pub const fn ends_process(self) -> bool {
        matches!(self, Self::Crash | Self::PowerLoss | Self::Shutdown)
    }

    /// Returns whether it is about the clocks of the node.
    pub const fn is_of_clock(self) -> bool {
        matches!(self, Self::ClockDrift(_) | Self::ClockJump(_) | Self::SetWallClock(_))
    }

    /// Returns by how many milliseconds a clock leaps by it, if one does.
    pub const fn leap(self) -> Option<i64> {
        match self {
            Self::ClockJump(by_ms) | Self::SetWallClock(by_ms) => Some(by_ms),
            _ => None,
        }
    }

    /// Returns what moments call it, if they can refer to it.
    pub const fn point(self) -> Option<Point> {
        match self {
            Self::Crash => Some(Point::Crash),
            Self::PowerLoss => Some(Point::PowerLoss),
            Self::Restart => Some(Point::Restart),
            Self::Pause(_) => Some(Point::Pause),
            Self::Resume => Some(Point::Resume),
            _ => None,
        }
    }
}
