//! ServiceCIDR: ranges that Services get their addresses from. Upstream: `pkg/apis/networking/validation`.

use model::Value;
use model::field::{Errors, Path};
use model::json::json;

use super::Hooks;
use super::rules::{cidr, get, number};

pub(super) const HOOKS: Hooks = Hooks { validate: Some(validate), validate_update: Some(validate_update), ..Hooks::NONE };

fn ranges(object: &Value) -> Vec<&str> {
    get::strings(get::at(object, "spec"), "cidrs").collect()
}

fn validate(object: &Value, errors: &mut Errors) {
    let (path, ranges) = (Path::new("spec.cidrs"), ranges(object));
    if ranges.is_empty() {
        return errors.required(&path, "at least one CIDR required");
    }
    if ranges.len() > 2 {
        // Upstream shows the whole spec here, as its internal struct prints.
        return errors.invalid(&path, json!({"CIDRs": ranges}), "may only hold up to 2 values");
    }
    for (i, range) in ranges.iter().enumerate() {
        cidr::strict(range, &path.index(i), errors);
    }
    let is_v6 = |range: &str| cidr::Cidr::parse(range).map(|_| range.contains(':'));
    if let [first, second] = ranges[..]
        && is_v6(first).is_some()
        && is_v6(first) == is_v6(second)
    {
        let message = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
        errors.invalid(&path, json!(ranges), message);
    }
}

/// A range stays; a second one, of the other family, may come.
fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let (path, before, after) = (Path::new("spec.cidrs"), ranges(old), ranges(new));
    match (before.len(), after.len()) {
        (old, new) if old == new => {
            for (i, (_, range)) in before.iter().zip(&after).enumerate().filter(|(_, (old, new))| old != new) {
                errors.invalid(&path.index(i), *range, number::IMMUTABLE);
            }
        }
        (1, 2) => {
            if before[0] != after[0] {
                errors.invalid(&path.index(0), after[0], number::IMMUTABLE);
            }
            validate(new, errors);
        }
        _ => errors.invalid(&path, json!(after), number::IMMUTABLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(new: Value, old: Option<Value>) -> Vec<String> {
        let object = |cidrs: Value| json!({"spec": {"cidrs": cidrs}});
        let mut errors = Errors::new();
        match old {
            None => validate(&object(new), &mut errors),
            Some(old) => validate_update(&object(new), &object(old), &mut errors),
        }
        errors.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_range_of_each_family() {
        assert_eq!(found(json!(["10.0.0.0/24", "fd00::/112"]), None), [""; 0]);
        assert_eq!(found(json!([]), None), ["spec.cidrs: Required value: at least one CIDR required"]);
        assert_eq!(
            found(json!(["10.0.0.0/24", "10.1.0.0/24"]), None),
            [
                "spec.cidrs: Invalid value: [\"10.0.0.0/24\",\"10.1.0.0/24\"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
            ]
        );
        assert!(!found(json!(["nonsense"]), None).is_empty());
    }

    #[test]
    fn ranges_stay_and_may_be_joined_by_one() {
        assert_eq!(found(json!(["10.0.0.0/24", "fd00::/112"]), Some(json!(["10.0.0.0/24"]))), [""; 0]);
        assert_eq!(
            found(json!(["10.1.0.0/24"]), Some(json!(["10.0.0.0/24"]))),
            ["spec.cidrs[0]: Invalid value: \"10.1.0.0/24\": field is immutable"]
        );
    }
}
