//! What a webhook answered: its `AdmissionReview`, read and checked.
//! Follows `VerifyAdmissionResponse` in `k8s.io/apiserver/pkg/admission/plugin/webhook/request` and `webhook/errors`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use codec::{json, yaml};
use model::field::quote;
use model::{Status, Value};

use super::Kind;
use super::call::Failed;
use super::configuration::Version;

/// The only way in which a webhook may change an object.
pub(super) const JSON_PATCH: &str = "JSONPatch";
/// The kind of every answer.
const REVIEW: &str = "AdmissionReview";
const SPOKEN: [&str; 2] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];
/// Where upstream's scheme of reviews lies, which stands in its messages.
const SCHEME: &str = "pkg/runtime/scheme.go:111";
/// A refusal is a client's error at least.
pub(super) const CODE_MIN: u16 = 400;

/// What to change, and how that is written.
pub(super) type Patch = (Vec<u8>, String);

/// An answer that can be used.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    allowed: bool,
    patch: Option<Patch>,
    said: Said,
    /// Why not.
    result: Option<Status>,
}

/// What a webhook says besides yes and no.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    pub(super) warnings: Vec<String>,
    pub(super) annotations: Vec<(String, String)>,
}

/// Why there is no answer that can be used.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// It cannot be read.
    Unreadable(String),
    /// It is not one to this question.
    Invalid(String),
}

/// Reads an answer to the review with this uid.
pub(super) fn read(body: &[u8], kind: Kind, version: Version, uid: &str) -> Result<Answer, Fault> {
    let unreadable = |why: String| Fault::Unreadable(why);
    let review = parse(body).map_err(unreadable)?;
    let (api_version, said) = json::interpret(&review).map_err(unreadable)?;
    if !api_version.is_empty() && !said.is_empty() && (said != REVIEW || !SPOKEN.contains(&api_version)) {
        let (said, api_version) = (quote(said), quote(api_version));
        return Err(unreadable(format!("no kind {said} is registered for version {api_version} in scheme \"{SCHEME}\"")));
    }
    let response = member(&review, "response", Value::is_object, "AdmissionReview", "v1.AdmissionResponse")?;
    let Some(response) = response else {
        return Err(Fault::Invalid("webhook response was absent".to_owned()));
    };
    let text = |field: &str| -> Result<&str, Fault> {
        Ok(member(response, field, Value::is_string, "AdmissionResponse.response", "string")?
            .and_then(Value::as_str)
            .unwrap_or(""))
    };
    if version == Version::V1 {
        let got = text("uid")?;
        if got != uid {
            return Err(Fault::Invalid(format!("expected response.uid={}, got {}", quote(uid), quote(got))));
        }
        if (api_version, said) != (version.api_version(), REVIEW) {
            let got = if api_version.is_empty() { "/".to_owned() } else { api_version.to_owned() };
            return Err(Fault::Invalid(format!(
                "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {got}, Kind={said}"
            )));
        }
    }
    let allowed = member(response, "allowed", Value::is_boolean, "AdmissionResponse.response", "bool")?;
    Ok(Answer {
        allowed: allowed == Some(&Value::Bool(true)),
        patch: patch(response, kind, version)?,
        said: Said { warnings: texts(response, "warnings"), annotations: pairs(response, "auditAnnotations") },
        result: member(response, "status", Value::is_object, "AdmissionResponse.response", "v1.Status")?.map(Status::from_object),
    })
}

/// JSON, or else YAML, which upstream's reader takes too.
fn parse(body: &[u8]) -> Result<Value, String> {
    match json::parse(body) {
        Ok(parsed) => Ok(parsed.value),
        Err(_) => {
            let parsed = yaml::parse(body);
            parsed.map(|parsed| parsed.value).map_err(|why| format!("couldn't get version/kind; json parse error: {why}"))
        }
    }
}

impl Answer {
    /// Yes, with what to change; or the refusal that the client gets.
    pub(super) fn into_verdict(self, webhook: &str) -> (Said, Result<Option<Patch>, Failed>) {
        let verdict = if self.allowed { Ok(self.patch) } else { Err(Failed::Rejected(refusal(webhook, self.result))) };
        (self.said, verdict)
    }
}

/// Upstream: `ToStatusErr`.
fn refusal(webhook: &str, result: Option<Status>) -> Status {
    let mut status = result.unwrap_or_else(|| Status::new(0, "", ""));
    status.code = status.code.max(CODE_MIN);
    let denied = format!("admission webhook {} denied the request", quote(webhook));
    status.message = match (&*status.message, &*status.reason) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    status
}

/// A member that is of the right type, or absent.
fn member<'a>(
    object: &'a Value,
    field: &str,
    is_right: fn(&Value) -> bool,
    place: &str,
    wanted: &str,
) -> Result<Option<&'a Value>, Fault> {
    match object.get(field).filter(|value| !value.is_null()) {
        Some(value) if !is_right(value) => {
            let what = json::type_word(value);
            Err(Fault::Unreadable(format!("json: cannot unmarshal {what} into Go struct field {place}.{field} of type {wanted}")))
        }
        found => Ok(found),
    }
}

fn texts(response: &Value, field: &str) -> Vec<String> {
    let items = response.get(field).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn pairs(response: &Value, field: &str) -> Vec<(String, String)> {
    let entries = response.get(field).and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.to_string(), value.as_str()?.to_owned()))).collect()
}

/// The patch and its type, each of which asks for the other in v1; before that the type was not looked at.
fn patch(response: &Value, kind: Kind, version: Version) -> Result<Option<(Vec<u8>, String)>, Fault> {
    let text = |field: &str, wanted: &str| member(response, field, Value::is_string, "AdmissionResponse.response", wanted);
    let patch = text("patch", "[]uint8")?.and_then(Value::as_str).unwrap_or("");
    let patch = BASE64_STANDARD
        .decode(patch)
        .map_err(|_| Fault::Unreadable(format!("illegal base64 data at input byte {}", wrong_at(patch))))?;
    let named = text("patchType", "v1.PatchType")?.and_then(Value::as_str);
    let invalid = |why: &str| Err(Fault::Invalid(why.to_owned()));
    match (kind, version, patch.is_empty(), named) {
        (Kind::Validating, Version::V1, false, _) => invalid("validating webhook may not return response.patch"),
        (Kind::Validating, Version::V1, true, Some(_)) => invalid("validating webhook may not return response.patchType"),
        (Kind::Validating, ..) => Ok(None),
        (Kind::Mutating, Version::V1Beta1, false, _) => Ok(Some((patch, JSON_PATCH.to_owned()))),
        (Kind::Mutating, Version::V1, false, None) => invalid("webhook returned response.patch but not response.patchType"),
        (Kind::Mutating, Version::V1, true, Some(_)) => invalid("webhook returned response.patchType but not response.patch"),
        (Kind::Mutating, Version::V1, false, Some("")) => invalid("webhook returned invalid response.patchType of \"\""),
        (Kind::Mutating, Version::V1, false, Some(named)) => Ok(Some((patch, named.to_owned()))),
        (Kind::Mutating, _, true, _) => Ok(None),
    }
}

/// Where a text stops being base64.
fn wrong_at(text: &str) -> usize {
    text.bytes().position(|b| !b.is_ascii_alphanumeric() && !b"+/=".contains(&b)).unwrap_or(text.len())
}
