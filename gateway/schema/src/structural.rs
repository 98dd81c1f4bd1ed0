//! The structural schema of a custom resource: prune, default, validate. Skeleton of the seam.

use model::field::Errors;
use serde_json::Value;

/// The schema of one version.
#[derive(Debug, Default)]
pub struct Structural {}

impl Structural {
    /// The schema of one version: the value of `spec.versions[].schema.openAPIV3Schema`.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(_schema: &Value) -> Result<Self, String> {
        Ok(Self {})
    }

    /// Drops what the schema does not know; paths of dropped fields are told.
    pub fn prune(&self, _object: &mut Value, _unknown: &mut Vec<String>) {}

    /// Fills in defaults.
    pub fn default(&self, _object: &mut Value) {}

    /// Validates.
    pub fn validate(&self, _new: &Value, _old: Option<&Value>, _errors: &mut Errors) {}
}
