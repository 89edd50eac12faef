//! How exact the machine is.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::login::Login;
use super::running::{PATIENCE, Running};

/// Number of measurements of each kind.
const TIMES: u32 = 50;
/// The distance between two measurements.
const APART: Duration = Duration::from_millis(4);
/// Minimum tolerance: no machine is trusted to be more exact.
const LEAST: Duration = Duration::from_millis(50);
/// The tolerance as a multiple of what was measured.
const FACTOR: u32 = 4;

/// The results of the measurement at the start.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Measured {
    /// The greatest delay of a timer.
    timer: Duration,
    /// Time that it took to open a connection to the broker, at most.
    connection: Duration,
}

impl Measured {
    /// Measures timers, and connections to a broker if one runs, once it has let a client of this identifier in.
    ///
    /// # Errors
    /// If nothing answers there, or it lets nobody in.
    pub(super) fn take(broker: Option<&Running>, client_id: &str, login: Option<&Login>) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(async {
            let mut measured = Self { timer: Duration::ZERO, connection: Duration::ZERO };
            let begun = Instant::now();
            for count in 1..=TIMES {
                let due = begun + APART * count;
                sleep_until(due).await;
                measured.timer = measured.timer.max(Instant::now() - due);
            }
            let Some(broker) = broker else { return Ok(measured) };
            broker.greet(client_id, login).await?;
            for _ in 0..TIMES / 5 {
                let begun = Instant::now();
                let connected = timeout(PATIENCE, broker.connect()).await;
                let connected = connected.map_err(|_| format!("no answer within {PATIENCE:?}"))?;
                connected.map_err(|error| error.to_string())?;
                measured.connection = measured.connection.max(begun.elapsed());
            }
            Ok(measured)
        })
    }

    /// Returns by how much something may come early or late.
    pub(in crate::cli) fn tolerance(&self) -> Duration {
        let measured = FACTOR * (self.timer + self.connection);
        // Whole milliseconds, as times in a trace are.
        LEAST.max(Duration::from_millis(u64::try_from(measured.as_millis()).unwrap_or(u64::MAX) + 1))
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        write!(
            f,
            "tolerance +-{} ms: timers of this machine came up to {:.1} ms late",
            self.tolerance().as_millis(),
            ms(self.timer)
        )?;
        if self.connection.is_zero() {
            return Ok(());
        }
        write!(f, ", connections to the broker took up to {:.1} ms", ms(self.connection))
    }
}

/// A name that no other command has.
#[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a broker that others use is no world")]
pub(super) fn unique_name() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("h{:x}", u64::from(std::process::id()) ^ (now.as_millis() as u64 & 0xffff_ffff) << 8)
}
