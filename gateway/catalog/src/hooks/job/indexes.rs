//! Sets of indexes as a Job's status and policies write them: `0-2,5`. Follows `validateIndexesFormat`.

/// Reads one interval; both ends count. Fails with upstream's words.
fn interval(text: &str, completions: i64) -> Result<(i64, i64), String> {
    let parts: Vec<&str> = text.split('-').collect();
    let &[first, .., last] = parts.as_slice() else { return number(text, completions).map(|index| (index, index)) };
    if parts.len() > 2 {
        return Err(format!(
            "the fragment {} violates the requirement that an index interval can have at most two parts separated by '-'",
            model::field::quote(text)
        ));
    }
    let (first, last) = (number(first, completions)?, number(last, completions)?);
    if first >= last {
        return Err(format!("non-increasing order, previous: {first}, current: {last}"));
    }
    Ok((first, last))
}

fn number(text: &str, completions: i64) -> Result<i64, String> {
    let quoted = model::field::quote(text);
    let index: i64 = text.parse().map_err(|_| format!("cannot convert string to integer for index: {quoted}"))?;
    if index >= completions { Err(format!("too large index: {quoted}")) } else { Ok(index) }
}

/// How many indexes a set has.
pub(super) fn count(text: &str, completions: i64) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let (mut total, mut previous) = (0, None);
    for part in text.split(',') {
        let (first, last) = interval(part, completions)?;
        if let Some(previous) = previous.filter(|previous| *previous >= first) {
            return Err(format!("non-increasing order, previous: {previous}, current: {first}"));
        }
        total += last - first + 1;
        previous = Some(last);
    }
    Ok(total)
}

/// The first index that two sets share. What cannot be read is left out: it is reported on its own.
pub(super) fn overlap(completed: &str, failed: &str, completions: i64) -> Option<i64> {
    let read = |text: &str| -> Vec<(i64, i64)> { text.split(',').filter_map(|part| interval(part, completions).ok()).collect() };
    let (completed, failed) = (read(completed), read(failed));
    let (mut c, mut f) = (0, 0);
    while let (Some(&(cx, cy)), Some(&(fx, fy))) = (completed.get(c), failed.get(f)) {
        if cx <= fy && fx <= cy {
            return Some(cx.max(fx));
        }
        if cx <= fx { c += 1 } else { f += 1 }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_indexes() {
        assert_eq!(count("", 5), Ok(0));
        assert_eq!(count("0-2,4", 5), Ok(4));
        assert_eq!(count("0-5", 5), Err("too large index: \"5\"".to_owned()));
        assert_eq!(count("2-1", 5), Err("non-increasing order, previous: 2, current: 1".to_owned()));
        assert_eq!(count("1,1", 5), Err("non-increasing order, previous: 1, current: 1".to_owned()));
        assert_eq!(count("a", 5), Err("cannot convert string to integer for index: \"a\"".to_owned()));
        assert_eq!(count("1-2-3", 5), Err("the fragment \"1-2-3\" violates the requirement that an index interval can have at most two parts separated by '-'".to_owned()));
        assert_eq!(overlap("0-2,4", "3", 5), None);
        assert_eq!(overlap("0-2", "2-3", 5), Some(2));
    }
}
