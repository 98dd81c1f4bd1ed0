//! How a device's capacity may be asked for in parts. Follows `validateRequestPolicy` with `DRAFractionalCapacityRange` off.

use model::Value;
use model::field::{Errors, Path};
use model::quantity::{Format, Quantity};

use super::super::device;
use super::super::rules::resource::amount;
use super::super::rules::{get, number};

const OPTIONS_MAX: usize = 10;

/// `validateRequestPolicy` of a capacity.
pub(super) fn policy(capacity: &Value, policy: &Value, path: &Path, errors: &mut Errors) {
    let total = amount(get::at(capacity, "value"));
    let values = !get::list(policy, "validValues").is_empty();
    let range = get::object(policy, "validRange");
    let default = get::string(policy, "default").map(|_| amount(get::at(policy, "default")));
    let path_default = path.child("default");
    match (values, range, default) {
        (true, Some(_), _) => {
            let why = r#"exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time"#;
            errors.forbidden(path, why);
        }
        (true, None, None) => errors.required(&path_default, "required when validValues is defined"),
        (true, None, Some(default)) => valid_values(policy, &total, &default, path, errors),
        (false, Some(_), None) => errors.required(&path_default, "required when validRange is defined"),
        (false, Some(range), Some(default)) => {
            valid_range(range, &total, &default, &path.child("validRange"), errors);
        }
        (false, None, _) => {}
    }
}

fn valid_values(policy: &Value, total: &Quantity, default: &Quantity, path: &Path, errors: &mut Errors) {
    let values: Vec<Quantity> = get::list(policy, "validValues").iter().map(amount).collect();
    let at = path.child("validValues");
    for (i, pair) in values.windows(2).enumerate() {
        if pair[0] > pair[1] {
            errors.invalid(&at.index(i + 1), pair[1].to_string(), "values must be sorted in ascending order");
        }
    }
    let mut found = false;
    let whole = |value: &Value| amount(value).value().to_string().into();
    device::set(policy, "validValues", OPTIONS_MAX, whole, path, errors, |value, path, errors| {
        let option = amount(value);
        if option > *total {
            errors.invalid(path, option.to_string(), format!("option is larger than capacity value: {total}"));
        }
        found |= option == *default;
    });
    if !found {
        errors.invalid(&at, default.to_string(), "default value is not valid according to the requestPolicy");
    }
}

fn valid_range(range: &Value, total: &Quantity, default: &Quantity, path: &Path, errors: &mut Errors) {
    let given = |field: &str| get::string(range, field).map(|_| amount(get::at(range, field)));
    let (min, max, step) = (given("min"), given("max"), given("step"));
    let Some(min) = min else { return errors.required(&path.child("min"), "required when validRange is defined") };
    if min > *total {
        errors.invalid(&path.child("min"), min.to_string(), format!("min is larger than capacity value: {total}"));
    }
    if *default < min {
        errors.invalid(&path.child("default"), default.to_string(), format!("default is less than min: {min}"));
    }
    if let Some(max) = &max {
        if min > *max {
            errors.invalid(&path.child("max"), min.to_string(), format!("min is larger than max: {max}"));
        }
        if max > total {
            errors.invalid(&path.child("max"), max.to_string(), format!("max is larger than capacity value: {total}"));
        }
        if default > max {
            errors.invalid(&path.child("default"), default.to_string(), format!("default is more than max: {max}"));
        }
    }
    let Some(step) = step else { return };
    let at = path.child("step");
    if step.sign() <= 0 {
        return errors.invalid(&at, step.to_string(), number::NOT_POSITIVE);
    }
    let mut one = min.clone();
    one.add(&step);
    if one > *total {
        errors.invalid(&at, step.to_string(), format!("one step {one} is larger than capacity value: {total}"));
    }
    let bounds = [("default", Some(default)), ("min", Some(&min)), ("max", max.as_ref()), ("step", Some(&step))];
    let mut fitting = true;
    for (field, bound) in bounds.into_iter().filter_map(|(field, bound)| Some((field, bound?))) {
        fitting &= fits(bound, &path.child(field), errors);
    }
    if fitting {
        is_step(default, &min, &step, &at, errors);
        max.iter().for_each(|max| is_step(max, &min, &step, &at, errors));
    }
}

/// Whether an amount is a whole number that steps can be counted in.
fn fits(amount: &Quantity, path: &Path, errors: &mut Errors) -> bool {
    if amount.sign() < 0 {
        errors.invalid(path, amount.to_string(), number::NEGATIVE);
        return false;
    }
    if *amount > Quantity::new(i64::MAX, Format::DecimalSi) {
        errors.invalid(path, amount.to_string(), format!("must not be larger than {}", i64::MAX));
        return false;
    }
    true
}

fn is_step(value: &Quantity, min: &Quantity, step: &Quantity, path: &Path, errors: &mut Errors) {
    if (i128::from(value.value()) - i128::from(min.value())) % i128::from(step.value().max(1)) != 0 {
        let why = format!("value is not a multiple of a given step ({step}) from ({min})");
        errors.invalid(path, value.to_string(), why);
    }
}
