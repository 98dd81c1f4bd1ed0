//! SelfSubjectReview: who asks, as `kubectl auth whoami` shows it.
//! Follows `pkg/registry/authentication/selfsubjectreview`.

use model::clock::rfc3339;
use model::{Status, User, Value};
use serde_json::json;

use crate::call::Call;
use crate::gate::Gate;

/// Says who asks.
pub(super) fn own(_gate: &Gate, call: &Call, mut review: Value) -> Result<Value, Status> {
    review["metadata"] = json!({"creationTimestamp": rfc3339(call.now)});
    review["status"] = json!({"userInfo": user_info(&call.user)});
    Ok(review)
}

/// A user as `UserInfo`, without what is empty.
pub(super) fn user_info(user: &User) -> Value {
    let mut info = json!({});
    for (field, text) in [("username", &user.name), ("uid", &user.uid)] {
        if !text.is_empty() {
            info[field] = text.as_str().into();
        }
    }
    if !user.groups.is_empty() {
        info["groups"] = json!(user.groups);
    }
    if !user.extra.is_empty() {
        info["extra"] = json!(user.extra);
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_left_out() {
        assert_eq!(user_info(&User::new("jane", &["devs"])), json!({"username": "jane", "groups": ["devs"]}));
        assert_eq!(user_info(&User::default()), json!({}));
    }
}
