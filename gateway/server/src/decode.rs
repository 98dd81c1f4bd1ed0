//! Brings the body of a request into an object in normal form, defaulted, in the version of the request.
//! Follows `k8s.io/apimachinery/pkg/runtime/serializer` and `apiserver/pkg/endpoints/handlers/rest.go` for the wording.
//! Does not change what the client said beyond that (`write`).

use admission::Notes;
use codec::negotiate::{self, Media};
use codec::{json, yaml};
use model::field::quote;
use model::gvk::split_api_version;
use model::{GroupVersionKind, Map, Status, Value};
use schema::normal::strict_faults;
use schema::proto;
use schema::types::Types;

use crate::options::FieldValidation;
use crate::row::Form;

/// How much of a body that cannot be read is shown, in bytes, as upstream.
const SUMMARY_BYTES_MAX: usize = 30;

/// The type of the options of a delete in every group.
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

/// A parsed body that is not checked against a type yet.
struct Parsed {
    value: Value,
    /// What strict decoding holds against the text itself.
    duplicates: Vec<String>,
    /// What is wrong with a number, which is told when it is known what the text is.
    beyond: Option<String>,
}

fn unread(error: &dyn std::fmt::Display) -> String {
    format!("couldn't get version/kind; json parse error: {error}")
}

/// Parses a body that is text. Fails with the parser's words.
fn parse(media: Media, body: &[u8]) -> Result<Parsed, String> {
    if media == Media::Yaml {
        let parsed = yaml::parse(body).map_err(|error| error.to_string())?;
        return Ok(Parsed { value: parsed.value, duplicates: parsed.duplicates, beyond: None });
    }
    let (parsed, beyond) = json::parse_past_numbers(body).map_err(|error| unread(&error))?;
    Ok(Parsed { value: parsed.value, duplicates: parsed.duplicates, beyond: beyond.map(|error| error.to_string()) })
}

/// Reads the options of a delete, of whatever API version, unchecked. Fails with upstream's 415 and 400.
pub fn delete_options(types: &Types, content_type: &str, body: &[u8]) -> Result<Value, Status> {
    let media = negotiate::input(content_type)?;
    let ty = types.by_name(DELETE_OPTIONS).ok_or_else(|| Status::internal(format!("the type tables lack {DELETE_OPTIONS}")))?;
    if media != Media::Protobuf {
        let Parsed { value, beyond, .. } = parse(media, body).map_err(Status::bad_request)?;
        if let Some(why) = beyond {
            return Err(Status::bad_request(unread(&why)));
        }
        let (_, kind) = json::interpret(&value).map_err(Status::bad_request)?;
        if matches!(kind, "" | "DeleteOptions") {
            let spelt = if media == Media::Json { json::Spellings::of(body) } else { json::Spellings::default() };
            let spelling = |path: &str| spelt.at(path);
            let (mut judged, unknown) = (value.clone(), &mut Vec::new());
            schema::normal::decode_spelt(types, ty, &mut judged, (unknown, &spelling)).map_err(Status::bad_request)?;
        }
        return Ok(value);
    }
    let envelope = proto::open(body).map_err(Status::bad_request)?;
    let mut value = Value::Object(Map::new());
    if matches!(&*envelope.kind, "" | "DeleteOptions") {
        value = proto::decode(types, ty, envelope.raw).map_err(Status::bad_request)?;
    }
    value["kind"] = envelope.kind.into();
    value["apiVersion"] = envelope.api_version.into();
    Ok(value)
}

/// Decodes a body of the kind that `form` describes. Fails with upstream's 415 and 400.
pub fn object(
    form: &Form,
    content_type: &str,
    body: &[u8],
    validation: FieldValidation,
    notes: &mut Notes,
) -> Result<Value, Status> {
    let (said, mut value) = match negotiate::input(content_type)? {
        Media::Protobuf => message(form, body)?,
        media => text(form, media, body, validation, notes)?,
    };
    if !form.takes_version(&said) {
        return Err(Status::bad_request(format!(
            "the API version in the data ({}) does not match the expected API version ({})",
            said.api_version(),
            form.kind.api_version()
        )));
    }
    form.complete(&mut value);
    Ok(value)
}

/// What a body of text says it is, and what it holds.
fn text(
    form: &Form,
    media: Media,
    body: &[u8],
    validation: FieldValidation,
    notes: &mut Notes,
) -> Result<(GroupVersionKind, Value), Status> {
    let refused = |why: String| unrecognized(form, &why, body);
    let Parsed { mut value, duplicates, beyond } = parse(media, body).map_err(refused)?;
    if media == Media::Json && !duplicates.is_empty() {
        value = form.join(body, value).map_err(refused)?;
    }
    let (api_version, kind) = json::interpret(&value).map_err(refused)?;
    if api_version.matches('/').count() > 1 {
        return Err(refused(format!("unexpected GroupVersion string: {api_version}")));
    }
    if let (true, Some(why)) = (form.is_free(), &beyond) {
        return Err(cannot_be_handled(&said(&form.kind, api_version, kind), &form.kind, why));
    }
    let said = if form.is_free() {
        if kind.is_empty() {
            // What a custom resource leaves unsaid is not made up.
            let shown = if media == Media::Yaml { form.show(&value) } else { String::from_utf8_lossy(body).into_owned() };
            return Err(refused(format!("Object 'Kind' is missing in '{shown}'")));
        }
        GroupVersionKind::from_api_version(api_version, kind)
    } else {
        expected(form, api_version, kind)?
    };
    let mut unknown = form.unknown_in_other_version(&said, &value);
    let decoded = match media {
        Media::Json => form.decode_json(body, &mut value, &mut unknown),
        _ => form.decode(&mut value, &mut unknown),
    };
    decoded.map_err(|why| cannot_be_handled(&said, &form.kind, &why))?;
    if let Some(why) = beyond {
        // No type had anything against it: it stands where any JSON may.
        return Err(refused(unread(&why)));
    }
    let mut faults = strict_faults(&duplicates, &unknown);
    if media == Media::Json && !duplicates.is_empty() && !unknown.is_empty() {
        faults = json::in_document_order(body, &faults);
    }
    strictness(validation, &faults, notes).map_err(|why| cannot_be_handled(&said, &form.kind, &why))?;
    Ok((said, value))
}

/// What a protobuf body says it is, and what it holds. Nothing is strict about protobuf: it has no duplicate fields, and
/// unknown ones are how it grows.
fn message(form: &Form, body: &[u8]) -> Result<(GroupVersionKind, Value), Status> {
    let envelope = proto::open(body).map_err(|why| unrecognized(form, &why, body))?;
    let said = expected(form, &envelope.api_version, &envelope.kind)?;
    let value = form.decode_message(envelope.raw).map_err(|why| cannot_be_handled(&said, &form.kind, &why))?;
    Ok((said, value))
}

fn unrecognized(form: &Form, why: &str, body: &[u8]) -> Status {
    let kind = &form.kind.kind;
    Status::bad_request(format!("the object provided is unrecognized (must be of type {kind}): {why} ({})", summary(body)))
}

/// The kind that a body says it is, when that is a version of the one expected.
fn expected(form: &Form, api_version: &str, kind: &str) -> Result<GroupVersionKind, Status> {
    let said = said(&form.kind, api_version, kind);
    if *said.kind != *form.kind.kind || !form.knows(&said) {
        return Err(cannot_be_handled(&said, &form.kind, &form.foreign(&said)));
    }
    Ok(said)
}

/// What the body says it is, with what it leaves unsaid taken from the request.
fn said(expected: &GroupVersionKind, api_version: &str, kind: &str) -> GroupVersionKind {
    let kind = if kind.is_empty() { &expected.kind } else { kind };
    // Upstream reads a slash alone as no group and no version.
    if matches!(api_version, "" | "/") {
        return GroupVersionKind::new(&expected.group, &expected.version, kind);
    }
    let (group, version) = split_api_version(api_version);
    let version = if version.is_empty() && group == &*expected.group { &expected.version } else { version };
    GroupVersionKind::new(group, version, kind)
}

fn cannot_be_handled(said: &GroupVersionKind, expected: &GroupVersionKind, why: &str) -> Status {
    let version = quote(&said.version);
    Status::bad_request(format!("{} in version {version} cannot be handled as a {}: {why}", said.kind, expected.kind))
}

/// Unknown and duplicate fields are refused, warned of, or nothing. Fails with upstream's words for a strict request.
fn strictness(validation: FieldValidation, faults: &[&str], notes: &mut Notes) -> Result<(), String> {
    match validation {
        FieldValidation::Strict if !faults.is_empty() => Err(format!("strict decoding error: {}", faults.join(", "))),
        FieldValidation::Warn => {
            faults.iter().for_each(|fault| warn(fault, notes));
            Ok(())
        }
        FieldValidation::Ignore | FieldValidation::Strict => Ok(()),
    }
}

/// Warns of what strict decoding found; of what YAML's parser did line by line.
pub fn warn(fault: &str, notes: &mut Notes) {
    let read = fault.strip_prefix("error converting YAML to JSON: ").unwrap_or(fault);
    match read.strip_prefix("yaml: unmarshal errors:\n") {
        Some(lines) => lines.split('\n').for_each(|line| notes.warn(line.trim())),
        None => notes.warn(fault),
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
