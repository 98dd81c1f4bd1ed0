//! TokenReview: whose token is this? Follows `pkg/registry/authentication/tokenreview`. The token is not repeated in logs.

use authn::{Identity, Refused};
use model::json::json;
use model::{Status, Value};

use super::Question;
use crate::call::Call;
use crate::gate::Gate;

/// Says whose token it is.
pub(super) const WHOSE: Question = Question { check, reply: whose };

fn check(review: &Value) -> Result<(), Status> {
    if token(review).is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    Ok(())
}

fn token(review: &Value) -> &str {
    review.pointer("/spec/token").and_then(Value::as_str).unwrap_or("")
}

fn whose(gate: &Gate, call: &Call, mut review: Value) -> Result<Value, Status> {
    let audiences = review.pointer("/spec/audiences").and_then(Value::as_array).into_iter().flatten();
    let audiences: Vec<String> = audiences.filter_map(Value::as_str).map(str::to_owned).collect();
    let outcome = gate.authn.authenticate_token(token(&review), &audiences, call.now);
    review["status"] = status(review.get("status"), outcome);
    Ok(review)
}

/// What is found out takes the place of what the client said; the rest of that comes back to it.
fn status(said: Option<&Value>, outcome: Result<Option<Identity>, Refused>) -> Value {
    let mut status = said.and_then(Value::as_object).cloned().unwrap_or_default();
    status.shift_remove("authenticated");
    match outcome {
        Ok(Some(identity)) => {
            status.insert("authenticated", true.into());
            status.insert("user", identity.user.to_info());
            status.shift_remove("audiences");
            if !identity.audiences.is_empty() {
                status.insert("audiences", json!(identity.audiences));
            }
        }
        Ok(None) => drop(status.insert("error", "invalid bearer token".into())),
        Err(refused) => drop(status.insert("error", refused.0.join("; ").into())),
    }
    status.entry("user").or_insert_with(|| json!({}));
    status.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::User;

    #[test]
    fn the_answer_names_the_user_or_says_why_not() {
        let identity =
            Identity { user: User::new("bot", &["system:authenticated"]), audiences: vec!["api".into()], legacy: None };
        assert_eq!(
            status(None, Ok(Some(identity.clone()))),
            json!({"authenticated": true, "user": {"username": "bot", "groups": ["system:authenticated"]}, "audiences": ["api"]})
        );
        assert_eq!(status(None, Ok(None)), json!({"user": {}, "error": "invalid bearer token"}));
        assert_eq!(status(None, Err(Refused(vec!["token expired".into()]))), json!({"user": {}, "error": "token expired"}));
        let said = json!({"authenticated": true, "user": {"username": "root"}, "audiences": ["mine"], "error": "none"});
        assert_eq!(
            status(Some(&said), Ok(None)),
            json!({"user": {"username": "root"}, "audiences": ["mine"], "error": "invalid bearer token"})
        );
        let found = status(Some(&said), Ok(Some(Identity { audiences: Vec::new(), ..identity })));
        assert_eq!(
            found,
            json!({"authenticated": true, "user": {"username": "bot", "groups": ["system:authenticated"]}, "error": "none"})
        );
    }
}
