//! Amounts by resource, as quotas reckon with them. Knows no kind.

use std::collections::BTreeMap;

use model::quantity::{Format, Quantity};
use model::{Map, Value};

use crate::hooks::podspec::resources::amount;

/// Amounts by resource.
pub type Amounts = BTreeMap<String, Quantity>;

/// Reads a resource list; null is empty.
pub fn of_list(list: &Value) -> Amounts {
    list.as_object().into_iter().flatten().map(|(name, value)| (name.to_string(), amount(value))).collect()
}

/// Writes a resource list.
pub fn to_list(amounts: &Amounts) -> Value {
    let entries = amounts.iter().map(|(name, value)| (name.clone(), Value::from(value.to_string())));
    Value::Object(Map::from_iter(entries))
}

/// Adds one to the other.
pub fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, value) in more {
        match sum.get_mut(name) {
            Some(known) => known.add(value),
            None => {
                sum.insert(name.clone(), value.clone());
            }
        }
    }
}

/// What one has more than the other, nothing where it has less; every resource of both is named.
pub fn subtracted(from: &Amounts, less: &Amounts) -> Amounts {
    let zero = Quantity::new(0, Format::DecimalSi);
    let rest = from.iter().map(|(name, value)| {
        let mut rest = value.clone();
        if let Some(less) = less.get(name) {
            rest.sub(less);
        }
        (name.clone(), if rest.sign() > 0 { rest } else { zero.clone() })
    });
    let mut rest: Amounts = rest.collect();
    for name in less.keys() {
        rest.entry(name.clone()).or_insert_with(|| zero.clone());
    }
    rest
}

/// Those that the other names too.
pub fn masked(amounts: &Amounts, by: &Amounts) -> Amounts {
    amounts.iter().filter(|(name, _)| by.contains_key(*name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Those that are more or less than nothing.
pub fn without_zeros(amounts: Amounts) -> Amounts {
    amounts.into_iter().filter(|(_, value)| !value.is_zero()).collect()
}
