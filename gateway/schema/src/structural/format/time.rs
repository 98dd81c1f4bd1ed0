//! Formats of time: dates, moments, durations.
//! Each accepts what upstream's parser accepts, ambiguities included.

/// `IsDate`: a day of the calendar, `2006-01-02`.
pub(super) fn is_date(value: &str) -> bool {
    let bytes = value.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let number =
        |from: usize, to: usize| value.get(from..to).filter(|p| p.bytes().all(|b| b.is_ascii_digit()))?.parse::<u32>().ok();
    let (Some(year), Some(month), Some(day)) = (number(0, 4), number(5, 7), number(8, 10)) else { return false };
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// `IsDateTime`: a day, `T`, a time with a zone.
pub(super) fn is_date_time(value: &str) -> bool {
    let lower = value.to_lowercase();
    let mut parts = lower.split('t');
    let (Some(date), Some(time)) = (parts.next(), parts.next()) else { return false };
    is_date(date) && is_time(time)
}

/// `19:30:20.000z`, or with an offset. Any character may stand for the point, and offsets are not bounded, as upstream's
/// pattern has it.
fn is_time(time: &str) -> bool {
    let Some((clock, rest)) = time.split_at_checked(8) else { return false };
    let two = |part: &str, max: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()) && part <= max;
    let parts: Vec<&str> = clock.split(':').collect();
    let [hours, minutes, seconds] = parts[..] else { return false };
    two(hours, "23") && two(minutes, "59") && two(seconds, "59") && (is_zone(rest) || is_zone(after_fraction(rest)))
}

fn after_fraction(rest: &str) -> &str {
    let mut chars = rest.chars();
    let digits = match chars.next() {
        Some(point) if point != '\n' => chars.as_str(),
        _ => return "",
    };
    let zone = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    if zone.len() == digits.len() { "" } else { zone }
}

fn is_zone(zone: &str) -> bool {
    let bytes = zone.as_bytes();
    zone == "z"
        || (bytes.len() == 6
            && matches!(bytes[0], b'+' | b'-')
            && bytes[3] == b':'
            && [1, 2, 4, 5].iter().all(|&i| bytes[i].is_ascii_digit()))
}

/// `IsDuration`: what Go's `time.ParseDuration` reads, or any text with a number and a unit in it, as Scala writes them.
pub(super) fn is_duration(value: &str) -> bool {
    is_go_duration(value) || is_scala_duration(value)
}

fn is_go_duration(value: &str) -> bool {
    let mut rest = value.strip_prefix(['+', '-']).unwrap_or(value);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    let mut total = 0f64;
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (digits, after) = rest.split_at(number);
        if digits.matches('.').count() > 1 || !digits.bytes().any(|b| b.is_ascii_digit()) {
            return false;
        }
        let unit = after.len() - after.trim_start_matches(|c: char| !c.is_ascii_digit() && c != '.').len();
        let (unit, after) = after.split_at(unit);
        let nanos = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return false,
        };
        total += digits.parse::<f64>().unwrap_or(0.0) * nanos;
        rest = after;
    }
    // 63 bits of nanoseconds.
    total <= 9_223_372_036_854_775_807.0
}

/// Units by their names; the last of each may be continued (`minutes`).
const UNITS: [&[&str]; 8] = [
    &["ns", "nano"],
    &["us", "µs", "micro"],
    &["ms", "milli"],
    &["s", "sec"],
    &["m", "min"],
    &["h", "hr", "hour"],
    &["d", "day"],
    &["w", "wk", "week"],
];

fn is_scala_duration(value: &str) -> bool {
    let mut known = false;
    let mut rest = value;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let number = &rest[start..];
        let after = number.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = &number[..number.len() - after.len()];
        let spaced = after.trim_start_matches(['\t', '\n', '\x0c', '\r', ' ']);
        let end = spaced.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == 'µ');
        let unit = spaced[..spaced.len() - end.len()].to_lowercase();
        rest = if unit.is_empty() { after } else { end };
        if unit.is_empty() {
            continue;
        }
        if digits.parse::<i64>().is_err() {
            return false;
        }
        known |=
            UNITS.iter().any(|names| names.contains(&unit.as_str()) || names.last().is_some_and(|last| unit.starts_with(last)));
    }
    known
}
