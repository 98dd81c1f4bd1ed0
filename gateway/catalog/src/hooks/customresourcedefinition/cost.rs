//! What the rules of a definition may cost, each and together. Upstream: `apis/apiextensions/validation/cel_validation.go`.
//! Estimates nothing itself (`cel` does).

use model::Value;
use model::field::{Errors, Path};

use crate::hooks::rules::get;

/// Most that one expression may cost.
pub(super) const EXPRESSION_COST_MAX: u64 = 10_000_000;
/// Most that all rules of a schema may cost together.
const SCHEMA_COST_MAX: u64 = 100_000_000;
/// How many of the most expensive rules are told.
const TOLD_MAX: usize = 4;

/// How often a schema's values can be there at most; nothing where there is no limit.
pub(super) type Cardinality = Option<u64>;

/// How often the values within a schema can be there.
pub(super) fn within(schema: &Value, own: Cardinality) -> Cardinality {
    let bound = |field| get::int(schema, field).map(|max| max.max(0).unsigned_abs());
    let factor = match get::text(schema, "type") {
        "object" if schema.get("additionalProperties").is_some() => bound("maxProperties")?,
        "array" => bound("maxItems")?,
        _ => 1,
    };
    Some(own?.saturating_mul(factor))
}

/// What an expression costs that runs so often; without a limit as often as its values fit into a request.
pub(super) fn total(cost: u64, cardinality: Cardinality, bytes_min: u64) -> u64 {
    cost.saturating_mul(cardinality.unwrap_or(cel::REQUEST_BYTES_MAX / (bytes_min + 1)))
}

/// The costs of all rules seen so far.
#[derive(Default)]
pub(super) struct Costs {
    total: u64,
    /// Paths and costs, the most expensive first.
    expensive: Vec<(String, u64)>,
}

impl Costs {
    pub(super) fn add(&mut self, path: &Path<'_>, cost: u64) {
        self.total = self.total.saturating_add(cost);
        if cost < SCHEMA_COST_MAX / 100 {
            return;
        }
        self.expensive.push((path.to_string(), cost));
        self.expensive.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
        self.expensive.truncate(TOLD_MAX);
    }

    pub(super) fn judge(&self, path: &Path<'_>, errors: &mut Errors) {
        if self.total <= SCHEMA_COST_MAX {
            return;
        }
        for (path, _) in &self.expensive {
            let detail = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
            errors.forbidden(&Path::new(path), detail);
        }
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        errors.forbidden(path, exceeds(what, self.total, SCHEMA_COST_MAX));
    }
}

/// By how much a cost exceeds its limit, and what helps.
pub(super) fn exceeds(what: &str, cost: u64, limit: u64) -> String {
    let factor = cost as f64 / limit as f64;
    let factor = if factor > 100.0 {
        "more than 100x".to_owned()
    } else if factor < 1.5 {
        format!("{factor:.6}x")
    } else {
        format!("{factor:.1}x")
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_told_by_their_excess() {
        for (cost, words) in [(1_000, "more than 100x"), (14, "1.400000x"), (25, "2.5x")] {
            assert!(exceeds("x", cost, if cost == 1_000 { 9 } else { 10 }).contains(words), "{cost}");
        }
    }
}
