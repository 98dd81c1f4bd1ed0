//! What a request for a container's log may ask. Follows `ValidatePodLogOptions` and the conversions of `url.Values`.
//! Reads no log.

use model::field::{Errors, Path};
use model::time::{self, Precision};
use model::{GroupKind, Query, Status};

const NOT_POSITIVE: &str = "must be greater than 0";

/// Judges the options. Fails with upstream's 400 for what cannot be read, 422 for what makes no sense.
pub(super) fn validate(pod: &str, query: &Query) -> Result<(), Status> {
    let number = |name: &str| query.number(name).map_err(Status::bad_request);
    let (tail, bytes, seconds) = (number("tailLines")?, number("limitBytes")?, number("sinceSeconds")?);
    let time = query.text("sinceTime");
    if !time.is_empty() {
        time::parse(time, Precision::Seconds).map_err(Status::bad_request)?;
    }
    let mut errors = Errors::new();
    if let Some(tail) = tail.filter(|tail| *tail < 0) {
        errors.invalid(&Path::new("tailLines"), tail, "must be greater than or equal to 0");
    }
    if let Some(bytes) = bytes.filter(|bytes| *bytes < 1) {
        errors.invalid(&Path::new("limitBytes"), bytes, NOT_POSITIVE);
    }
    match seconds {
        Some(_) if !time.is_empty() => {
            errors.forbidden(&Path::new(""), "at most one of `sinceTime` or `sinceSeconds` may be specified");
        }
        Some(seconds) if seconds < 1 => errors.invalid(&Path::new("sinceSeconds"), seconds, NOT_POSITIVE),
        _ => {}
    }
    if query.get("stream").is_some() {
        errors.forbidden(&Path::new("stream"), "may not be specified");
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(&GroupKind { group: "".into(), kind: "PodLogOptions".into() }, pod, &errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_judged() {
        let told = |query: &str| validate("p", &Query::parse(query)).map_or_else(|status| status.message, |()| String::new());
        assert_eq!(told("container=a&tailLines=0&limitBytes=1&sinceTime=2020-01-01T00:00:00Z"), "");
        assert_eq!(told("tailLines=x"), "strconv.ParseInt: parsing \"x\": invalid syntax");
        assert_eq!(
            told("sinceSeconds=5&sinceTime=2020-01-01T00:00:00Z"),
            "PodLogOptions \"p\" is invalid: []: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        );
        assert_eq!(told("limitBytes=0"), "PodLogOptions \"p\" is invalid: limitBytes: Invalid value: 0: must be greater than 0");
    }
}
