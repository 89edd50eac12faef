use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use halfopen_broker::Config;
use halfopen_broker::log::Detail;

/// An MQTT 3.1.1 and 5.0 broker.
///
/// Holds everything in memory and lets everybody in. Logs to stderr, each line with the seconds since 1970: by default
/// connections as they begin and end, with --verbose every packet too. SIGINT and SIGTERM stop it in order.
#[derive(Debug, Parser)]
#[command(name = "halfopen-broker", version)]
pub(crate) struct Args {
    /// The address and port to listen on; port 0 takes a free one and logs it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1883")]
    pub(crate) listen: SocketAddr,

    /// The keep-alive that 5.0 clients must use instead of their own, in whole seconds (90s, 2m); 0s switches it off.
    #[arg(long, value_name = "DURATION", value_parser = keep_alive)]
    server_keep_alive: Option<u16>,

    /// How long a connection may be open without a CONNECT.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    connect_timeout: Duration,

    /// The largest packet that a client may send, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = Config::default().maximum_packet_size, value_parser = clap::value_parser!(u32).range(1..))]
    maximum_packet_size: u32,

    /// How many QoS 1 and 2 messages a 5.0 client may have unacknowledged.
    #[arg(long, value_name = "COUNT", default_value_t = Config::default().receive_maximum, value_parser = clap::value_parser!(u16).range(1..))]
    receive_maximum: u16,

    /// How many messages wait for one client that is away or slow.
    #[arg(long, value_name = "COUNT", default_value_t = Config::default().queue_messages)]
    queue_messages: usize,

    /// Log every packet, as `mosquitto -v` does.
    #[arg(short, long)]
    verbose: bool,
}

impl Args {
    /// What the broker itself needs of them.
    pub(crate) fn config(&self) -> Config {
        Config {
            server_keep_alive: self.server_keep_alive,
            connect_timeout: self.connect_timeout,
            maximum_packet_size: self.maximum_packet_size,
            receive_maximum: self.receive_maximum,
            queue_messages: self.queue_messages,
            ..Config::default()
        }
    }

    /// What is to be logged.
    pub(crate) fn detail(&self) -> Detail {
        if self.verbose { Detail::Packets } else { Detail::Connections }
    }
}

/// A whole number with a unit: `500ms`, `10s`, `2m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("expected a whole number with a unit: ms, s, m or h".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "expected a whole number before the unit".to_owned())?;
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}

fn keep_alive(text: &str) -> Result<u16, String> {
    let duration = duration(text)?;
    if duration.subsec_millis() != 0 {
        return Err("expected whole seconds".to_owned());
    }
    u16::try_from(duration.as_secs()).map_err(|_| "expected at most 65535s".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_flags_fit_together_and_give_the_default_configuration() {
        Args::command().debug_assert();
        let args = Args::parse_from(["halfopen-broker"]);
        assert_eq!(args.config(), Config::default());
        assert_eq!(args.detail(), Detail::Connections);
    }

    #[rstest]
    #[case("500ms", Some(500))]
    #[case("10s", Some(10_000))]
    #[case("2m", Some(120_000))]
    #[case("1h", Some(3_600_000))]
    #[case("10", None)]
    #[case("s", None)]
    #[case("1.5s", None)]
    #[case("-1s", None)]
    #[case("10 s", None)]
    #[case("99999999999999999999s", None)]
    #[case("9999999999999999h", None)]
    fn a_duration_is_a_whole_number_with_a_unit(#[case] text: &str, #[case] millis: Option<u64>) {
        assert_eq!(duration(text).ok(), millis.map(Duration::from_millis));
    }

    #[rstest]
    #[case("0s", Some(0))]
    #[case("65535s", Some(65_535))]
    #[case("65536s", None)]
    #[case("1500ms", None)]
    fn a_keep_alive_fits_its_field(#[case] text: &str, #[case] secs: Option<u16>) {
        assert_eq!(keep_alive(text).ok(), secs);
    }
}
