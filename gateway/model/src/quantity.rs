//! `resource.Quantity`: amounts such as `250m`, `1.5Gi` or `1e3`, read and printed as upstream does.
//! Follows `k8s.io/apimachinery/pkg/api/resource`. Does not know what is measured.

use std::cmp::Ordering;
use std::fmt;

/// Most significant digits that are kept exactly; upstream has no bound. What has more is refused.
const DIGITS_MAX: usize = 36;
/// Digits with which upstream computes in 64 bits and may keep the text as it was written.
const FAST_DIGITS_MAX: i64 = 18;
/// Nothing is finer than a nano: smaller fractions are rounded away from zero.
const NANO: i32 = -9;

/// Which suffixes an amount is printed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// `12e6`
    DecimalExponent,
    /// `12Mi`
    BinarySi,
    /// `12M`
    #[default]
    DecimalSi,
}

/// Why a text is no amount; the display is upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a number with a suffix at all.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The number is malformed.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// An amount: `unscaled` × 10^`scale`, with the format it was written in.
#[derive(Clone, Debug, Default)]
pub struct Quantity {
    unscaled: i128,
    scale: i32,
    format: Format,
    /// The text as written, where upstream keeps it because it is canonical enough.
    text: Option<Box<str>>,
}

impl Quantity {
    /// A whole amount.
    pub fn new(value: i64, format: Format) -> Self {
        Self { unscaled: value.into(), scale: 0, format, text: None }
    }

    /// An amount in thousandths.
    pub fn from_milli(value: i64, format: Format) -> Self {
        Self { unscaled: value.into(), scale: -3, format, text: None }
    }

    /// Reads `250m`, `1.5Gi`, `1e3`. Fails with upstream's words.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::Format);
        }
        let parts = split(text)?;
        let (exponent, format) = interpret(parts.suffix)?;
        if let Some(fast) = parse_fast(text, &parts, exponent, format) {
            return Ok(fast);
        }
        parse_slow(&parts, exponent, format)
    }

    /// The format in which the amount is printed.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether nothing is meant.
    pub fn is_zero(&self) -> bool {
        self.unscaled == 0
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        self.unscaled.signum() as i32
    }

    /// The amount in whole units, rounded away from zero, saturating at 64 bits.
    pub fn value(&self) -> i64 {
        self.scaled_value(0)
    }

    /// The amount in thousandths, rounded away from zero, saturating at 64 bits.
    pub fn milli_value(&self) -> i64 {
        self.scaled_value(-3)
    }

    /// The amount in units of 10^`scale`, rounded away from zero, saturating at 64 bits.
    pub fn scaled_value(&self, scale: i32) -> i64 {
        let (value, _) = rescale(self.unscaled, self.scale, scale);
        i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
    }

    /// The amount as a float, which may lose precision.
    pub fn to_f64(&self) -> f64 {
        self.unscaled as f64 * 10f64.powi(self.scale)
    }

    /// The sum; zero takes the other's format.
    pub fn add(&mut self, other: &Quantity) {
        if self.is_zero() {
            self.format = other.format;
        }
        let scale = self.scale.min(other.scale).max(NANO);
        let (a, _) = rescale(self.unscaled, self.scale, scale);
        let (b, _) = rescale(other.unscaled, other.scale, scale);
        *self = Self { unscaled: a.saturating_add(b), scale, format: self.format, text: None };
    }

    /// The difference; zero takes the other's format.
    pub fn sub(&mut self, other: &Quantity) {
        let negative = Self { unscaled: -other.unscaled, text: None, ..other.clone() };
        self.add(&negative);
    }

    /// The amount `times` times.
    pub fn mul(&mut self, times: i64) {
        self.unscaled = self.unscaled.saturating_mul(times.into());
        self.text = None;
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By amount, whatever the format.
impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.min(other.scale);
        let (a, _) = rescale(self.unscaled, self.scale, scale);
        let (b, _) = rescale(other.unscaled, other.scale, scale);
        // What saturates is ordered by its magnitude's exponent.
        a.cmp(&b).then_with(|| if a == i128::MAX { self.scale.cmp(&other.scale) } else { Ordering::Equal })
    }
}

impl std::str::FromStr for Quantity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// The canonical form: no fraction, the largest suffix that leaves a whole number.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return f.write_str(text);
        }
        if self.is_zero() {
            return f.write_str("0");
        }
        if self.format == Format::BinarySi {
            let (whole, exact) = rescale(self.unscaled, self.scale, 0);
            if exact && whole.unsigned_abs() >= 1024 {
                return write_binary(f, whole);
            }
        }
        self.write_decimal(f)
    }
}

const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

fn write_binary(f: &mut fmt::Formatter<'_>, mut whole: i128) -> fmt::Result {
    let mut power = 0;
    while whole % 1024 == 0 {
        whole /= 1024;
        power += 1;
    }
    write!(f, "{whole}{}", BINARY.get(power).copied().unwrap_or(""))
}

impl Quantity {
    fn write_decimal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut mantissa, mut exponent) = (self.unscaled, self.scale);
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        while exponent % 3 != 0 {
            mantissa = mantissa.saturating_mul(10);
            exponent -= 1;
        }
        match (self.format, exponent) {
            (Format::DecimalExponent, 0) => write!(f, "{mantissa}"),
            (Format::DecimalExponent, _) => write!(f, "{mantissa}e{exponent}"),
            // Upstream prints no suffix at all beyond exa.
            _ => write!(f, "{mantissa}{}", usize::try_from(exponent / 3 + 3).ok().and_then(|i| DECIMAL.get(i)).unwrap_or(&"")),
        }
    }
}

/// The value in units of 10^`to`, rounded away from zero, and whether that is exact. Saturates.
fn rescale(unscaled: i128, from: i32, to: i32) -> (i128, bool) {
    if unscaled == 0 || from == to {
        return (unscaled, true);
    }
    let places = from.abs_diff(to);
    if from > to {
        let factor = 10i128.checked_pow(places);
        let saturated = if unscaled < 0 { i128::MIN } else { i128::MAX };
        return (factor.and_then(|f| unscaled.checked_mul(f)).unwrap_or(saturated), true);
    }
    let Some(divisor) = 10i128.checked_pow(places) else { return (unscaled.signum(), false) };
    let (whole, rest) = (unscaled / divisor, unscaled % divisor);
    (if rest == 0 { whole } else { whole + unscaled.signum() }, rest == 0)
}

/// A text taken apart: sign, digits before and after the point, suffix.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
    /// Whether there was a digit at all; without any, small suffixes pass for zero and large ones fail.
    digits: bool,
}

fn split(text: &str) -> Result<Parts<'_>, Error> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let rest = unsigned.trim_start_matches('0');
    let (whole, rest) = take_digits(rest);
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => take_digits(rest),
        None => ("", rest),
    };
    let letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let digits = letters.strip_prefix(['-', '+']).unwrap_or(letters);
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Error::Format);
    }
    let digits = unsigned[..unsigned.len() - suffix.len()].bytes().any(|b| b.is_ascii_digit());
    Ok(Parts { negative: text.starts_with('-'), whole: if whole.is_empty() { "0" } else { whole }, fraction, suffix, digits })
}

fn take_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// The exponent of a suffix, of 2 for [`Format::BinarySi`], else of 10.
fn interpret(suffix: &str) -> Result<(i32, Format), Error> {
    if let Some(i) = DECIMAL.iter().position(|s| *s == suffix) {
        return Ok((3 * (i as i32) + NANO, Format::DecimalSi));
    }
    if let Some(i) = BINARY.iter().position(|s| *s == suffix) {
        return Ok((10 * i as i32, Format::BinarySi));
    }
    match suffix.strip_prefix(['e', 'E']).map(str::parse::<i64>) {
        Some(Ok(exponent)) => Ok((exponent as i32, Format::DecimalExponent)),
        _ => Err(Error::Suffix),
    }
}

/// What fits 64 bits; keeps the text where upstream does.
fn parse_fast(text: &str, parts: &Parts<'_>, exponent: i32, format: Format) -> Option<Quantity> {
    let digits = (parts.whole.len() + parts.fraction.len()) as i64;
    let (scale, factor) = match format {
        Format::BinarySi if !parts.fraction.is_empty() || 15 - digits - i64::from(exponent * 3 / 10) - 1 < 0 => return None,
        Format::BinarySi => (0, 1i64 << exponent),
        _ if digits > FAST_DIGITS_MAX => return None,
        _ => (exponent.checked_sub(parts.fraction.len() as i32)?, 1),
    };
    if scale < NANO {
        return None;
    }
    let shifted = format!("{}{}", parts.whole, parts.fraction);
    let value: i64 = shifted.parse().ok()?;
    let result = value.checked_mul(factor)?;
    let keep = match format {
        Format::BinarySi => value & 7 != 0,
        _ => scale % 3 == 0 && !shifted.ends_with("000") && !shifted.starts_with('0'),
    };
    let unscaled = i128::from(if parts.negative { -result } else { result });
    Some(Quantity { unscaled, scale, format, text: keep.then(|| text.into()) })
}

fn parse_slow(parts: &Parts<'_>, exponent: i32, mut format: Format) -> Result<Quantity, Error> {
    if !parts.digits {
        return Err(Error::Numeric);
    }
    let all = format!("{}{}", parts.whole, parts.fraction);
    let digits = all.trim_end_matches('0');
    if digits.trim_start_matches('0').len() > DIGITS_MAX {
        return Err(Error::Numeric);
    }
    let mut unscaled: i128 = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| Error::Numeric)? };
    let mut scale = (all.len() - digits.len()) as i32 - parts.fraction.len() as i32;
    if format == Format::BinarySi {
        // Beyond 2^63-1 the cap below applies anyway.
        unscaled = unscaled.saturating_mul(1i128 << exponent);
    } else {
        scale = scale.saturating_add(exponent);
    }
    if scale < NANO {
        unscaled = rescale(unscaled, scale, NANO).0;
        scale = NANO;
    }
    if format == Format::BinarySi {
        let max = i128::from(i64::MAX);
        let (whole, _) = rescale(unscaled, scale, 0);
        if whole > max {
            (unscaled, scale) = (max, 0);
        }
        let below_one = scale < 0 && unscaled < rescale(1, 0, scale).0;
        if unscaled > 0 && below_one {
            format = Format::DecimalSi;
        }
    }
    Ok(Quantity { unscaled: if parts.negative { -unscaled } else { unscaled }, scale, format, text: None })
}

/// The canonical form of a text, as it is stored and answered.
pub fn canonical(text: &str) -> Result<String, Error> {
    Quantity::parse(text.trim()).map(|q| q.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        let cases = [
            ("0", "0"),
            ("0.0", "0"),
            ("000", "0"),
            ("0Mi", "0"),
            ("-0", "0"),
            ("1", "1"),
            ("+1", "+1"),
            ("01", "01"),
            ("-1", "-1"),
            ("100", "100"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("0.5", "500m"),
            ("1.5", "1500m"),
            ("1.500", "1.500"),
            ("1.", "1."),
            ("100m", "100m"),
            ("1000m", "1"),
            ("2000m", "2"),
            ("0.1", "100m"),
            ("0.01", "10m"),
            ("0.0001", "100u"),
            ("1e3", "1e3"),
            ("1E3", "1E3"),
            ("1000e3", "1e6"),
            ("12e6", "12e6"),
            ("1e1", "10"),
            ("1Ki", "1Ki"),
            ("1024", "1024"),
            ("1024Ki", "1Mi"),
            ("1024Mi", "1Gi"),
            ("100Mi", "100Mi"),
            ("64Mi", "64Mi"),
            ("128Mi", "128Mi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Mi", "512Ki"),
            ("0.1Ki", "102400m"),
            ("0.0001Ki", "102400u"),
            ("16Ei", "9223372036854775807"),
            ("1Ei", "1Ei"),
            ("512Ki", "512Ki"),
            ("1.1n", "2n"),
            ("0.0000000001", "1n"),
            ("-0.0000000001", "-1n"),
            ("1000E", "1"),
            ("8k", "8k"),
            ("1000k", "1M"),
            ("9223372036854775807", "9223372036854775807"),
            ("99999999999999999999", "99999999999999999999"),
            ("5T", "5T"),
            ("1P", "1P"),
            ("3E", "3E"),
            ("1u", "1u"),
        ];
        for (from, to) in cases {
            assert_eq!(canonical(from).as_deref(), Ok(to), "{from}");
        }
    }

    #[test]
    fn upstreams_own_answers() {
        let cases: Vec<(&str, &str)> = include_str!("quantity/cases.txt")
            .lines()
            .filter(|l| !l.starts_with('#'))
            .filter_map(|l| l.split_once(' '))
            .collect();
        assert!(cases.len() > 300, "only {} cases", cases.len());
        for (text, expected) in cases {
            let found = Quantity::parse(text).map_or_else(|e| format!("ERR {e}"), |q| q.to_string());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity() {
        for (text, error) in [
            ("", Error::Format),
            ("true", Error::Format),
            ("1 Mi", Error::Format),
            ("1Mib", Error::Format),
            ("--1", Error::Suffix),
            ("1mm", Error::Suffix),
            ("1Kii", Error::Suffix),
            ("1i", Error::Suffix),
            ("1K", Error::Suffix),
            ("1e", Error::Suffix),
            ("+Ei", Error::Numeric),
            ("e-10", Error::Numeric),
        ] {
            assert_eq!(Quantity::parse(text).map(|q| q.to_string()), Err(error), "{text}");
        }
    }

    #[test]
    fn order_and_sums() {
        let q = |t: &str| Quantity::parse(t).expect("a valid quantity");
        assert_eq!(q("1"), q("1000m"));
        assert!(q("1Gi") > q("1G") && q("-1") < q("0") && q("1n") > q("0") && q("1e40") > q("1e30"));
        let mut sum = q("0");
        sum.add(&q("1Gi"));
        sum.add(&q("512Mi"));
        assert_eq!(sum.to_string(), "1536Mi");
        sum.sub(&q("1536Mi"));
        assert!(sum.is_zero());
        assert_eq!((q("1500m").value(), q("1500m").milli_value(), q("-1500m").value()), (2, 1500, -2));
        assert_eq!(q("1e30").value(), i64::MAX);
    }
}
