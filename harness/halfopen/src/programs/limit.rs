use std::str::FromStr;
use std::time::Duration;

/// The maximum length of a run in virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualLimit(Option<Duration>);

impl Default for VirtualLimit {
    /// One hour.
    fn default() -> Self {
        Self(Some(Duration::from_secs(3600)))
    }
}

impl VirtualLimit {
    /// Returns whether a run takes longer than that.
    pub fn is_exceeded_by(self, time: Duration) -> bool {
        self.0.is_some_and(|limit| time > limit)
    }
}

impl FromStr for VirtualLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(None));
        }
        let wrong = || "a time is written `90s`, `30m`, `1h` or `2d`; `none` is no limit".to_owned();
        let unit = text.chars().next_back().ok_or_else(wrong)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let count: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        let seconds = count.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(wrong)?;
        Ok(Self(Some(Duration::from_secs(seconds))))
    }
}

impl std::fmt::Display for VirtualLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.map(|limit| limit.as_secs()) {
            None => f.write_str("none"),
            Some(seconds) if seconds % 3600 == 0 => write!(f, "{}h", seconds / 3600),
            Some(seconds) => write!(f, "{seconds}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("90s", Some(90))]
    #[case("1h", Some(3600))]
    #[case("2d", Some(172_800))]
    #[case("none", None)]
    fn limit_is_read(#[case] text: &str, #[case] seconds: Option<u64>) {
        assert_eq!(text.parse(), Ok(VirtualLimit(seconds.map(Duration::from_secs))));
    }

    #[rstest]
    fn limit_is_refused(#[values("", "1", "h", "0s", "-1s", "1 h", "99999999999999999999d", "1w", "ü")] text: &str) {
        assert!(text.parse::<VirtualLimit>().is_err());
    }
}
