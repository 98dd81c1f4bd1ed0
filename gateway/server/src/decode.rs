//! Brings the body of a request into an object in normal form, defaulted, in the version of the request.
//! Follows `k8s.io/apimachinery/pkg/runtime/serializer` and `apiserver/pkg/endpoints/handlers/rest.go` for the wording.
//! Does not change what the client said beyond that (`write`).

use admission::Notes;
use codec::negotiate::{self, Media};
use codec::{json, yaml};
use model::field::quote;
use model::gvk::split_api_version;
use model::{GroupVersionKind, Status, Value};
use schema::normal::strict_error;

use crate::options::FieldValidation;
use crate::row::Form;

/// How much of a body that cannot be read is shown, in bytes, as upstream.
const SUMMARY_BYTES_MAX: usize = 30;
/// Where upstream's scheme lies, which stands in its messages.
const SCHEME: &str = "pkg/api/legacyscheme/scheme.go:30";

/// A parsed body that is not checked against a type yet.
pub struct Parsed {
    /// The value.
    pub value: Value,
    /// What strict decoding holds against the text itself.
    pub duplicates: Vec<String>,
}

/// Parses text. Fails with the parser's words.
pub fn parse(media: Media, body: &[u8]) -> Result<Parsed, String> {
    match media {
        Media::Json => {
            let parsed = json::parse(body).map_err(|error| format!("couldn't get version/kind; json parse error: {error}"))?;
            Ok(Parsed { value: parsed.value, duplicates: parsed.duplicates })
        }
        Media::Yaml => {
            let parsed = yaml::parse(body).map_err(|error| error.to_string())?;
            Ok(Parsed { value: parsed.value, duplicates: parsed.duplicates })
        }
    }
}

/// Decodes a body of the kind that `form` describes. Fails with upstream's 415 and 400.
pub fn object(form: &Form, content_type: &str, body: &[u8], validation: FieldValidation, notes: &mut Notes) -> Result<Value, Status> {
    let media = negotiate::input(content_type)?;
    let unread = |why: String| {
        let kind = &form.kind.kind;
        Status::bad_request(format!("the object provided is unrecognized (must be of type {kind}): {why} ({})", summary(body)))
    };
    let Parsed { mut value, duplicates } = parse(media, body).map_err(unread)?;
    let (api_version, kind) = json::interpret(&value).map_err(unread)?;
    let said = said(&form.kind, api_version, kind);
    if *said.kind != *form.kind.kind || !form.knows(&said) {
        return Err(cannot_be_handled(&said, &form.kind, &foreign(form, &said)));
    }
    let mut unknown = Vec::new();
    form.decode(&mut value, &mut unknown).map_err(|why| cannot_be_handled(&said, &form.kind, &why))?;
    strictness(validation, &duplicates, &unknown, notes).map_err(|why| cannot_be_handled(&said, &form.kind, &why))?;
    if (&said.group, &said.version) != (&form.kind.group, &form.kind.version) {
        return Err(Status::bad_request(format!(
            "the API version in the data ({}) does not match the expected API version ({})",
            said.api_version(),
            form.kind.api_version()
        )));
    }
    form.complete(&mut value);
    Ok(value)
}

/// What the body says it is, with what it leaves unsaid taken from the request.
fn said(expected: &GroupVersionKind, api_version: &str, kind: &str) -> GroupVersionKind {
    let kind = if kind.is_empty() { &expected.kind } else { kind };
    if api_version.is_empty() {
        return GroupVersionKind::new(&expected.group, &expected.version, kind);
    }
    let (group, version) = split_api_version(api_version);
    let version = if version.is_empty() && group == &*expected.group { &expected.version } else { version };
    GroupVersionKind::new(group, version, kind)
}

/// Why a body of another kind cannot be taken.
fn foreign(form: &Form, said: &GroupVersionKind) -> String {
    if form.knows(said) {
        let package = |kind: &GroupVersionKind| format!("{}.{}", kind.version, kind.kind);
        let group = if form.kind.group.is_empty() { "core" } else { form.kind.group.split('.').next().unwrap_or("") };
        return format!("converting ({}) to ({group}.{}): unknown conversion", package(said), form.kind.kind);
    }
    format!("no kind {} is registered for version {} in scheme {}", quote(&said.kind), quote(&said.api_version()), quote(SCHEME))
}

fn cannot_be_handled(said: &GroupVersionKind, expected: &GroupVersionKind, why: &str) -> Status {
    let version = quote(&said.version);
    Status::bad_request(format!("{} in version {version} cannot be handled as a {}: {why}", said.kind, expected.kind))
}

/// Unknown and duplicate fields are refused, warned of, or nothing. Fails with upstream's words for a strict request.
pub fn strictness(validation: FieldValidation, duplicates: &[String], unknown: &[String], notes: &mut Notes) -> Result<(), String> {
    match validation {
        FieldValidation::Ignore => Ok(()),
        FieldValidation::Warn => {
            for fault in duplicates.iter().chain(unknown) {
                notes.warn(fault.clone());
            }
            Ok(())
        }
        FieldValidation::Strict => strict_error(duplicates, unknown).map_or(Ok(()), Err),
    }
}

fn summary(body: &[u8]) -> String {
    let (shown, more) = match body.get(..SUMMARY_BYTES_MAX) {
        Some(shown) if body.len() > SUMMARY_BYTES_MAX => (shown, " ..."),
        _ => (body, ""),
    };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(shown)),
        Some(_) => {
            let hex: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}{more}")
        }
    }
}
