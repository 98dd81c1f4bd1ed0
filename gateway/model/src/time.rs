//! `metav1.Time`, `MicroTime` and `Duration`: read with Go's rules and error texts, printed canonically.
//! Follows Go's `time.Parse` for the two RFC 3339 layouts and `time.ParseDuration`. Does not ask what time it is (`clock`).

use jiff::{SignedDuration, Timestamp, civil};

const SECONDS_LAYOUT: &str = "2006-01-02T15:04:05Z07:00";
const MICRO_LAYOUT: &str = "2006-01-02T15:04:05.000000Z07:00";

/// How precise a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// `metav1.Time`.
    Seconds,
    /// `metav1.MicroTime`: exactly six digits.
    Micro,
}

/// Reads a time. Fails with the text of Go's `time.ParseError`. The last day of the year 9999 saturates.
pub fn parse(text: &str, precision: Precision) -> Result<Timestamp, String> {
    let at = parse_civil(text, precision)?;
    Ok(at.to_zoned(jiff::tz::TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp()))
}

/// The form in which a time is stored and answered; `None` for Go's zero time, which is written as null.
pub fn canonical(text: &str, precision: Precision) -> Result<Option<String>, String> {
    let at = parse_civil(text, precision)?;
    if at == ZERO {
        return Ok(None);
    }
    Ok(Some(self::text(at, precision)))
}

fn text(at: civil::DateTime, precision: Precision) -> String {
    match precision {
        Precision::Seconds => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Precision::Micro => at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
    }
}

/// The canonical form of a time that came as seconds since 1970 and nanoseconds of a second; `None` for Go's zero time.
/// Fails for a year that RFC 3339 cannot spell, with the text of Go's `Time.MarshalJSON`.
pub fn from_unix(seconds: i64, nanos: i32, precision: Precision) -> Result<Option<String>, String> {
    let outside = || "Time.MarshalJSON: year outside of range [0,9999]".to_owned();
    let epoch = civil::datetime(1970, 1, 1, 0, 0, 0, 0);
    let since = SignedDuration::from_secs(seconds).checked_add(SignedDuration::from_nanos(nanos.into())).ok_or_else(outside)?;
    let at = epoch.checked_add(since).map_err(|_| outside())?;
    match at {
        ZERO => Ok(None),
        at if !(0..=9999).contains(&at.year()) => Err(outside()),
        at => Ok(Some(text(at, precision))),
    }
}

/// A time as seconds since 1970 and nanoseconds of a second, which are never negative; what [`from_unix`] takes.
/// Fails with the text of Go's `time.ParseError`.
pub fn to_unix(text: &str, precision: Precision) -> Result<(i64, i32), String> {
    let since = parse_civil(text, precision)?.duration_since(civil::datetime(1970, 1, 1, 0, 0, 0, 0));
    let (seconds, nanos) = (since.as_secs(), since.subsec_nanos());
    Ok(if nanos < 0 { (seconds - 1, nanos + 1_000_000_000) } else { (seconds, nanos) })
}

/// Go's zero time: the first second of year 1.
const ZERO: civil::DateTime = civil::datetime(1, 1, 1, 0, 0, 0, 0);

/// Date and clock in UTC.
fn parse_civil(text: &str, precision: Precision) -> Result<civil::DateTime, String> {
    let mut reader = Reader { whole: text, rest: text, precision };
    let (year, month, day) = reader.date()?;
    let (hour, minute, second, nanos) = reader.clock()?;
    let offset_s = reader.zone()?;
    if !reader.rest.is_empty() {
        return Err(reader.out_of(&format!("extra text: {}", quote(reader.rest))));
    }
    let date = civil::Date::new(year, month, day).map_err(|_| reader.out_of("day out of range"))?;
    let local = date.at(hour, minute, second, nanos);
    local.checked_sub(SignedDuration::from_secs(offset_s)).map_err(|_| reader.out_of("day out of range"))
}

struct Reader<'a> {
    whole: &'a str,
    rest: &'a str,
    precision: Precision,
}

impl Reader<'_> {
    fn date(&mut self) -> Result<(i16, i8, i8), String> {
        let year = self.number("2006", 4, 4)?;
        self.literal("-")?;
        let month = self.number("01", 2, 2)?;
        if !(1..=12).contains(&month) {
            return Err(self.out_of("month out of range"));
        }
        self.literal("-")?;
        let day = self.number("02", 2, 2)?;
        self.literal("T")?;
        Ok((year as i16, month as i8, day as i8))
    }

    fn clock(&mut self) -> Result<(i8, i8, i8, i32), String> {
        // Go takes an hour of one digit too.
        let hour = self.below("15", 1, 24, "hour")?;
        self.literal(":")?;
        let minute = self.below("04", 2, 60, "minute")?;
        self.literal(":")?;
        let second = self.below("05", 2, 60, "second")?;
        Ok((hour, minute, second, self.fraction()?))
    }

    fn below(&mut self, layout: &str, digits_min: usize, limit: u32, what: &str) -> Result<i8, String> {
        let value = self.number(layout, digits_min, 2)?;
        if value >= limit { Err(self.out_of(&format!("{what} out of range"))) } else { Ok(value as i8) }
    }

    /// Nanoseconds. Seconds may carry any fraction; micro times carry exactly six digits.
    fn fraction(&mut self) -> Result<i32, String> {
        let digits = match self.rest.strip_prefix(['.', ',']) {
            Some(after) => after.bytes().take_while(u8::is_ascii_digit).count(),
            None => 0,
        };
        let take = match self.precision {
            Precision::Seconds if digits == 0 => return Ok(0),
            Precision::Seconds => digits,
            Precision::Micro if digits < 6 => return Err(self.cannot(self.rest, ".000000")),
            Precision::Micro => 6,
        };
        let nanos =
            self.rest[1..=take].bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |sum, b| sum * 10 + i32::from(b - b'0'));
        self.rest = &self.rest[1 + take..];
        Ok(nanos)
    }

    /// Seconds east of UTC.
    fn zone(&mut self) -> Result<i64, String> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let held = self.rest;
        let part = |from: usize, to: usize| {
            held.get(from..to).filter(|p| p.bytes().all(|b| b.is_ascii_digit())).and_then(|p| p.parse::<i64>().ok())
        };
        let sign = match held.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(self.cannot(held, "Z07:00")),
        };
        let (Some(hours), Some(":"), Some(minutes)) = (part(1, 3), held.get(3..4), part(4, 6)) else {
            return Err(self.cannot(held, "Z07:00"));
        };
        if hours > 24 {
            return Err(self.out_of("time zone offset hour out of range"));
        }
        if minutes > 60 {
            return Err(self.out_of("time zone offset minute out of range"));
        }
        self.rest = &held[6..];
        Ok(sign * (hours * 3600 + minutes * 60))
    }

    fn number(&mut self, layout: &str, digits_min: usize, digits_max: usize) -> Result<u32, String> {
        let digits = self.rest.bytes().take(digits_max).take_while(u8::is_ascii_digit).count();
        if digits < digits_min {
            return Err(self.cannot(self.rest, layout));
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        Ok(number.bytes().fold(0, |sum, b| sum * 10 + u32::from(b - b'0')))
    }

    fn literal(&mut self, what: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(what).ok_or_else(|| self.cannot(self.rest, what))?;
        Ok(())
    }

    fn cannot(&self, at: &str, element: &str) -> String {
        let layout = match self.precision {
            Precision::Seconds => SECONDS_LAYOUT,
            Precision::Micro => MICRO_LAYOUT,
        };
        format!("parsing time {} as \"{layout}\": cannot parse {} as \"{element}\"", quote(self.whole), quote(at))
    }

    fn out_of(&self, message: &str) -> String {
        format!("parsing time {}: {message}", quote(self.whole))
    }
}

/// A text as Go's `time` package quotes it: every byte that is no printable ASCII as `\xNN`.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for b in text.bytes() {
        match b {
            b'"' | b'\\' => out.extend(['\\', char::from(b)]),
            b' '..=0x7f => out.push(char::from(b)),
            _ => out.push_str(&format!("\\x{b:02x}")),
        }
    }
    out.push('"');
    out
}

/// Nanoseconds of each unit that Go knows.
const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

/// Seconds in nanoseconds as Go multiplies them: beyond 292 years they wrap, often to a time that is over.
pub fn seconds_in_nanos(seconds: i64) -> i64 {
    seconds.wrapping_mul(1_000_000_000)
}

/// Reads `1h30m`, in nanoseconds. Fails with the text of Go's `time.ParseDuration`.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (nanos, after) = duration_part(text, rest)?;
        total += nanos;
        rest = after;
        if total > 1 << 63 {
            return Err(invalid());
        }
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

fn duration_part<'a>(text: &str, rest: &'a str) -> Result<(i128, &'a str), String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let (whole, after) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
    let (fraction, after) = match after.strip_prefix('.') {
        Some(after) => after.split_at(after.bytes().take_while(u8::is_ascii_digit).count()),
        None => ("", after),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let (unit, after) = after.split_at(after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len()));
    if unit.is_empty() {
        return Err(format!("time: missing unit in duration {}", quote(text)));
    }
    let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("time: unknown unit {} in duration {}", quote(unit), quote(text)));
    };
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
    // Go computes the fraction in floats, too.
    let fraction = if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse::<f64>().unwrap_or(0.0) * nanos };
    let value = whole.checked_mul(*nanos as i128).and_then(|v| v.checked_add(fraction as i128)).filter(|v| *v <= 1 << 63);
    Ok((value.ok_or_else(invalid)?, after))
}

/// Prints nanoseconds as Go does: `1h30m0s`, `1.5s`, `250ms`, `0s`.
pub fn format_duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    let body = match n {
        0 => return "0s".to_owned(),
        1..1_000 => format!("{n}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(n, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(n, 1_000_000)),
        _ => {
            let seconds = decimal(n % 60_000_000_000, 1_000_000_000);
            let minutes = n / 60_000_000_000;
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    };
    format!("{sign}{body}")
}

/// `n / unit` without trailing zeros.
fn decimal(n: u64, unit: u64) -> String {
    if n.is_multiple_of(unit) {
        return (n / unit).to_string();
    }
    let width = unit.ilog10() as usize;
    format!("{}.{:0width$}", n / unit, n % unit).trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_times() {
        for (from, to) in [
            ("2020-01-02T03:04:05Z", Some("2020-01-02T03:04:05Z")),
            ("2020-01-02T03:04:05.999Z", Some("2020-01-02T03:04:05Z")),
            ("2020-01-02T03:04:05+02:00", Some("2020-01-02T01:04:05Z")),
            ("2020-01-02T3:04:05Z", Some("2020-01-02T03:04:05Z")),
            ("9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59Z")),
            ("0001-01-01T00:00:00Z", None),
        ] {
            assert_eq!(canonical(from, Precision::Seconds), Ok(to.map(str::to_owned)), "{from}");
        }
        assert_eq!(canonical("2020-01-02T03:04:05.000001Z", Precision::Micro), Ok(Some("2020-01-02T03:04:05.000001Z".into())));
    }

    #[test]
    fn unix_times_come_and_go() {
        for (seconds, nanos, printed) in [
            (0, 0, "1970-01-01T00:00:00.000000Z"),
            (-1, 999_999_000, "1969-12-31T23:59:59.999999Z"),
            (253_402_300_799, 0, "9999-12-31T23:59:59.000000Z"),
        ] {
            assert_eq!(from_unix(seconds, nanos, Precision::Micro).as_ref().map(Option::as_deref), Ok(Some(printed)));
            assert_eq!(to_unix(printed, Precision::Micro), Ok((seconds, nanos)));
        }
        assert_eq!(from_unix(-62_135_596_800, 0, Precision::Seconds), Ok(None));
        for seconds in [253_402_300_800, i64::MAX, i64::MIN, -100_000_000_000] {
            assert!(from_unix(seconds, 0, Precision::Seconds).is_err(), "{seconds}");
        }
    }

    #[test]
    fn time_errors_are_those_of_go() {
        for (text, error) in [
            ("abc", r#"parsing time "abc" as "2006-01-02T15:04:05Z07:00": cannot parse "abc" as "2006""#),
            ("2020", r#"parsing time "2020" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "-""#),
            ("2020-13-01T00:00:00Z", r#"parsing time "2020-13-01T00:00:00Z": month out of range"#),
            ("2020-02-30T00:00:00Z", r#"parsing time "2020-02-30T00:00:00Z": day out of range"#),
            ("2020-02-01T25:00:00Z", r#"parsing time "2020-02-01T25:00:00Z": hour out of range"#),
            (
                "2020-02-01T05:00:00",
                r#"parsing time "2020-02-01T05:00:00" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00""#,
            ),
            ("2020-02-01T05:00:00Zx", r#"parsing time "2020-02-01T05:00:00Zx": extra text: "x""#),
            (
                "2020-02-01T05:00:00+ä1:00",
                r#"parsing time "2020-02-01T05:00:00+\xc3\xa41:00" as "2006-01-02T15:04:05Z07:00": cannot parse "+\xc3\xa41:00" as "Z07:00""#,
            ),
        ] {
            assert_eq!(parse(text, Precision::Seconds), Err(error.to_owned()));
        }
        assert_eq!(
            parse("2020-02-01T05:00:00Z", Precision::Micro),
            Err(r#"parsing time "2020-02-01T05:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000""#
                .to_owned())
        );
    }

    #[test]
    fn durations() {
        for (text, printed) in [
            ("1h30m", "1h30m0s"),
            ("90s", "1m30s"),
            ("1.5s", "1.5s"),
            ("250ms", "250ms"),
            ("0", "0s"),
            ("-1m", "-1m0s"),
            ("1us", "1µs"),
            (".5h", "30m0s"),
            ("100h", "100h0m0s"),
        ] {
            assert_eq!(parse_duration(text).map(format_duration).as_deref(), Ok(printed), "{text}");
        }
        assert_eq!(parse_duration("5"), Err(r#"time: missing unit in duration "5""#.to_owned()));
        assert_eq!(parse_duration("5x"), Err(r#"time: unknown unit "x" in duration "5x""#.to_owned()));
        assert_eq!(parse_duration(""), Err(r#"time: invalid duration """#.to_owned()));
        assert!(parse_duration("9999999999h").is_err());
    }
}
