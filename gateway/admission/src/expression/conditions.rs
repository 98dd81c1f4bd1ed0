//! `matchConditions`: whether a policy or webhook is about a write after all.
//! Follows `k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions`.

use cel::admission::{Offered, Variables, Yields};
use model::Value;

use super::{CONDITIONS_BUDGET, Exhausted, Expression, Given, Pass, Sight};

/// What it leads to that a condition cannot be evaluated (`failurePolicy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The request is refused.
    Fail,
    /// The policy or webhook is passed over.
    Ignore,
}

/// The conditions of one policy or webhook, compiled. Never made on a request's path.
#[derive(Debug, Default)]
pub struct Conditions(Vec<Expression>);

impl Conditions {
    /// Those in `matchConditions` of a webhook or binding, which see no variables; `params` where there are parameters.
    pub fn compile(holder: &Value, params: bool) -> Self {
        Self::composed(holder, params, None)
    }

    pub(crate) fn composed(holder: &Value, params: bool, variables: Option<&Variables>) -> Self {
        let offered = Offered { params, authorizer: true, patches: false };
        let conditions = holder.get("matchConditions").and_then(Value::as_array).into_iter().flatten();
        let text = |condition: &'_ Value| condition.get("expression").and_then(Value::as_str).unwrap_or("").to_owned();
        Self(conditions.map(|one| Expression::compile(&text(one), Yields::Bool, offered, variables)).collect())
    }

    /// Whether there is none, so that everything matches.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one reads who makes the request, or what they may do.
    pub fn needs_user(&self) -> bool {
        self.0.iter().any(Expression::needs_user)
    }

    /// Whether all hold. One that does not decides, whatever is wrong with others.
    ///
    /// # Errors
    /// What cannot be evaluated, where that refuses the request.
    pub fn hold(&self, sight: &Sight<'_>, params: Option<&Value>, on_error: OnError) -> Result<bool, String> {
        self.hold_with(sight, params, None, on_error)
    }

    pub(crate) fn hold_with(
        &self,
        sight: &Sight<'_>,
        params: Option<&Value>,
        variables: Option<&Variables>,
        on_error: OnError,
    ) -> Result<bool, String> {
        self.evaluate(sight, params, variables, on_error).holds
    }

    /// Whether all hold, and how many were found wrong on the way.
    pub(crate) fn evaluate(
        &self,
        sight: &Sight<'_>,
        params: Option<&Value>,
        variables: Option<&Variables>,
        on_error: OnError,
    ) -> Evaluated {
        let told = |holds, errors| Evaluated { holds, errors };
        if self.0.is_empty() {
            return told(Ok(true), 0);
        }
        let refuse = |why: String| if on_error == OnError::Fail { Err(why) } else { Ok(false) };
        // Upstream gives conditions no namespace.
        let given = Given { params, namespace: None, authorizer: true };
        let mut pass = Pass::new(sight, given, variables, CONDITIONS_BUDGET);
        let results: Result<Vec<_>, Exhausted> = self.0.iter().map(|condition| pass.eval(condition)).collect();
        let results = match results {
            Ok(results) => results,
            Err(exhausted) => return told(refuse(exhausted.to_string()), 0),
        };
        let (mut count, mut errors) = (0, Vec::<String>::new());
        for result in results {
            match result {
                Ok(value) if value.as_bool() == Some(false) => return told(Ok(false), count),
                Ok(_) => {}
                Err(why) => {
                    count += 1;
                    if !errors.contains(&why) {
                        errors.push(why);
                    }
                }
            }
        }
        let holds = match &errors[..] {
            [] => Ok(true),
            [one] => refuse(one.clone()),
            several => refuse(format!("[{}]", several.join(", "))),
        };
        told(holds, count)
    }
}

/// What came of an evaluation.
pub(crate) struct Evaluated {
    /// Whether all hold; or what refuses the request.
    pub(crate) holds: Result<bool, String>,
    /// How many could not be evaluated, before one that does not hold.
    pub(crate) errors: u64,
}
