//! The one place where a failure becomes a `metav1.Status`.
//! Wording follows `k8s.io/apimachinery/pkg/api/errors`.

use std::borrow::Cow;
use std::fmt;

use crate::json::{Map, Value, json};

use crate::field::{Errors, quote};
use crate::{GroupKind, GroupResource};

/// A failure as the client reads it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason, such as `NotFound`; what admission webhooks refuse has any that they like.
    pub reason: Cow<'static, str>,
    /// What went wrong, for people.
    pub message: String,
    /// Object and causes.
    pub details: Option<Box<Details>>,
    /// What else a Status says that somebody outside wrote.
    pub foreign: Option<Box<Foreign>>,
}

/// What only a Status from outside holds, and the server does not read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foreign {
    /// Its `metadata`, in upstream's field order.
    pub metadata: Map,
    /// Its `status`, where that is neither `Success` nor `Failure`.
    pub status: String,
}

/// The fields of a list's `metadata`, which a Status has.
const LIST_META: [&str; 4] = ["selfLink", "resourceVersion", "continue", "remainingItemCount"];

/// What a failure is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// Object name.
    pub name: String,
    /// API group.
    pub group: String,
    /// Kind or resource, as upstream fills it.
    pub kind: String,
    /// Object uid.
    pub uid: String,
    /// Single causes.
    pub causes: Vec<Cause>,
    /// When to try again; 0 when unsaid.
    pub retry_after_seconds: i32,
}

/// One cause of a failure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cause {
    /// Machine-readable reason, such as `FieldValueInvalid`.
    pub reason: String,
    /// What is wrong.
    pub message: String,
    /// Which field.
    pub field: String,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Status {
    /// A failure without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason: Cow::Borrowed(reason), message: message.into(), details: None, foreign: None }
    }

    fn about(mut self, resource: &GroupResource, name: &str) -> Self {
        self.details = Some(Box::new(Details {
            name: name.to_owned(),
            group: resource.group.to_string(),
            kind: resource.resource.to_string(),
            ..Details::default()
        }));
        self
    }

    /// 404: the object does not exist.
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{resource} {} not found", quote(name))).about(resource, name)
    }

    /// 404: nothing is served at this path.
    pub fn page_not_found() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").with_details(Details::default())
    }

    /// 409: the name is taken.
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{resource} {} already exists", quote(name))).about(resource, name)
    }

    /// 409: the object changed meanwhile, or a precondition failed.
    pub fn conflict(resource: &GroupResource, name: &str, why: impl fmt::Display) -> Self {
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {resource} {}: {why}", quote(name)))
            .about(resource, name)
    }

    /// 409 with the words of a stale resourceVersion.
    pub fn modified(resource: &GroupResource, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 403: refused by authorization or admission.
    pub fn forbidden(resource: &GroupResource, name: &str, why: impl fmt::Display) -> Self {
        let message = match (resource.resource.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {why}"),
            (false, true) => format!("{resource} is forbidden: {why}"),
            (false, false) => format!("{resource} {} is forbidden: {why}", quote(name)),
        };
        Self::new(403, "Forbidden", message).about(resource, name)
    }

    /// 401: nobody knows who this is.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 422: the object breaks rules; each fault becomes a cause.
    pub fn invalid(kind: &GroupKind, name: &str, errors: &Errors) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for error in &errors.0 {
            let line = error.to_string();
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let all = if lines.len() == 1 { lines.remove(0) } else { format!("[{}]", lines.join(", ")) };
        let causes = errors
            .0
            .iter()
            .map(|e| Cause { reason: e.fault.reason().to_owned(), message: e.body(), field: e.field.clone() })
            .collect();
        let message = if errors.is_empty() {
            format!("{kind} {} is invalid", quote(name))
        } else {
            format!("{kind} {} is invalid: {all}", quote(name))
        };
        Self::new(422, "Invalid", message).with_details(Details {
            name: name.to_owned(),
            group: kind.group.to_string(),
            kind: kind.kind.to_string(),
            causes,
            ..Details::default()
        })
    }

    /// 405: the resource does not do that.
    pub fn method_not_supported(resource: &GroupResource, action: &str) -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            format!("{action} is not supported on resources of kind {}", quote(&resource.to_string())),
        )
        .about(resource, "")
    }

    /// 406: none of the accepted media types is spoken here.
    pub fn not_acceptable(accepted: &[&str]) -> Self {
        Self::new(406, "NotAcceptable", format!("only the following media types are accepted: {}", accepted.join(", ")))
    }

    /// 415: the body's media type is not understood.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        Self::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format - accepted media types include: {}", accepted.join(", ")),
        )
    }

    /// 413: a body or a limit is exceeded.
    pub fn too_large(message: impl fmt::Display) -> Self {
        Self::new(413, "RequestEntityTooLarge", format!("Request entity too large: {message}"))
    }

    /// 410: the revision asked for is gone.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 429: come back later.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: i32) -> Self {
        Self::new(429, "TooManyRequests", message).with_details(Details { retry_after_seconds, ..Details::default() })
    }

    /// 504: it took too long.
    pub fn timeout(message: impl fmt::Display, retry_after_seconds: i32) -> Self {
        Self::new(504, "Timeout", format!("Timeout: {message}"))
            .with_details(Details { retry_after_seconds, ..Details::default() })
    }

    /// 504: the revision asked for has not been reached.
    pub fn too_large_revision(asked: u64, current: u64) -> Self {
        Self::timeout(format_args!("Too large resource version: {asked}, current: {current}"), 1).with_cause(Cause {
            reason: "ResourceVersionTooLarge".to_owned(),
            message: "Too large resource version".to_owned(),
            ..Cause::default()
        })
    }

    /// 500 with upstream's words for "try that again".
    pub fn server_timeout(resource: &GroupResource, operation: &str, retry_after_seconds: i32) -> Self {
        let message =
            format!("The {operation} operation against {resource} could not be completed at this time, please try again.");
        Self::new(500, "ServerTimeout", message).with_details(Details {
            name: operation.to_owned(),
            group: resource.group.to_string(),
            kind: resource.resource.to_string(),
            retry_after_seconds,
            ..Details::default()
        })
    }

    /// 409: none of the names tried for a `generateName` was free.
    pub fn generate_name_conflict(resource: &GroupResource, name: &str) -> Self {
        let message = format!(
            "{resource} {} already exists, the server was not able to generate a unique name for the object",
            quote(name)
        );
        let mut status = Self::new(409, "AlreadyExists", message).about(resource, name);
        status.details.get_or_insert_default().retry_after_seconds = 1;
        status
    }

    /// 503: not now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// 500: our own fault. The message reaches the client: keep paths and secrets out of it.
    pub fn internal(error: impl fmt::Display) -> Self {
        let error = error.to_string();
        Self::new(500, "InternalError", format!("Internal error occurred: {error}"))
            .with_details(Details { causes: vec![Cause { message: error, ..Cause::default() }], ..Details::default() })
    }

    /// The same failure with these details.
    pub fn with_details(mut self, details: Details) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// The same failure, with where an expired list may go on at the price of consistency.
    pub fn with_continuation(mut self, token: String) -> Self {
        let metadata = Map::from_iter([("continue".to_owned(), token.into())]);
        self.foreign = Some(Box::new(Foreign { metadata, status: String::new() }));
        self
    }

    /// The same failure with one more cause.
    pub fn with_cause(mut self, cause: Cause) -> Self {
        self.details.get_or_insert_default().causes.push(cause);
        self
    }

    /// Seconds for the `Retry-After` header, if it is said.
    pub fn retry_after_seconds(&self) -> Option<i32> {
        self.details.as_ref().map(|d| d.retry_after_seconds).filter(|s| *s > 0)
    }

    /// A `Status` that somebody else wrote. What is not said is 0 or empty.
    pub fn from_object(object: &Value) -> Self {
        Self {
            code: number(object, "code").and_then(|code| u16::try_from(code).ok()).unwrap_or(0),
            reason: Cow::Owned(text(object, "reason")),
            message: text(object, "message"),
            details: object.get("details").filter(|details| details.is_object()).map(|d| Box::new(Details::from_object(d))),
            foreign: Foreign::from_object(object).map(Box::new),
        }
    }

    /// The `Status` object in upstream's field order.
    pub fn to_object(&self) -> Value {
        let mut object = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"});
        if let Some(foreign) = &self.foreign {
            object["metadata"] = Value::Object(foreign.metadata.clone());
            if !foreign.status.is_empty() {
                object["status"] = foreign.status.as_str().into();
            }
        }
        if !self.message.is_empty() {
            object["message"] = self.message.as_str().into();
        }
        if !self.reason.is_empty() {
            object["reason"] = (*self.reason).into();
        }
        if let Some(details) = &self.details {
            object["details"] = details.to_object();
        }
        object["code"] = self.code.into();
        object
    }
}

fn text(object: &Value, field: &str) -> String {
    object.get(field).and_then(Value::as_str).unwrap_or("").to_owned()
}

fn number(object: &Value, field: &str) -> Option<i64> {
    object.get(field).and_then(Value::as_i64)
}

impl Foreign {
    fn from_object(object: &Value) -> Option<Self> {
        let given = |field: &&str| {
            let value = object.get("metadata")?.get(field).filter(|value| !value.is_null() && *value != "")?;
            Some(((*field).to_owned(), value.clone()))
        };
        let metadata: Map = LIST_META.iter().filter_map(given).collect();
        let status =
            Some(text(object, "status")).filter(|status| !matches!(&**status, "Success" | "Failure")).unwrap_or_default();
        (!metadata.is_empty() || !status.is_empty()).then_some(Self { metadata, status })
    }
}

impl Details {
    fn from_object(object: &Value) -> Self {
        let causes = object.get("causes").and_then(Value::as_array).into_iter().flatten();
        Self {
            name: text(object, "name"),
            group: text(object, "group"),
            kind: text(object, "kind"),
            uid: text(object, "uid"),
            causes: causes.map(Cause::from_object).collect(),
            retry_after_seconds: number(object, "retryAfterSeconds").and_then(|s| i32::try_from(s).ok()).unwrap_or(0),
        }
    }

    fn to_object(&self) -> Value {
        let mut object = json!({});
        for (field, text) in [("name", &self.name), ("group", &self.group), ("kind", &self.kind), ("uid", &self.uid)] {
            if !text.is_empty() {
                object[field] = text.as_str().into();
            }
        }
        if !self.causes.is_empty() {
            object["causes"] = self.causes.iter().map(Cause::to_object).collect();
        }
        if self.retry_after_seconds != 0 {
            object["retryAfterSeconds"] = self.retry_after_seconds.into();
        }
        object
    }
}

impl Cause {
    fn from_object(object: &Value) -> Self {
        Self { reason: text(object, "reason"), message: text(object, "message"), field: text(object, "field") }
    }

    fn to_object(&self) -> Value {
        let mut object = json!({});
        for (field, text) in [("reason", &self.reason), ("message", &self.message), ("field", &self.field)] {
            if !text.is_empty() {
                object[field] = text.as_str().into();
            }
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_wrote_is_passed_on() {
        let written = json!({
            "metadata": {"resourceVersion": "7", "selfLink": "", "labels": {}}, "status": "Odd", "message": "no", "reason": "Busy",
            "details": {"name": "n", "uid": "u", "causes": [{"field": "a"}], "retryAfterSeconds": 3}, "code": 418,
        });
        let read = Status::from_object(&written).to_object();
        assert_eq!(
            read.to_string(),
            r#"{"kind":"Status","apiVersion":"v1","metadata":{"resourceVersion":"7"},"status":"Odd","message":"no","reason":"Busy","details":{"name":"n","uid":"u","causes":[{"field":"a"}],"retryAfterSeconds":3},"code":418}"#
        );
        for (status, plain) in [("Success", true), ("Failure", true), ("", true), ("Odd", false)] {
            assert_eq!(Status::from_object(&json!({"status": status})).foreign.is_none(), plain, "{status}");
        }
    }
}
