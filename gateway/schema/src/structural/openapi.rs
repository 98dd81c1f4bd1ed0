//! Judges a value by a schema's value validations. Follows the validator of `kube-openapi/pkg/validation/validate` with
//! what `apiserver/validation` asks of it: order, words and the choice among alternatives are what clients see. Ratchets:
//! what an update leaves as it was is not complained about. Knows no lists' types and no rules (`list_type`, `rules`).

mod number;
mod outcome;

use model::json::{Map, Value};
use model::repeats;

use super::correlate::Correlated;
use super::values::{Combined, Text, Values};
use super::{Additional, Structural, Type};
pub(super) use outcome::Outcome;
use outcome::{At, Said};

/// Judges a whole value; with `correlated` errors of unchanged parts are left out.
pub(super) fn run(schema: &Structural, value: &Value, correlated: Option<&Correlated<'_>>) -> Outcome {
    let mut outcome = Outcome::default();
    ratcheted(schema, value, correlated, &At::Root, &mut outcome);
    outcome
}

/// Judges a default. Upstream's schema for that says nothing about the type of a number or text.
pub(super) fn run_default(schema: &Structural, default: &Value) -> Outcome {
    let mut outcome = Outcome::of_default();
    judge(schema, default, None, &At::Root, &mut outcome);
    outcome
}

/// Judges a value and forgets what is wrong with it when it was so before.
fn ratcheted(schema: &Structural, value: &Value, correlated: Option<&Correlated<'_>>, at: &At<'_>, outcome: &mut Outcome) {
    let before = outcome.len();
    judge(schema, value, correlated, at, outcome);
    if outcome.len() > before && correlated.is_some_and(Correlated::unchanged) {
        outcome.truncate(before);
    }
}

fn judge(schema: &Structural, value: &Value, correlated: Option<&Correlated<'_>>, at: &At<'_>, outcome: &mut Outcome) {
    let format = schema.values.as_ref().and_then(|v| v.format.as_ref()).map(|f| f.name.as_ref());
    let untyped = schema.int_or_string && outcome.of_default;
    if value.is_null() {
        if !untyped {
            judge_type(schema, format, value, at, outcome);
        }
        if let Some(values) = &schema.values {
            enumerated(values, value, at, outcome);
        }
        return;
    }
    outcome.count(1);
    if !untyped && (schema.kind.is_some() || schema.int_or_string || format.is_some()) {
        judge_type(schema, format, value, at, outcome);
        outcome.count(1);
    }
    if let Some(combined) = schema.values.as_ref().and_then(|values| values.combined.as_deref()) {
        judge_combined(combined, value, at, outcome);
    }
    outcome.count(2);
    match value {
        Value::String(text) => judge_text(schema, text, at, outcome),
        Value::Number(number) => {
            number::judge(schema, number, at, outcome);
            outcome.count(2);
        }
        Value::Array(items) => judge_items(schema, items, correlated, at, outcome),
        _ => {}
    }
    if let Some(values) = &schema.values {
        enumerated(values, value, at, outcome);
    }
    outcome.count(1);
    if let Value::Object(fields) = value {
        judge_fields(schema, fields, correlated, at, outcome);
        outcome.count(1);
    }
}

/// The types a schema names, as messages list them.
fn names(schema: &Structural) -> &'static str {
    match (schema.int_or_string, schema.kind) {
        (true, _) => "integer,string",
        (false, Some(kind)) => kind.name(),
        (false, None) => "",
    }
}

fn allows(schema: &Structural, kind: Type) -> bool {
    if schema.int_or_string { matches!(kind, Type::Integer | Type::String) } else { schema.kind == Some(kind) }
}

/// The type of a value, and the format that upstream takes it for.
fn type_of(value: &Value) -> (Type, &'static str) {
    match value {
        Value::Bool(_) => (Type::Boolean, ""),
        Value::Number(number) if number.is_i64() => (Type::Integer, "int64"),
        Value::Number(_) => (Type::Number, "float64"),
        Value::Array(_) => (Type::Array, ""),
        Value::Object(_) => (Type::Object, ""),
        Value::String(_) | Value::Null => (Type::String, ""),
    }
}

fn judge_type(schema: &Structural, format: Option<&str>, value: &Value, at: &At<'_>, outcome: &mut Outcome) {
    let names = names(schema);
    if value.is_null() {
        if !names.is_empty() && !schema.nullable {
            return outcome.say(Said::wrong_type(at, names, "null"));
        }
        return outcome.count(1);
    }
    let (kind, written) = type_of(value);
    let numeric = allows(schema, Type::Number) || allows(schema, Type::Integer);
    let whole = kind == Type::Number && allows(schema, Type::Integer) && value.as_f64().is_some_and(number::is_json_integer);
    let fits = allows(schema, kind) || whole || (kind == Type::Integer && allows(schema, Type::Number));
    let textual = matches!(kind, Type::String | Type::Array);
    match format {
        Some(format) if !textual && !fits && format != written => outcome.say(Said::wrong_type(at, format, written)),
        // Upstream leaves texts, and lists, to their format.
        Some(_) if textual && !numeric => outcome.count(1),
        _ if fits => outcome.count(1),
        _ => outcome.say(Said::wrong_type(at, names, kind.name())),
    }
}

fn judge_text(schema: &Structural, text: &str, at: &At<'_>, outcome: &mut Outcome) {
    outcome.count(1);
    let Some(values) = &schema.values else { return };
    if let Some(rules) = values.text.as_deref() {
        judge_characters(rules, text, at, outcome);
    }
    let Some(format) = &values.format else { return };
    if let Some(fits) = format.fits(text) {
        if !fits {
            outcome.say(Said::wrong_type(at, &format.name, text));
        }
        outcome.count(1);
    }
}

/// The first of a text's rules that is broken.
fn judge_characters(rules: &Text, text: &str, at: &At<'_>, outcome: &mut Outcome) {
    let length = || i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if let Some(max) = rules.max_length
        && length() > max
    {
        return outcome.say(Said::too_long(at, max));
    }
    if let Some(min) = rules.min_length
        && length() < min
    {
        return outcome.say(Said::invalid(at, text.into(), format!("should be at least {min} chars long")));
    }
    if let Some(pattern) = &rules.pattern
        && let Err(words) = pattern.judge(text)
    {
        outcome.say(Said::invalid(at, text.into(), format!("should match '{words}'")));
    }
}

fn judge_items(schema: &Structural, items: &[Value], correlated: Option<&Correlated<'_>>, at: &At<'_>, outcome: &mut Outcome) {
    outcome.count(2);
    if let Some(schema) = schema.items.as_deref() {
        for (i, item) in items.iter().enumerate() {
            let below = correlated.map(|c| c.index(item));
            ratcheted(schema, item, below.as_ref(), &At::Index(at, i), outcome);
        }
    }
    let Some(count) = schema.values.as_ref().and_then(|values| values.count.as_deref()) else { return };
    let size = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if let Some(min) = count.min_items
        && size < min
    {
        outcome.say(Said::invalid(at, size.into(), format!("should have at least {min} items")));
    }
    if let Some(max) = count.max_items
        && size > max
    {
        outcome.say(Said::too_many(at, size, max, "items"));
    }
    if count.unique_items && repeats(items).contains(&true) {
        outcome.say(Said::invalid(at, "".into(), "shouldn't contain duplicates".to_owned()));
    }
}

fn judge_fields(schema: &Structural, fields: &Map, correlated: Option<&Correlated<'_>>, at: &At<'_>, outcome: &mut Outcome) {
    let size = i64::try_from(fields.len()).unwrap_or(i64::MAX);
    let values = schema.values.as_deref();
    if let Some(count) = values.and_then(|values| values.count.as_deref()) {
        if let Some(min) = count.min_properties
            && size < min
        {
            outcome.say(Said::invalid(at, size.into(), format!("should have at least {min} properties")));
        }
        if let Some(max) = count.max_properties
            && size > max
        {
            outcome.say(Said::too_many(at, size, max, "properties"));
        }
    }
    let below = |name, value| match (correlated, at) {
        // The version and kind of an object are not what the client changed.
        (Some(_), At::Root) if matches!(name, "kind" | "apiVersion") => None,
        (correlated, _) => correlated.map(|c| c.key(name, value)),
    };
    for (name, value) in fields {
        match (schema.property(name), &schema.additional) {
            (Some(_), _) | (None, Additional::Unsaid | Additional::Any(true)) => {}
            (None, Additional::Any(false)) => outcome.say(Said::not_allowed(at, name)),
            (None, Additional::Of(values)) => {
                ratcheted(values, value, below(name, value).as_ref(), &At::Entry(at, name), outcome)
            }
        }
    }
    for (name, property) in schema.properties() {
        if let Some(value) = fields.get(name) {
            ratcheted(property, value, below(name, value).as_ref(), &At::Property(at, name), outcome);
        }
    }
    for name in values.map_or(&[][..], |values| &values.required) {
        if !fields.contains_key(name.as_ref()) {
            outcome.say(Said::required(&At::Entry(at, name)));
        }
    }
}

fn enumerated(values: &Values, value: &Value, at: &At<'_>, outcome: &mut Outcome) {
    if !values.enumerated.is_empty() && !values.enumerated.iter().any(|allowed| is_enumerated(value, allowed)) {
        outcome.say(Said::not_supported(at, value, &values.enumerated));
    }
}

/// Whether a value is one of an enumeration's, once Go has converted it to that value's type: numbers lose their fraction,
/// and a number becomes the character it is the code of.
fn is_enumerated(value: &Value, allowed: &Value) -> bool {
    match (value, allowed) {
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Number(value), Value::Number(allowed)) => match (value.as_i64(), allowed.as_i64()) {
            (Some(a), Some(b)) => a == b,
            (None, Some(b)) => value.as_f64().is_some_and(|a| a as i64 == b),
            (_, None) => value.as_f64() == allowed.as_f64(),
        },
        (Value::Number(value), Value::String(allowed)) => {
            let code = value.as_i64().map(|code| u32::try_from(code).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'));
            code.is_some_and(|c| allowed.chars().eq([c]))
        }
        (value, allowed) => value == allowed,
    }
}

fn judge_combined(combined: &Combined, value: &Value, at: &At<'_>, outcome: &mut Outcome) {
    let of_default = outcome.of_default;
    let alone = |schema: &Structural| {
        let mut one = if of_default { Outcome::of_default() } else { Outcome::default() };
        judge(schema, value, None, at, &mut one);
        one
    };
    any_of(&combined.any_of, alone, at, outcome);
    one_of(&combined.one_of, alone, at, outcome);
    all_of(&combined.all_of, alone, at, outcome);
    if combined.not.as_ref().is_some_and(|not| alone(not).is_empty()) {
        outcome.say(Said::bare(format!("{} must not validate the schema (not)", at.quoted())));
    }
}

/// The alternative that failed with the most checks passed stands for all of them.
fn better(best: &mut Option<Outcome>, one: Outcome) {
    if best.as_ref().is_none_or(|best| one.matches > best.matches) {
        *best = Some(one);
    }
}

fn any_of(schemas: &[Structural], alone: impl Fn(&Structural) -> Outcome, at: &At<'_>, outcome: &mut Outcome) {
    let mut best = None;
    for schema in schemas {
        let one = alone(schema);
        if one.is_empty() {
            return outcome.count(one.matches);
        }
        better(&mut best, one);
    }
    if let Some(best) = best {
        outcome.say(Said::bare(format!("{} must validate at least one schema (anyOf)", at.quoted())));
        outcome.merge(best);
    }
}

fn one_of(schemas: &[Structural], alone: impl Fn(&Structural) -> Outcome, at: &At<'_>, outcome: &mut Outcome) {
    let (mut best, mut valid, mut first) = (None, 0, 0);
    for schema in schemas {
        let one = alone(schema);
        match (one.is_empty(), valid) {
            (true, _) => {
                first = if valid == 0 { one.matches } else { first };
                (best, valid) = (None, valid + 1);
            }
            (false, 0) => better(&mut best, one),
            (false, _) => {}
        }
    }
    let found = match valid {
        1 => return outcome.count(first),
        0 if schemas.is_empty() => return,
        0 => "Found none valid".to_owned(),
        valid => format!("Found {valid} valid alternatives"),
    };
    outcome.say(Said::bare(format!("{} must validate one and only one schema (oneOf). {found}", at.quoted())));
    if let Some(best) = best {
        outcome.merge(best);
    }
}

fn all_of(schemas: &[Structural], alone: impl Fn(&Structural) -> Outcome, at: &At<'_>, outcome: &mut Outcome) {
    let mut valid = 0;
    for schema in schemas {
        let one = alone(schema);
        valid += usize::from(one.is_empty());
        outcome.merge(one);
    }
    if valid != schemas.len() {
        let none = if valid == 0 { ". None validated" } else { "" };
        outcome.say(Said::bare(format!("{} must validate all the schemas (allOf){none}", at.quoted())));
    }
}
