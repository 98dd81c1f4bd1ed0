//! Moments and spans of time: reading, printing, arithmetic, and the parts of a moment in a time zone.

use jiff::tz::TimeZone;
use model::time::Precision;

use super::{Code, fail, some};
use crate::program::Error;
use crate::value::{Outcome, Timestamp, Value};

/// The first and the last second that a moment can be in: the years 1 to 9999.
const SECONDS_MIN: i64 = -62_135_596_800;
const SECONDS_MAX: i64 = 253_402_300_799;
const SECOND_NANOS: i128 = 1_000_000_000;

pub(crate) fn duration_overflow() -> Error {
    Error::Failed("duration overflow".into())
}

pub(crate) fn timestamp_overflow() -> Error {
    Error::Failed("timestamp overflow".into())
}

/// The moment, unless its year is out of range.
pub(crate) fn in_range(moment: Timestamp) -> Option<Timestamp> {
    (SECONDS_MIN..=SECONDS_MAX).contains(&moment.seconds).then_some(moment)
}

fn nanos_of(moment: Timestamp) -> i128 {
    i128::from(moment.seconds) * SECOND_NANOS + i128::from(moment.nanos)
}

/// A moment later by nanoseconds.
pub(crate) fn shift(moment: Timestamp, nanos: i128) -> Option<Timestamp> {
    let total = nanos_of(moment) + nanos;
    let (seconds, nanos) = (total.div_euclid(SECOND_NANOS) as i64, total.rem_euclid(SECOND_NANOS) as u32);
    in_range(Timestamp { seconds, nanos, ..moment })
}

/// The nanoseconds from one moment to the other.
pub(crate) fn between(later: Timestamp, earlier: Timestamp) -> Option<i64> {
    i64::try_from(nanos_of(later) - nanos_of(earlier)).ok()
}

/// Go's `ParseDuration`.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    model::time::parse_duration(text)
}

/// RFC 3339 with any number of fractional digits.
pub(crate) fn parse_timestamp(text: &str) -> Result<Timestamp, String> {
    let (seconds, nanos) = model::time::to_unix(text, Precision::Seconds)?;
    Ok(Timestamp { seconds, nanos: nanos as u32, offset_s: offset_s(text) })
}

/// The zone at the end of a text that was read already.
fn offset_s(text: &str) -> i32 {
    let Some(zone) = text.len().checked_sub(6).and_then(|at| text.get(at..)) else { return 0 };
    let part = |range: std::ops::Range<usize>| zone.get(range).and_then(|digits| digits.parse::<i32>().ok()).unwrap_or(0);
    let seconds = part(1..3) * 3600 + part(4..6) * 60;
    match zone.as_bytes()[0] {
        b'+' => seconds,
        b'-' => -seconds,
        _ => 0,
    }
}

/// The `date-time` format: RFC 3339, or without a zone; nothing is the epoch.
pub(crate) fn parse_date_time(text: &str) -> Result<Timestamp, String> {
    if text.is_empty() {
        return Ok(Timestamp { seconds: 0, nanos: 0, offset_s: 0 });
    }
    parse_timestamp(text).or_else(|_| parse_timestamp(&format!("{text}Z"))).map_err(|_| {
        let quoted = super::quote(text);
        match parse_timestamp(&format!("{text}T00:00:00Z")) {
            Ok(_) => format!("parsing time {quoted} as \"2006-01-02T15:04:05\": cannot parse \"\" as \"T\""),
            Err(_) => format!("parsing time {quoted} as \"2006-01-02T15:04:05\": cannot parse {quoted} as \"2006\""),
        }
    })
}

/// The `date` format.
pub(crate) fn parse_date(text: &str) -> Result<Timestamp, String> {
    let whole = text.len() == 10;
    parse_timestamp(&format!("{text}T00:00:00Z")).ok().filter(|_| whole).ok_or_else(|| {
        let quoted = super::quote(text);
        format!("parsing time {quoted} as \"2006-01-02\": cannot parse {quoted} as \"2006\"")
    })
}

/// Units of the `duration` format beyond Go's: the names of each, the last also as the beginning of a word.
const UNITS: [(&[&str], i64); 8] = [
    (&["ns", "nano"], 1),
    (&["us", "µs", "micro"], 1_000),
    (&["ms", "milli"], 1_000_000),
    (&["s", "sec"], 1_000_000_000),
    (&["m", "min"], 60_000_000_000),
    (&["h", "hr", "hour"], 3_600_000_000_000),
    (&["d", "day"], 86_400_000_000_000),
    (&["w", "wk", "week"], 604_800_000_000_000),
];

/// The `duration` format: Go's, or `1 day`.
pub(crate) fn parse_loose_duration(text: &str) -> Result<i64, String> {
    if let Ok(nanos) = parse_duration(text) {
        return Ok(nanos);
    }
    let (mut total, mut found) = (0i64, false);
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let number = &rest[start..];
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        let after = number[digits..].trim_start();
        let letters: usize = after.chars().take_while(|c| c.is_ascii_alphabetic() || *c == 'µ').map(char::len_utf8).sum();
        let unit = after[..letters].to_lowercase();
        rest = &after[letters..];
        let Ok(factor) = number[..digits].parse::<i64>() else { continue };
        for (names, nanos) in UNITS {
            let last = names.last().copied().unwrap_or_default();
            if letters > 0 && (names.contains(&&*unit) || unit.starts_with(last)) {
                found = true;
                total = total.wrapping_add(factor.wrapping_mul(nanos));
            }
        }
    }
    if found { Ok(total) } else { Err(format!("unable to parse {text} as duration")) }
}

/// RFC 3339 with as many fractional digits as needed.
pub(crate) fn format_timestamp(moment: Timestamp) -> String {
    let Ok(at) = jiff::Timestamp::new(moment.seconds, moment.nanos as i32) else {
        return "9999-12-31T23:59:59Z".into();
    };
    match jiff::tz::Offset::from_seconds(moment.offset_s) {
        Ok(offset) if moment.offset_s != 0 => at.display_with_offset(offset).to_string(),
        _ => at.to_string(),
    }
}

/// A span as seconds: `1.5s`.
pub(crate) fn format_seconds(nanos: i64) -> String {
    format!("{}s", nanos as f64 / 1e9)
}

pub(super) fn code(function: &str) -> Option<Code> {
    Some(match function {
        "getFullYear" => |args| part(args, |at| at.year().into()),
        "getMonth" => |args| part(args, |at| i64::from(at.month()) - 1),
        "getDayOfYear" => |args| part(args, |at| i64::from(at.day_of_year()) - 1),
        "getDayOfMonth" => |args| part(args, |at| i64::from(at.day()) - 1),
        "getDate" => |args| part(args, |at| at.day().into()),
        "getDayOfWeek" => |args| part(args, |at| at.weekday().to_sunday_zero_offset().into()),
        "getHours" => |args| clock(args, 3_600_000_000_000, |at| at.hour().into()),
        "getMinutes" => |args| clock(args, 60_000_000_000, |at| at.minute().into()),
        "getSeconds" => |args| clock(args, 1_000_000_000, |at| at.second().into()),
        "getMilliseconds" => |args| clock(args, 1_000_000, |at| at.millisecond().into()),
        _ => return None,
    })
}

/// A part of a moment, or how many units a span has.
fn clock<'a>(args: &[Value<'a>], unit_nanos: i64, of: fn(jiff::civil::DateTime) -> i64) -> Option<Outcome<'a>> {
    match args {
        [Value::Duration(nanos)] => some(Value::Int(nanos / unit_nanos)),
        _ => part(args, of),
    }
}

fn part<'a>(args: &[Value<'a>], of: fn(jiff::civil::DateTime) -> i64) -> Option<Outcome<'a>> {
    let (moment, zone) = match args {
        [Value::Timestamp(moment)] => (*moment, "UTC"),
        [Value::Timestamp(moment), Value::String(zone)] => (*moment, &**zone),
        _ => return None,
    };
    match local(moment, zone) {
        Ok(at) => some(Value::Int(of(at))),
        Err(message) => fail(message),
    }
}

/// Date and clock of a moment in a zone: a name, or an offset such as `+02:00`.
fn local(moment: Timestamp, zone: &str) -> Result<jiff::civil::DateTime, String> {
    let unreadable = |_| "timestamp overflow".to_owned();
    if let Some((hours, minutes)) = zone.split_once(':') {
        let number =
            |text: &str| text.parse::<i64>().map_err(|_| format!("strconv.Atoi: parsing {}: invalid syntax", super::quote(text)));
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let minutes = if zone.starts_with('-') { hours * 60 - minutes } else { hours * 60 + minutes };
        let shifted = shift(moment, i128::from(minutes) * 60 * SECOND_NANOS).unwrap_or(moment);
        let at = jiff::Timestamp::new(shifted.seconds, shifted.nanos as i32).map_err(unreadable)?;
        return Ok(TimeZone::UTC.to_datetime(at));
    }
    let at = jiff::Timestamp::new(moment.seconds, moment.nanos as i32).map_err(unreadable)?;
    let zone = match zone {
        "" | "UTC" => TimeZone::UTC,
        name => TimeZone::get(name).map_err(|_| format!("unknown time zone {name}"))?,
    };
    Ok(zone.to_datetime(at))
}
