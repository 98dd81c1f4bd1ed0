//! What the macros `validator!` and `mutator!` call: bytes of the contract to Rust values and back.
//! Works natively too, so that cases run without wasm.

use std::sync::OnceLock;

use serde::de::DeserializeOwned;

use crate::bindings::validator::gatehouse::policy::types;
use crate::{Mutator, Patch, Policy, Review, Validator, Verdict};

/// `describe` of the contract.
pub fn describe<P: Policy>() -> types::Metadata {
    let about = P::ABOUT;
    let owned = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect();
    types::Metadata {
        name: about.name.to_owned(),
        version: about.version.to_owned(),
        description: about.description.to_owned(),
        settings_schema: schemars::schema_for!(P::Settings).as_value().to_string(),
        reads: owned(about.reads),
        writes: owned(about.writes),
        rules: about
            .rules
            .iter()
            .map(|(name, description)| types::Rule { name: (*name).to_owned(), description: (*description).to_owned() })
            .collect(),
        reads_request: P::READS_REQUEST.to_vec(),
        needs_user: P::NEEDS_USER,
    }
}

/// `configure` of the contract: keeps the settings for the calls that follow.
pub fn configure<P: Policy>(json: &[u8], kept: &OnceLock<P::Settings>) -> Result<(), Vec<types::Violation>> {
    let settings = settings::<P>(json)?;
    // The host configures an instance once; were it to do so again, the first settings would stay.
    let _ = kept.set(settings);
    Ok(())
}

/// The settings, or what is wrong with them.
pub fn settings<P: Policy>(json: &[u8]) -> Result<P::Settings, Vec<types::Violation>> {
    let settings: P::Settings = serde_json::from_slice(json).map_err(|error| {
        let mut wrong = Verdict::default();
        wrong.violation("settings", "", error.to_string());
        wrong.violations
    })?;
    let mut wrong = Verdict::default();
    P::check(&settings, &mut wrong);
    if wrong.violations.is_empty() { Ok(settings) } else { Err(wrong.violations) }
}

/// `validate` of the contract.
pub fn validate<P: Validator>(
    settings: &OnceLock<P::Settings>,
    request: types::Request,
    object: Option<types::Json>,
    old: Option<types::Json>,
    params: Option<types::Json>,
) -> Result<types::Verdict, String> {
    let settings = settings.get().ok_or("validate was called before configure")?;
    let review =
        Review { request, object: parse(object.as_deref())?, old: parse(old.as_deref())?, params: parse(params.as_deref())? };
    let mut verdict = Verdict::default();
    P::validate(settings, &review, &mut verdict);
    if let Some(why) = verdict.unjudged {
        return Err(why);
    }
    Ok(types::Verdict { violations: verdict.violations, warnings: verdict.warnings })
}

/// `mutate` of the contract.
pub fn mutate<P: Mutator>(
    settings: &OnceLock<P::Settings>,
    request: types::Request,
    object: types::Json,
    old: Option<types::Json>,
    params: Option<types::Json>,
) -> Result<types::Mutation, String> {
    let settings = settings.get().ok_or("mutate was called before configure")?;
    let mut patch = Patch::of(parse(Some(&object))?.unwrap_or_default());
    let review =
        Review { request, object: parse(Some(&object))?, old: parse(old.as_deref())?, params: parse(params.as_deref())? };
    P::mutate(settings, &review, &mut patch);
    if let Some(why) = patch.unjudged {
        return Err(why);
    }
    let operations = patch.operations();
    let bytes = (!operations.is_empty()).then(|| serde_json::to_vec(operations)).transpose();
    Ok(types::Mutation { patch: bytes.map_err(|error| error.to_string())?, warnings: patch.warnings })
}

fn parse<T: DeserializeOwned>(json: Option<&[u8]>) -> Result<Option<T>, String> {
    json.map(serde_json::from_slice).transpose().map_err(|error| format!("the object has not the form it should have: {error}"))
}
