//! What cells are made of: field access that never fails, and the short forms of times, selectors and lists that
//! `kubectl get` shows. Knows no kind. Follows `pkg/printers/internalversion` and `apimachinery/pkg/util/duration`.

use jiff::Timestamp;
use model::{Value, meta};

pub(super) const NONE: &str = "<none>";
pub(super) const UNSET: &str = "<unset>";
pub(super) const UNKNOWN: &str = "<unknown>";

/// A value down a path of fields; `Null` when any is absent.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    static NULL: Value = Value::Null;
    path.iter().try_fold(value, |value, field| value.get(field)).unwrap_or(&NULL)
}

/// A string down a path, empty when absent.
pub(super) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).as_str().unwrap_or("")
}

/// A string down a path, or what stands for its absence.
pub(super) fn text_or<'a>(value: &'a Value, path: &[&str], absent: &'a str) -> &'a str {
    match text(value, path) {
        "" => absent,
        text => text,
    }
}

/// A number down a path, 0 when absent.
pub(super) fn int(value: &Value, path: &[&str]) -> i64 {
    at(value, path).as_i64().unwrap_or(0)
}

/// A flag down a path, or its default.
pub(super) fn flag(value: &Value, path: &[&str], absent: bool) -> bool {
    at(value, path).as_bool().unwrap_or(absent)
}

/// A list down a path, empty when absent.
pub(super) fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path).as_array().map_or(&[], Vec::as_slice)
}

/// How many entries a map or list down a path has.
pub(super) fn count(value: &Value, path: &[&str]) -> i64 {
    let entries = match at(value, path) {
        Value::Object(map) => map.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    };
    i64::try_from(entries).unwrap_or(i64::MAX)
}

/// A scalar as text: an int-or-string, a quantity.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A quantity down a path; an absent one is Go's zero, `0`.
pub(super) fn quantity(value: &Value, path: &[&str]) -> String {
    scalar(at(value, path)).unwrap_or_else(|| "0".to_owned())
}

/// `metadata.name`.
pub(super) fn name(object: &Value) -> Value {
    meta::name(object).into()
}

/// The time since `metadata.creationTimestamp`.
pub(super) fn age(object: &Value, now: Timestamp) -> Value {
    since(meta::text(object, "creationTimestamp"), now).into()
}

/// The time since a timestamp in text.
pub(crate) fn since(at: &str, now: Timestamp) -> String {
    match parse(at) {
        Some(at) => duration(seconds_between(at, now)),
        None => UNKNOWN.to_owned(),
    }
}

/// A timestamp in text, if it is one.
pub(super) fn parse(at: &str) -> Option<Timestamp> {
    at.parse().ok()
}

/// Whole seconds from one time to another, towards zero.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs()
}

/// Two or three significant figures of a duration.
pub(super) fn duration(seconds: i64) -> String {
    const HOUR: i64 = 60;
    const DAY: i64 = 24;
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let seconds = seconds.max(0);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        () if minutes < 3 * HOUR => format!("{minutes}m"),
        () if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        () if hours < 2 * DAY => format!("{hours}h"),
        () if hours < 8 * DAY => pair(hours / DAY, "d", hours % DAY, "h"),
        () if hours < 2 * 365 * DAY => format!("{}d", hours / DAY),
        () if hours < 8 * 365 * DAY => pair(hours / DAY / 365, "y", hours / DAY % 365, "d"),
        () => format!("{}y", hours / DAY / 365),
    }
}

fn pair(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 { format!("{large}{large_unit}") } else { format!("{large}{large_unit}{small}{small_unit}") }
}

/// A map of labels as `a=b,c=d`.
pub(super) fn labels(map: &Value) -> String {
    let mut pairs: Vec<String> =
        map.as_object().into_iter().flatten().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect();
    pairs.sort_unstable();
    if pairs.is_empty() { NONE.to_owned() } else { pairs.join(",") }
}

/// A label selector in text form, requirements sorted by key; empty when it selects everything.
pub(super) fn selector_text(selector: &Value) -> String {
    let equal = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let mut parts: Vec<(String, String)> =
        equal.map(|(key, value)| (key.to_string(), format!("{key}={}", value.as_str().unwrap_or("")))).collect();
    for requirement in list(selector, &["matchExpressions"]) {
        let key = text(requirement, &["key"]);
        let mut values: Vec<&str> = list(requirement, &["values"]).iter().filter_map(Value::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let part = match text(requirement, &["operator"]) {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        };
        parts.push((key.to_owned(), part));
    }
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    parts.into_iter().map(|(_, part)| part).collect::<Vec<_>>().join(",")
}

/// A label selector, `<none>` when there is none or it is empty; upstream's `FormatLabelSelector`.
pub(super) fn selector(selector: &Value) -> String {
    match selector_text(selector) {
        text if text.is_empty() => NONE.to_owned(),
        text => text,
    }
}

/// Names and images of a pod spec's containers, each on one line.
pub(super) fn containers(pod_spec: &Value) -> [Value; 2] {
    let join = |field: &str| {
        let all: Vec<&str> = list(pod_spec, &["containers"]).iter().map(|c| text(c, &[field])).collect();
        Value::from(all.join(","))
    };
    [join("name"), join("image")]
}

/// The first three of a list, with how many more there are.
pub(super) fn first_three(all: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = all.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(",");
    match all.len() {
        more if more > SHOWN => format!("{shown} + {} more...", more - SHOWN),
        _ if shown.is_empty() => UNSET.to_owned(),
        _ => shown,
    }
}

/// Whether a condition of this type is `True`.
pub(super) fn condition_true(object: &Value, kind: &str) -> bool {
    list(object, &["status", "conditions"])
        .iter()
        .find(|c| text(c, &["type"]) == kind)
        .is_some_and(|c| text(c, &["status"]) == "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::json::json;

    #[test]
    fn durations_read_as_upstream_prints_them() {
        for (seconds, printed) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 60, "3h1m"),
            (9 * 3600, "9h"),
            (48 * 3600, "2d"),
            (49 * 3600, "2d1h"),
            (9 * 86_400, "9d"),
            (3 * 365 * 86_400, "3y"),
            (3 * 365 * 86_400 + 86_400, "3y1d"),
            (9 * 365 * 86_400, "9y"),
        ] {
            assert_eq!(duration(seconds), printed, "{seconds} seconds");
        }
    }

    #[test]
    fn selectors_are_sorted_by_key() {
        let object = json!({"matchLabels": {"b": "1"}, "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["y", "x"]},
            {"key": "a", "operator": "DoesNotExist"}]});
        assert_eq!(selector(&object), "!a,b=1,c in (x,y)");
        assert_eq!(selector(&Value::Null), "<none>");
    }
}
