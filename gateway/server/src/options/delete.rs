//! `DeleteOptions`, from a body or from the query.

use model::field::{Errors, Fault, Path};
use model::json::json;
use model::world::Propagation;
use model::{Query, Status, Value};

use super::{refuse, wrong_type};

/// How a delete goes about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Nothing is deleted.
    pub dry_run: bool,
    /// Seconds of grace; the kind's default when unsaid.
    pub grace_period_seconds: Option<i64>,
    /// Only the object with this uid.
    pub uid: Option<String>,
    /// Only the object at this revision.
    pub resource_version: Option<String>,
    /// The older spelling of the policy.
    pub orphan_dependents: Option<bool>,
    /// `Orphan`, `Background` or `Foreground`.
    pub propagation_policy: Option<String>,
    /// Only an object that cannot be read any more, past everything that would have to read it.
    pub ignore_read_error: bool,
}

/// Kinds that every reader of upstream's knows, whatever it is about.
const UNVERSIONED: [&str; 5] = ["Status", "APIVersions", "APIGroupList", "APIGroup", "APIResourceList"];
/// The name that says at once what it may lead to.
pub(crate) const IGNORE_READ_ERROR: &str = "ignoreStoreReadErrorWithClusterBreakingPotential";

impl DeleteOptions {
    /// From the query. Fails with upstream's 400 and 422.
    pub fn from_query(query: &Query) -> Result<Self, Status> {
        let dry_run: Vec<&str> = query.all("dryRun").collect();
        // Preconditions, which upstream names in none of its documents.
        let precondition = |name: &str| query.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let options = Self {
            dry_run: !dry_run.is_empty(),
            grace_period_seconds: query.number("gracePeriodSeconds").map_err(Status::bad_request)?,
            orphan_dependents: query.flag("orphanDependents"),
            propagation_policy: query.get("propagationPolicy").map(str::to_owned),
            ignore_read_error: query.flag(IGNORE_READ_ERROR) == Some(true),
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
        };
        options.validate(&dry_run)?;
        Ok(options)
    }

    /// From a body of any `DeleteOptions` version. Fails with upstream's 400 and 422.
    pub fn from_object(object: &Value) -> Result<Self, Status> {
        let (options, verdict) = Self::heard(object)?;
        verdict?;
        Ok(options)
    }

    /// The same, of whoever judges them later: what can be read, and what is wrong with it. Fails with upstream's 400.
    pub(crate) fn heard(object: &Value) -> Result<(Self, Result<(), Status>), Status> {
        match object.get("kind").and_then(Value::as_str) {
            None | Some("" | "DeleteOptions") => {}
            Some(kind) => {
                if UNVERSIONED.contains(&kind) {
                    return Err(Status::bad_request(format!("converting (v1.{kind}) to (v1.DeleteOptions): unknown conversion")));
                }
                let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or("");
                return Err(Status::bad_request(format!(
                    "no kind \"{kind}\" is registered for version \"{version}\" in scheme \"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:31\""
                )));
            }
        }
        let text = |owner: &Value, field: &str| match owner.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(Status::bad_request(wrong_type(field, other, "string"))),
        };
        let flag = |field: &str| match object.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(yes)) => Ok(Some(*yes)),
            Some(other) => Err(Status::bad_request(wrong_type(field, other, "bool"))),
        };
        let preconditions = match object.get("preconditions") {
            None | Some(Value::Null) => Value::Null,
            Some(Value::Object(map)) => Value::Object(map.clone()),
            Some(other) => return Err(Status::bad_request(wrong_type("preconditions", other, "v1.Preconditions"))),
        };
        let dry_run = dry_run(object)?;
        let options = Self {
            dry_run: !dry_run.is_empty(),
            grace_period_seconds: match object.get("gracePeriodSeconds") {
                None | Some(Value::Null) => None,
                Some(value) => {
                    Some(value.as_i64().ok_or_else(|| Status::bad_request(wrong_type("gracePeriodSeconds", value, "int64")))?)
                }
            },
            uid: text(&preconditions, "uid")?,
            resource_version: text(&preconditions, "resourceVersion")?,
            orphan_dependents: flag("orphanDependents")?,
            propagation_policy: text(object, "propagationPolicy")?,
            ignore_read_error: flag(IGNORE_READ_ERROR)? == Some(true),
        };
        let verdict = options.validate(&dry_run);
        Ok((options, verdict))
    }

    /// From what a client inside the process asks.
    pub fn from_world(options: &model::world::DeleteOptions) -> Self {
        let policy = match options.propagation {
            Propagation::Default => None,
            Propagation::Orphan => Some("Orphan"),
            Propagation::Background => Some("Background"),
            Propagation::Foreground => Some("Foreground"),
        };
        Self {
            uid: options.uid.clone(),
            resource_version: options.resource_version.clone(),
            grace_period_seconds: options.grace_period_seconds,
            propagation_policy: policy.map(str::to_owned),
            ..Self::default()
        }
    }

    /// Whether nothing is said about dependants.
    pub fn leaves_dependents_unsaid(&self) -> bool {
        self.propagation_policy.is_none() && self.orphan_dependents.is_none()
    }

    fn validate(&self, dry_run: &[&str]) -> Result<(), Status> {
        let mut errors = Errors::new();
        let path = Path::new("propagationPolicy");
        if let Some(policy) = &self.propagation_policy {
            if self.orphan_dependents.is_some() {
                let detail = "orphanDependents and deletionPropagation cannot be both set";
                errors.push(Fault::Invalid, &path, Some(policy.as_str().into()), detail);
            }
            if !matches!(policy.as_str(), "Foreground" | "Background" | "Orphan") {
                errors.not_supported(&path, policy.as_str(), &["Foreground", "Background", "Orphan", "nil"]);
            }
        }
        super::dry_run(dry_run, &mut errors);
        if self.ignore_read_error {
            for (field, is_set) in [
                ("propagationPolicy", self.propagation_policy.is_some()),
                ("orphanDependents", self.orphan_dependents.is_some()),
                ("gracePeriodSeconds", self.grace_period_seconds.is_some()),
                ("preconditions", self.uid.is_some() || self.resource_version.is_some()),
            ] {
                if is_set {
                    errors.invalid(&Path::new(IGNORE_READ_ERROR), true, format!("cannot be set together with .{field}"));
                }
            }
        }
        refuse("DeleteOptions", &errors)
    }

    /// Whether one delete may be for many objects. Fails with upstream's 422 when not.
    pub fn check_for_many(&self) -> Result<(), Status> {
        let mut errors = Errors::new();
        if self.ignore_read_error {
            let why = "is not allowed with DELETECOLLECTION, try again after removing the option";
            errors.invalid(&Path::new(IGNORE_READ_ERROR), true, why);
        }
        refuse("DeleteOptions", &errors)
    }

    /// The options as admission sees them.
    pub fn to_object(&self) -> Value {
        let mut object = json!({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"});
        if let Some(seconds) = self.grace_period_seconds {
            object["gracePeriodSeconds"] = seconds.into();
        }
        for (field, text) in [("uid", &self.uid), ("resourceVersion", &self.resource_version)] {
            if let Some(text) = text {
                object["preconditions"][field] = text.as_str().into();
            }
        }
        if let Some(orphan) = self.orphan_dependents {
            object["orphanDependents"] = orphan.into();
        }
        if let Some(policy) = &self.propagation_policy {
            object["propagationPolicy"] = policy.as_str().into();
        }
        if self.dry_run {
            object["dryRun"] = json!(["All"]);
        }
        object
    }
}

/// What stays undone: whoever asks for that in words that nobody understands must not have anything deleted.
fn dry_run(object: &Value) -> Result<Vec<&str>, Status> {
    match object.get("dryRun") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(stages)) => {
            let stage = |stage: &'_ Value| match stage {
                Value::Null => Ok(()),
                Value::String(_) => Ok(()),
                other => Err(Status::bad_request(wrong_type("dryRun", other, "string"))),
            };
            stages.iter().try_for_each(stage)?;
            Ok(stages.iter().map(|stage| stage.as_str().unwrap_or("")).collect())
        }
        Some(other) => Err(Status::bad_request(wrong_type("dryRun", other, "[]string"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_and_query_say_the_same() {
        let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 5, "propagationPolicy": "Orphan"});
        let query = Query::parse("gracePeriodSeconds=5&propagationPolicy=Orphan");
        assert_eq!(DeleteOptions::from_object(&body).unwrap(), DeleteOptions::from_query(&query).unwrap());
        let body = json!({"preconditions": {"uid": "u", "resourceVersion": "7"}});
        let query = Query::parse("uid=u&resourceVersion=7");
        assert_eq!(DeleteOptions::from_object(&body).unwrap(), DeleteOptions::from_query(&query).unwrap());
        assert_eq!(DeleteOptions::from_query(&Query::parse("uid=&resourceVersion=")).unwrap(), DeleteOptions::default());
        let body = json!({"preconditions": {"uid": "u"}, "dryRun": ["All"]});
        let options = DeleteOptions::from_object(&body).unwrap();
        assert_eq!((options.uid.as_deref(), options.dry_run), (Some("u"), true));
    }

    #[test]
    fn refuses_with_upstreams_words() {
        let message = |query: &str| DeleteOptions::from_query(&Query::parse(query)).unwrap_err().message;
        let invalid = "DeleteOptions.meta.k8s.io \"\" is invalid: ";
        assert_eq!(
            message("propagationPolicy=Later"),
            format!(
                "{invalid}propagationPolicy: Unsupported value: \"Later\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
            )
        );
        assert_eq!(
            message("propagationPolicy=Orphan&orphanDependents=true"),
            format!(
                "{invalid}propagationPolicy: Invalid value: \"Orphan\": orphanDependents and deletionPropagation cannot be both set"
            )
        );
        let status = DeleteOptions::from_object(&json!({"kind": "Status", "apiVersion": "v1"})).unwrap_err();
        assert_eq!(status.message, "converting (v1.Status) to (v1.DeleteOptions): unknown conversion");
        let wrong = DeleteOptions::from_object(&json!({"gracePeriodSeconds": "x"})).unwrap_err();
        assert_eq!(wrong.code, 400);
        assert_eq!(
            message("ignoreStoreReadErrorWithClusterBreakingPotential=true&gracePeriodSeconds=0"),
            format!(
                "{invalid}ignoreStoreReadErrorWithClusterBreakingPotential: Invalid value: true: cannot be set together with .gracePeriodSeconds"
            )
        );
        let unsafely = DeleteOptions { ignore_read_error: true, ..DeleteOptions::default() };
        assert_eq!(unsafely.check_for_many().unwrap_err().code, 422);
    }
}
