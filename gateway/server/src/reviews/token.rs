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
    review["status"] = status(gate.authn.authenticate_token(token(&review), &audiences, call.now));
    Ok(review)
}

fn status(outcome: Result<Option<Identity>, Refused>) -> Value {
    match outcome {
        Ok(Some(identity)) => {
            let mut status = json!({"authenticated": true, "user": identity.user.to_info()});
            if !identity.audiences.is_empty() {
                status["audiences"] = json!(identity.audiences);
            }
            status
        }
        Ok(None) => json!({"user": {}, "error": "invalid bearer token"}),
        Err(refused) => json!({"user": {}, "error": refused.0.join("; ")}),
    }
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
            status(Ok(Some(identity))),
            json!({"authenticated": true, "user": {"username": "bot", "groups": ["system:authenticated"]}, "audiences": ["api"]})
        );
        assert_eq!(status(Ok(None)), json!({"user": {}, "error": "invalid bearer token"}));
        assert_eq!(status(Err(Refused(vec!["token expired".into()]))), json!({"user": {}, "error": "token expired"}));
    }
}
