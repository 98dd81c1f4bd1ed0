//! The query options of requests, read and validated: `CreateOptions`, `UpdateOptions`, `PatchOptions` here, the others
//! below. Follows `k8s.io/apimachinery/pkg/apis/meta/v1/validation`. Does not act on any of them.

pub mod delete;
pub mod list;
pub mod table;

use model::field::{Errors, Fault, Path, quote};
use model::json::json;
use model::{GroupKind, Query, Status, Value};

/// Longest name of a field manager, in bytes, as upstream.
const FIELD_MANAGER_BYTES_MAX: usize = 128;
/// The group of the option kinds.
const META_GROUP: &str = "meta.k8s.io";

/// What unknown and duplicate fields do to a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Nothing.
    Ignore,
    /// A `Warning:` header each.
    #[default]
    Warn,
    /// The write is refused.
    Strict,
}

/// Which kind of options a write carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// `CreateOptions`
    Create,
    /// `UpdateOptions`
    Update,
    /// `PatchOptions` of any patch but apply.
    Patch,
    /// `PatchOptions` of an apply patch.
    Apply,
}

/// The options of a create, an update or a patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// Who writes, for `managedFields`; empty when unsaid.
    pub field_manager: String,
    /// Whether an apply takes what others own.
    pub force: bool,
    /// What unknown and duplicate fields do.
    pub field_validation: FieldValidation,
    said: Option<FieldValidation>,
}

impl Flavor {
    fn kind(self) -> &'static str {
        match self {
            Self::Create => "CreateOptions",
            Self::Update => "UpdateOptions",
            Self::Patch | Self::Apply => "PatchOptions",
        }
    }
}

impl WriteOptions {
    /// Those of a write from inside the process: what it leaves out of an object nobody would read a warning about.
    pub fn quiet() -> Self {
        Self { field_validation: FieldValidation::Ignore, ..Self::default() }
    }

    /// Reads and validates. Fails with upstream's 422.
    pub fn parse(query: &Query, flavor: Flavor) -> Result<Self, Status> {
        let mut errors = Errors::new();
        if flavor == Flavor::Patch && query.flag("force").is_some() {
            errors.forbidden(&Path::new("force"), "may not be specified for non-apply patch");
        }
        let field_manager = query.text("fieldManager").to_owned();
        if flavor == Flavor::Apply && field_manager.is_empty() {
            errors.required(&Path::new("fieldManager"), "is required for apply patch");
        }
        validate_field_manager(&field_manager, &mut errors);
        let dry_run = dry_run(&query.all("dryRun").collect::<Vec<_>>(), &mut errors);
        let said = match query.text("fieldValidation") {
            "" => None,
            "Ignore" => Some(FieldValidation::Ignore),
            "Warn" => Some(FieldValidation::Warn),
            "Strict" => Some(FieldValidation::Strict),
            other => {
                errors.not_supported(&Path::new("fieldValidation"), other, &["", "Ignore", "Strict", "Warn"]);
                None
            }
        };
        refuse(flavor.kind(), &errors)?;
        let force = query.flag("force").unwrap_or(false);
        Ok(Self { dry_run, field_manager, force, field_validation: said.unwrap_or_default(), said })
    }

    /// The options as admission sees them: `UpdateOptions` for a patch too, as upstream.
    pub fn to_object(&self, flavor: Flavor) -> Value {
        let kind = if flavor == Flavor::Create { "CreateOptions" } else { "UpdateOptions" };
        let mut object = json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
        if self.dry_run {
            object["dryRun"] = json!(["All"]);
        }
        if !self.field_manager.is_empty() {
            object["fieldManager"] = self.field_manager.as_str().into();
        }
        if let Some(said) = self.said {
            object["fieldValidation"] = format!("{said:?}").into();
        }
        object
    }
}

/// Whether `dryRun` asks for a dry run; anything but `All` is a fault.
fn dry_run(values: &[&str], errors: &mut Errors) -> bool {
    if values.iter().any(|value| *value != "All") {
        errors.not_supported(&Path::new("dryRun"), json!(values), &["All"]);
    }
    !values.is_empty()
}

fn validate_field_manager(manager: &str, errors: &mut Errors) {
    let path = Path::new("fieldManager");
    if manager.len() > FIELD_MANAGER_BYTES_MAX {
        errors.too_long(&path, FIELD_MANAGER_BYTES_MAX);
    }
    for (at, c) in manager.char_indices().filter(|(_, c)| !model::field::is_printable(*c)) {
        let detail = format!("invalid character U+{:04X} (at position {at})", c as u32);
        errors.push(Fault::Invalid, &path, Some(manager.into()), detail);
    }
}

/// 422 about an option kind, when there are faults.
fn refuse(kind: &str, errors: &Errors) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    let kind = GroupKind { group: META_GROUP.into(), kind: kind.into() };
    Err(Status::invalid(&kind, "", errors))
}

/// Upstream's words for a flag in a body that is neither true nor false.
fn wrong_type(field: &str, value: &Value, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into Go struct field DeleteOptions.{field} of type {wanted}", go_kind(value))
}

/// What Go's reader calls a value.
pub fn go_kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if number.is_f64() => format!("number {number}"),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    }
}

/// A list's `resourceVersion`: digits, or upstream's words for what they are not.
pub fn parse_revision(text: &str) -> Result<u64, Status> {
    revision(text).map_err(|why| Status::bad_request(format!("invalid resource version: {why}")))
}

/// The same of a get or a watch, where upstream passes on what its store says: 500 without a reason.
pub fn storage_revision(text: &str) -> Result<u64, Status> {
    revision(text).map_err(|why| Status::new(500, "", why))
}

fn revision(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    // What reads numbers here takes a sign, and Go's does not.
    let read = text.strip_prefix('+').map_or_else(|| text.parse().ok(), |_| None);
    read.ok_or_else(|| {
        let why = if text.bytes().all(|b| b.is_ascii_digit()) { "value out of range" } else { "invalid syntax" };
        let text = quote(text);
        format!("resourceVersion: Invalid value: {text}: strconv.ParseUint: parsing {text}: {why}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_options() {
        let options =
            WriteOptions::parse(&Query::parse("dryRun=All&fieldManager=me&fieldValidation=Strict"), Flavor::Create).unwrap();
        assert!(options.dry_run);
        assert_eq!(options.field_validation, FieldValidation::Strict);
        let want = json!({"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "dryRun": ["All"], "fieldManager": "me", "fieldValidation": "Strict"});
        assert_eq!(options.to_object(Flavor::Create), want);
        assert_eq!(WriteOptions::parse(&Query::default(), Flavor::Create).unwrap().field_validation, FieldValidation::Warn);
    }

    #[test]
    fn write_options_refused_with_upstreams_words() {
        let message = |query, flavor| WriteOptions::parse(&Query::parse(query), flavor).unwrap_err().message;
        assert_eq!(
            message("dryRun=Some", Flavor::Create),
            "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"Some\"]: supported values: \"All\""
        );
        assert_eq!(
            message("fieldValidation=Loose", Flavor::Update),
            "UpdateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"Loose\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
        );
        assert_eq!(
            message("force=true", Flavor::Patch),
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch"
        );
    }
}
