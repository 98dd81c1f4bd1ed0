//! Writes into a PolicyBinding who wrote it: the policy reads with this user's rights, so nobody else may say who it is.

use model::json::json;
use model::{User, Value};

use crate::{Operation, Review};

/// Signs a PolicyBinding that is made, or whose spec changes; keeps the earlier author, if there is one, otherwise.
pub(super) fn sign(review: &Review<'_>, object: &mut Value) {
    let is_write = matches!(review.operation, Operation::Create | Operation::Update) && review.subresource.is_empty();
    if !is_write || &*review.resource.resource != "policybindings" {
        return;
    }
    let earlier = review.old.and_then(|old| old.get("spec"));
    let Some(spec) = object.get_mut("spec").filter(|spec| spec.is_object()) else { return };
    let kept = earlier.filter(|earlier| unsigned(earlier) == unsigned(spec)).and_then(|earlier| earlier.get("author").cloned());
    spec["author"] = kept.unwrap_or_else(|| shown(review.user));
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
