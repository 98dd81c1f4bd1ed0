//! Writes into a PolicyBinding who wrote it: the policy reads with this user's rights, so nobody else may say who it is.

use model::json::json;
use model::{User, Value};

use crate::{Operation, Review};

/// Signs a PolicyBinding that is made, or whose spec changes; keeps the earlier author otherwise.
pub(super) fn sign(review: &Review<'_>, object: &mut Value) {
    let is_write = matches!(review.operation, Operation::Create | Operation::Update) && review.subresource.is_empty();
    if !is_write || &*review.resource.resource != "policybindings" {
        return;
    }
    let earlier = review.old.and_then(|old| old.get("spec"));
    let Some(spec) = object.get_mut("spec").filter(|spec| spec.is_object()) else { return };
    let author = match earlier {
        Some(earlier) if unsigned(earlier) == unsigned(spec) => earlier.get("author").cloned(),
        _ => Some(shown(review.user)),
    };
    if let Some(author) = author {
        spec["author"] = author;
    }
}

/// The spec without its author.
fn unsigned(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(fields) = spec.as_object_mut() {
        fields.shift_remove("author");
    }
    spec
}

fn shown(user: &User) -> Value {
    let mut author = json!({"username": user.name});
    if !user.uid.is_empty() {
        author["uid"] = user.uid.as_str().into();
    }
    if !user.groups.is_empty() {
        author["groups"] = user.groups.clone().into();
    }
    if !user.extra.is_empty() {
        author["extra"] = json!(user.extra);
    }
    author
}
