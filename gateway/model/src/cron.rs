//! Schedules of CronJobs: `*/5 * * * *`, `@daily`, `@every 1h30m`, read as upstream's parser (robfig/cron) reads them, with
//! its messages. Computes no times: a field is the set of the values on which it fires.

/// Set beside the values when a field was a star, which decides how days of month and days of week combine.
pub const STAR: u64 = 1 << 63;

/// When a job is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At the given minutes of the given hours of the given days; each field has bit `n` for value `n`, and maybe [`STAR`].
    Fields {
        /// 0 to 59.
        minute: u64,
        /// 0 to 23.
        hour: u64,
        /// Day of the month, 1 to 31.
        day: u64,
        /// 1 to 12.
        month: u64,
        /// 0 to 6, Sunday first.
        weekday: u64,
    },
    /// Again and again after so many nanoseconds.
    Every(i64),
}

struct Bounds {
    min: u32,
    max: u32,
    /// Names of the values from `min` on.
    names: &'static [&'static str],
}

const MINUTES: Bounds = Bounds { min: 0, max: 59, names: &[] };
const HOURS: Bounds = Bounds { min: 0, max: 23, names: &[] };
const DAYS: Bounds = Bounds { min: 1, max: 31, names: &[] };
const MONTHS: Bounds =
    Bounds { min: 1, max: 12, names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] };
const WEEKDAYS: Bounds = Bounds { min: 0, max: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// Reads a schedule. A leading `TZ=` or `CRON_TZ=` is skipped after `is_zone` has judged its name. Fails with upstream's words.
pub fn parse(text: &str, is_zone: impl Fn(&str) -> bool) -> Result<Schedule, String> {
    if text.is_empty() {
        return Err("empty spec string".to_owned());
    }
    let text = skip_zone(text, is_zone)?;
    if text.starts_with('@') {
        return descriptor(text);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    let &[minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    };
    Ok(Schedule::Fields {
        minute: field(minute, &MINUTES)?,
        hour: field(hour, &HOURS)?,
        day: field(day, &DAYS)?,
        month: field(month, &MONTHS)?,
        weekday: field(weekday, &WEEKDAYS)?,
    })
}

fn skip_zone(text: &str, is_zone: impl Fn(&str) -> bool) -> Result<&str, String> {
    let Some(rest) = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ=")) else { return Ok(text) };
    // Upstream's parser panics here and is caught.
    let Some((zone, rest)) = rest.split_once(' ') else {
        return Err("invalid schedule format: runtime error: slice bounds out of range [:-1]".to_owned());
    };
    if !is_zone(zone) {
        return Err(format!("provided bad location {zone}: unknown time zone {zone}"));
    }
    Ok(rest.trim())
}

fn descriptor(text: &str) -> Result<Schedule, String> {
    let (minute, hour) = (1, 1);
    let (day, month, weekday) = (all(&DAYS), all(&MONTHS), all(&WEEKDAYS));
    Ok(match text {
        "@yearly" | "@annually" => Schedule::Fields { minute, hour, day: 1 << 1, month: 1 << 1, weekday },
        "@monthly" => Schedule::Fields { minute, hour, day: 1 << 1, month, weekday },
        "@weekly" => Schedule::Fields { minute, hour, day, month, weekday: 1 },
        "@daily" | "@midnight" => Schedule::Fields { minute, hour, day, month, weekday },
        "@hourly" => Schedule::Fields { minute, hour: all(&HOURS), day, month, weekday },
        _ => match text.strip_prefix("@every ") {
            Some(duration) => {
                let nanos =
                    crate::time::parse_duration(duration).map_err(|why| format!("failed to parse duration {text}: {why}"))?;
                Schedule::Every(nanos)
            }
            None => return Err(format!("unrecognized descriptor: {text}")),
        },
    })
}

fn all(bounds: &Bounds) -> u64 {
    bits(bounds.min, bounds.max, 1) | STAR
}

fn bits(start: u32, end: u32, step: u32) -> u64 {
    (start..=end).step_by(step as usize).fold(0, |bits, value| bits | 1 << value)
}

fn field(text: &str, bounds: &Bounds) -> Result<u64, String> {
    text.split(',').filter(|range| !range.is_empty()).try_fold(0, |bits, text| Ok(bits | range(text, bounds)?))
}

fn range(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let mut star = 0;
    let (start, mut end) = if ends[0] == "*" || ends[0] == "?" {
        star = STAR;
        (bounds.min, bounds.max)
    } else {
        let start = number_or_name(ends[0], bounds)?;
        match ends.as_slice() {
            [_] => (start, start),
            [_, end] => (start, number_or_name(end, bounds)?),
            _ => return Err(format!("too many hyphens: {text}")),
        }
    };
    let step = match parts.as_slice() {
        [_] => 1,
        [_, step] => {
            let step = number(step)?;
            // `5/15` means `5-max/15`.
            if ends.len() == 1 {
                end = bounds.max;
            }
            if step > 1 {
                star = 0;
            }
            step
        }
        _ => return Err(format!("too many slashes: {text}")),
    };
    if start < bounds.min {
        return Err(format!("beginning of range ({start}) below minimum ({}): {text}", bounds.min));
    }
    if end > bounds.max {
        return Err(format!("end of range ({end}) above maximum ({}): {text}", bounds.max));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    Ok(bits(start, end, step) | star)
}

fn number_or_name(text: &str, bounds: &Bounds) -> Result<u32, String> {
    match bounds.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        // There are at most twelve names.
        Some(i) => Ok(bounds.min + u32::try_from(i).unwrap_or(0)),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {}: invalid syntax",
            crate::field::quote(text)
        ));
    }
    match text.parse::<i64>() {
        Err(_) => Err(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {}: value out of range",
            crate::field::quote(text)
        )),
        Ok(number) if number < 0 => Err(format!("negative number ({number}) not allowed: {text}")),
        // What does not fit is above every bound.
        Ok(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> String {
        parse(text, |zone| zone == "UTC").expect_err("refused")
    }

    #[test]
    fn schedules() {
        let schedule = parse("*/15 0-6/3 1,15 jan-MAR sun", |_| true).expect("a schedule");
        let expected = Schedule::Fields {
            minute: 1 | 1 << 15 | 1 << 30 | 1 << 45,
            hour: 1 | 1 << 3 | 1 << 6,
            day: 1 << 1 | 1 << 15,
            month: 1 << 1 | 1 << 2 | 1 << 3,
            weekday: 1,
        };
        assert_eq!(schedule, expected);
        assert_eq!(parse("@every 1h", |_| true), Ok(Schedule::Every(3_600_000_000_000)));
        assert_eq!(parse("@daily", |_| true), parse("0 0 * * *", |_| true));
        assert_eq!(parse("TZ=UTC 0 0 * * *", |zone| zone == "UTC"), parse("0 0 * * *", |_| true));
    }

    #[test]
    fn what_is_wrong_is_said_as_upstream_says_it() {
        assert_eq!(fails("* * * *"), "expected exactly 5 fields, found 4: [* * * *]");
        assert_eq!(fails("60 * * * *"), "end of range (60) above maximum (59): 60");
        assert_eq!(fails("* * 0 * *"), "beginning of range (0) below minimum (1): 0");
        assert_eq!(fails("5-3 * * * *"), "beginning of range (5) beyond end of range (3): 5-3");
        assert_eq!(fails("*/0 * * * *"), "step of range should be a positive number: */0");
        assert_eq!(fails("a * * * *"), "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax");
        assert_eq!(fails("1-2-3 * * * *"), "too many hyphens: 1-2-3");
        assert_eq!(fails("1/2/3 * * * *"), "too many slashes: 1/2/3");
        assert_eq!(fails("@often"), "unrecognized descriptor: @often");
        assert_eq!(fails("TZ=Mars 0 0 * * *"), "provided bad location Mars: unknown time zone Mars");
    }
}
