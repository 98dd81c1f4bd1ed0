//! SelfSubjectReview: who asks, as `kubectl auth whoami` shows it.
//! Follows `pkg/registry/authentication/selfsubjectreview`.

use model::clock::rfc3339;
use model::json::json;
use model::{Status, Value};

use super::Question;
use crate::call::Call;
use crate::gate::Gate;

/// Says who asks.
pub(super) const OWN: Question = Question { check: |_| Ok(()), reply: own };

fn own(_gate: &Gate, call: &Call, mut review: Value) -> Result<Value, Status> {
    review["metadata"] = json!({"creationTimestamp": rfc3339(call.now)});
    review["status"] = json!({"userInfo": call.user.to_info()});
    Ok(review)
}
