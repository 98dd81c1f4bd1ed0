//! What the schema of a version must be. Upstream: `validateCustomResourceDefinitionValidation` and
//! `ValidateCustomResourceDefinitionOpenAPISchema`.

use model::Value;
use model::field::{Errors, Path};
use schema::Structural;
use schema::structural::rules::Root;
use schema::structural::{Additional, check, supported};

use super::cost::{self, Cardinality, Costs};
use super::old::Demands;
use super::rules::{RULES, Scope};
use super::{keywords, lists, rules, spec};
use crate::hooks::rules::get;

/// How a schema is judged.
pub(super) struct How<'a> {
    pub demands: &'a Demands,
    /// Whether status is a subresource.
    pub status: bool,
    pub structural: bool,
    /// Whether each rule's cost is judged; not where the schema is as it was.
    pub bounded: bool,
}

pub(super) fn validate(validation: Option<&Value>, how: &How<'_>, path: &Path<'_>, errors: &mut Errors) {
    let Some(schema) = validation.and_then(spec::open_api) else { return };
    let path = path.child("openAPIV3Schema");
    let mut found = Errors::new();
    if how.status {
        keywords::root_with_status(schema, &path, &mut found);
    }
    if get::is(schema, "nullable") {
        found.forbidden(&path.child("nullable"), "nullable cannot be true at the root");
    }
    let (parsed, fault) = if how.structural { structural(schema, how, &path, &mut found) } else { (None, None) };
    let mut walk = Walk { how, costs: Costs::default(), expressions: Errors::new() };
    let inside = parsed.as_ref().map(|parsed| Inside { structural: Some(parsed), cardinality: Some(1) });
    walk.schema(schema, &Place::ROOT, inside, &path, &mut found);
    found.0.append(&mut walk.expressions.0);
    // What schemas may not have has been told of in better words.
    if let Some(fault) = fault.filter(|_| found.is_empty()) {
        found.invalid(&path, "", fault);
    }
    if parsed.is_some() {
        walk.costs.judge(&path, &mut found);
    }
    errors.0.append(&mut found.0);
}

/// The parsed schema when it is structural and its defaults are valid; else why it cannot be parsed, unless that was told.
fn structural(schema: &Value, how: &How<'_>, path: &Path<'_>, errors: &mut Errors) -> (Option<Structural>, Option<String>) {
    if let Err(fault) = supported(schema) {
        return (None, Some(fault));
    }
    let before = errors.0.len();
    check::structural(schema, path, errors);
    if errors.0.len() > before {
        return (None, None);
    }
    let parsed = match Structural::parse(schema) {
        Ok(parsed) => parsed,
        Err(fault) => return (None, Some(fault)),
    };
    parsed.validate_defaults(how.demands.pruned, path, errors);
    (Some(parsed).filter(|_| errors.0.len() == before), None)
}

/// What the schemas around one say of it.
#[derive(Clone)]
pub(super) struct Place<'a> {
    root: bool,
    /// Why there may be no defaults.
    pub no_defaults: Option<String>,
    /// Whether it is within what every object has.
    pub within_meta: bool,
    /// The outermost schema whose values cannot be found again after an update.
    uncorrelatable: Option<&'a str>,
}

impl Place<'_> {
    const ROOT: Self = Place { root: true, no_defaults: None, within_meta: false, uncorrelatable: None };

    fn nested(&self) -> Self {
        Self { root: false, ..self.clone() }
    }
}

/// The parsed schema of the same value, where rules are compiled.
#[derive(Clone, Copy)]
struct Inside<'a> {
    structural: Option<&'a Structural>,
    cardinality: Cardinality,
}

impl<'a> Inside<'a> {
    /// The same for a schema within.
    fn below(self, written: &Value, step: impl Fn(&'a Structural) -> Option<&'a Structural>) -> Self {
        Self { structural: self.structural.and_then(step), cardinality: cost::within(written, self.cardinality) }
    }
}

struct Walk<'h> {
    how: &'h How<'h>,
    costs: Costs,
    /// What is wrong with rules comes after all that is wrong with schemas.
    expressions: Errors,
}

impl Walk<'_> {
    fn schema(&mut self, schema: &Value, place: &Place<'_>, inside: Option<Inside<'_>>, path: &Path<'_>, errors: &mut Errors) {
        let before = errors.0.len();
        keywords::validate(schema, place, self.how.demands.valid_types, path, errors);
        if get::is(schema, "uniqueItems") {
            let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            errors.forbidden(&path.child("uniqueItems"), detail);
        }
        self.additional(schema, place, inside, path, errors);
        self.properties(schema, place, inside, path, errors);
        self.alternatives(schema, place, path, errors);
        self.items(schema, place, inside, path, errors);
        if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
            errors.invalid(&path.child("x-kubernetes-preserve-unknown-fields"), false, "must be true or undefined");
        }
        lists::validate(schema, self.how.demands, path, errors);
        if get::list(schema, RULES).is_empty() {
            return;
        }
        rules::texts(schema, path, errors);
        // Rules over a schema with faults would be told of types that are not meant.
        if let Some(inside) = inside.filter(|_| errors.0.len() == before) {
            let whole = place.root || get::is(schema, "x-kubernetes-embedded-resource");
            let scope = Scope {
                structural: inside.structural,
                root: if whole { Root::Resource } else { Root::Value },
                cardinality: inside.cardinality,
                uncorrelatable: place.uncorrelatable,
                bounded: self.how.bounded,
            };
            rules::expressions(schema, &scope, self.how.demands, &mut self.costs, path, &mut self.expressions);
        }
    }

    fn additional(
        &mut self,
        schema: &Value,
        place: &Place<'_>,
        inside: Option<Inside<'_>>,
        path: &Path<'_>,
        errors: &mut Errors,
    ) {
        let Some(values) = schema.get("additionalProperties").filter(|values| !values.is_null()) else { return };
        let path = path.child("additionalProperties");
        if get::entries(schema, "properties").next().is_some() && *values != true {
            errors.forbidden(&path, "additionalProperties and properties are mutual exclusive");
        }
        let mut place = place.nested();
        if place.within_meta {
            place.no_defaults = Some("inside additionalProperties applying to object metadata".to_owned());
        }
        if values.is_object() {
            let inside = inside.map(|inside| {
                inside.below(schema, |structural| match &structural.additional {
                    Additional::Of(values) => Some(values),
                    _ => None,
                })
            });
            self.schema(values, &place, inside, &path, errors);
        }
    }

    fn properties(
        &mut self,
        schema: &Value,
        place: &Place<'_>,
        inside: Option<Inside<'_>>,
        path: &Path<'_>,
        errors: &mut Errors,
    ) {
        let here = path.to_string();
        let correlatable = matches!(get::string(schema, "x-kubernetes-map-type"), None | Some("granular" | "atomic"));
        let whole = place.root || get::is(schema, "x-kubernetes-embedded-resource");
        let below = path.child("properties");
        for (name, property) in get::entries(schema, "properties") {
            let mut nested = place.nested();
            if !correlatable {
                nested.uncorrelatable.get_or_insert(&here);
            }
            if whole && matches!(name, "metadata" | "kind" | "apiVersion") {
                nested.within_meta = true;
                if place.root {
                    nested.no_defaults = Some(format!("in top-level {name}"));
                }
            }
            let inside = inside.map(|inside| inside.below(schema, |structural| structural.property(name)));
            self.schema(property, &nested, inside, &below.key(name), errors);
        }
    }

    /// Schemas that judge the same value, where no rules run.
    fn alternatives(&mut self, schema: &Value, place: &Place<'_>, path: &Path<'_>, errors: &mut Errors) {
        let place = place.nested();
        if let Some(not) = get::object(schema, "not") {
            self.schema(not, &place, None, &path.child("not"), errors);
        }
        for keyword in ["allOf", "oneOf", "anyOf"] {
            let list = path.child(keyword);
            for (i, inner) in get::list(schema, keyword).iter().enumerate() {
                self.schema(inner, &place, None, &list.index(i), errors);
            }
        }
        let definitions = path.child("definitions");
        for (name, inner) in get::entries(schema, "definitions") {
            self.schema(inner, &place, None, &definitions.key(name), errors);
        }
    }

    fn items(&mut self, schema: &Value, place: &Place<'_>, inside: Option<Inside<'_>>, path: &Path<'_>, errors: &mut Errors) {
        let here = path.to_string();
        let mut nested = place.nested();
        // Only items with keys are found again.
        if get::string(schema, lists::LIST_TYPE) != Some("map") {
            nested.uncorrelatable.get_or_insert(&here);
        }
        let outer = path;
        let path = outer.child("items");
        let inside = inside.map(|inside| inside.below(schema, |structural| structural.items.as_deref()));
        match schema.get("items") {
            Some(item @ Value::Object(_)) => self.schema(item, &nested, inside, &path, errors),
            Some(Value::Array(items)) => {
                for (i, item) in items.iter().enumerate() {
                    self.schema(item, &nested, inside, &path.index(i), errors);
                }
            }
            _ => {}
        }
        let dependencies = outer.child("dependencies");
        for (name, inner) in get::entries(schema, "dependencies").filter(|(_, inner)| inner.is_object()) {
            self.schema(inner, &place.nested(), None, &dependencies.key(name), errors);
        }
    }
}
