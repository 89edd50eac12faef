use std::cmp::Ordering;

/// An exact fraction: durations are computed without rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exact {
    numerator: i128,
    /// Above 0, without a common divisor with the numerator.
    denominator: i128,
}

impl Exact {
    pub(crate) const fn whole(value: i128) -> Self {
        Self { numerator: value, denominator: 1 }
    }

    /// Creates a fraction, or `None` if the denominator is 0 or the numbers are too large; that holds for all
    /// operations.
    pub(crate) fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let divisor = gcd(numerator.checked_abs()?, denominator.checked_abs()?).max(1);
        let sign = if denominator < 0 { -1 } else { 1 };
        Some(Self { numerator: numerator / divisor * sign, denominator: denominator / divisor * sign })
    }

    /// `12` or `1.5`: digits with at most one point.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{fraction}");
        if digits.len() > 24 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Self::new(digits.parse().ok()?, 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)
    }

    pub(crate) fn add(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Self::new(left.checked_add(right)?, self.denominator.checked_mul(other.denominator)?)
    }

    pub(crate) fn negate(self) -> Option<Self> {
        Some(Self { numerator: self.numerator.checked_neg()?, ..self })
    }

    pub(crate) fn multiply(self, other: Self) -> Option<Self> {
        Self::new(self.numerator.checked_mul(other.numerator)?, self.denominator.checked_mul(other.denominator)?)
    }

    pub(crate) fn divide(self, other: Self) -> Option<Self> {
        Self::new(self.numerator.checked_mul(other.denominator)?, self.denominator.checked_mul(other.numerator)?)
    }

    pub(crate) fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// The value, if it is a whole number.
    pub(crate) fn to_whole(self) -> Option<i128> {
        (self.denominator == 1).then_some(self.numerator)
    }

    /// The nearest floating-point number: for factors, never for times.
    #[expect(clippy::cast_precision_loss, reason = "a factor of a few digits is exact enough")]
    pub(crate) fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Some(left.cmp(&right))
    }
}

impl std::fmt::Display for Exact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.denominator == 1 {
            return write!(f, "{}", self.numerator);
        }
        // `2.5` as one would write it, if that is exact with a few digits.
        for digits in 1..=24_u32 {
            let power = 10_i128.pow(digits);
            if power % self.denominator == 0
                && let Some(scaled) = self.numerator.checked_mul(power / self.denominator)
            {
                let sign = if scaled < 0 { "-" } else { "" };
                let (whole, rest) =
                    (scaled.unsigned_abs() / power.unsigned_abs(), scaled.unsigned_abs() % power.unsigned_abs());
                return write!(f, "{sign}{whole}.{rest:0width$}", width = digits as usize);
            }
        }
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
