//! How objects are converted between versions. Upstream: `validateCustomResourceConversion` and
//! `apiserver/pkg/util/webhook/validation.go`. Converts nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::field::{Errors, Path};
use model::name::{is_dns1035_label, is_dns1123_subdomain, is_valid_port_num};
use model::{Value, repeats};

use super::old::Demands;
use crate::hooks::rules::get;

/// Versions of ConversionReview that are understood, sorted.
const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const NOT_WEBHOOK: &str = "should not be set when strategy is not set to Webhook";
const URL_FORM: &str = "; desired format: https://host[/path]";

pub(super) fn validate(spec: &Value, demands: &Demands, path: &Path<'_>, errors: &mut Errors) {
    let Some(conversion) = get::object(spec, "conversion") else { return };
    let strategy = get::text(conversion, "strategy");
    let field = path.child("strategy");
    if strategy != "None" && get::is(spec, "preserveUnknownFields") {
        errors.invalid(&field, strategy, "must be None if spec.preserveUnknownFields is true");
    }
    match strategy {
        "" => errors.required(&field, ""),
        "None" | "Webhook" => {}
        other => errors.not_supported_plain(&field, other, &["None", "Webhook"]),
    }
    let webhook = get::at(conversion, "webhook");
    let config = get::object(webhook, "clientConfig");
    let versions: Vec<&str> = get::strings(webhook, "conversionReviewVersions").collect();
    let (config_path, versions_path) = (path.child("webhookClientConfig"), path.child("conversionReviewVersions"));
    if strategy != "Webhook" {
        if config.is_some() {
            errors.forbidden(&config_path, NOT_WEBHOOK);
        }
        if !versions.is_empty() {
            errors.forbidden(&versions_path, NOT_WEBHOOK);
        }
        return;
    }
    match config {
        None => errors.required(&config_path, "required when strategy is set to Webhook"),
        Some(config) => client_config(config, demands, &config_path, errors),
    }
    review_versions(&versions, demands, &versions_path, errors);
}

fn client_config(config: &Value, demands: &Demands, path: &Path<'_>, errors: &mut Errors) {
    match (get::string(config, "url"), get::object(config, "service")) {
        (Some(text), None) => url(text, &path.child("url"), errors),
        (None, Some(reference)) => service(reference, &path.child("service"), errors),
        _ => errors.required(path, "exactly one of url or service is required"),
    }
    let bundle = get::text(config, "caBundle");
    if !bundle.is_empty()
        && demands.ca_bundle
        && let Some(words) = ca_bundle_fault(bundle)
    {
        errors.invalid(&path.child("caBundle"), bundle, words);
    }
}

fn url(text: &str, path: &Path<'_>, errors: &mut Errors) {
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = rest.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", rest));
    let authority = rest.strip_prefix("//").map_or("", |rest| rest.split('/').next().unwrap_or(""));
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let scheme = scheme.to_lowercase();
    if scheme != "https" {
        errors.invalid(path, scheme, format!("'https' is the only allowed URL scheme{URL_FORM}"));
    }
    if host.is_empty() {
        errors.invalid(path, host, format!("host must be specified{URL_FORM}"));
    }
    if let Some(user) = user {
        errors.invalid(path, user, "user information is not permitted in the URL");
    }
    if !fragment.is_empty() {
        errors.invalid(path, fragment, "fragments are not permitted in the URL");
    }
    if !query.is_empty() {
        errors.invalid(path, query, "query parameters are not permitted in the URL");
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn service(reference: &Value, path: &Path<'_>, errors: &mut Errors) {
    // Upstream hands name and namespace over in the wrong order, so that each is asked for in place of the other.
    for (field, other) in [("name", "namespace"), ("namespace", "name")] {
        if get::text(reference, other).is_empty() {
            errors.required(&path.child(field), "");
        }
    }
    let port = get::int(reference, "port").unwrap_or(443);
    let wrong = is_valid_port_num(port);
    if !wrong.is_empty() {
        errors.invalid(&path.child("port"), port, format!("port is not valid: {}", wrong.join(", ")));
    }
    if let Some(text) = get::string(reference, "path") {
        service_path(text, &path.child("path"), errors);
    }
}

fn service_path(text: &str, path: &Path<'_>, errors: &mut Errors) {
    match text {
        "" | "/" => return,
        "//" => return errors.invalid(path, text, "segment[0] may not be empty"),
        _ => {}
    }
    if !text.starts_with('/') {
        errors.invalid(path, text, "must start with a '/'");
    }
    // Whatever comes first is left out, a slash or not.
    let mut chars = text.chars();
    chars.next();
    let steps = chars.as_str();
    for (i, step) in steps.strip_suffix('/').unwrap_or(steps).split('/').enumerate() {
        if step.is_empty() {
            errors.invalid(path, text, format!("segment[{i}] may not be empty"));
            continue;
        }
        for words in is_dns1123_subdomain(step) {
            errors.invalid(path, text, format!("segment[{i}]: {words}"));
        }
    }
}

fn review_versions(versions: &[&str], demands: &Demands, path: &Path<'_>, errors: &mut Errors) {
    if versions.is_empty() {
        return errors.required(path, "");
    }
    for (i, (version, is_repeated)) in versions.iter().zip(repeats(versions)).enumerate() {
        if is_repeated {
            errors.invalid(&path.index(i), *version, "duplicate version");
            continue;
        }
        for words in is_dns1035_label(version) {
            errors.invalid(&path.index(i), *version, words);
        }
    }
    if demands.recognized_review_version && !versions.iter().any(|version| REVIEW_VERSIONS.contains(version)) {
        errors.invalid(path, versions.to_vec(), format!("must include at least one of {}", REVIEW_VERSIONS.join(", ")));
    }
}

/// Whether a stored definition names a version of ConversionReview that is understood, or none at all.
pub(super) fn has_recognized_version(old: &Value) -> bool {
    let mut versions = get::strings(get::at(old, "spec.conversion.webhook"), "conversionReviewVersions").peekable();
    versions.peek().is_none() || versions.any(|version| REVIEW_VERSIONS.contains(&version))
}

/// Whether a stored definition has authorities that cannot be read.
pub(super) fn has_broken_ca_bundle(old: &Value) -> bool {
    let bundle = get::text(get::at(old, "spec.conversion.webhook.clientConfig"), "caBundle");
    !bundle.is_empty() && ca_bundle_fault(bundle).is_some()
}

/// Why no authorities can be read from a bundle. Looks for certificates, not into them.
fn ca_bundle_fault(bundle: &str) -> Option<String> {
    let data = STANDARD.decode(bundle).unwrap_or_default();
    let text = String::from_utf8_lossy(&data);
    let words = if text.contains("-----BEGIN CERTIFICATE-----") && text.contains("-----END CERTIFICATE-----") {
        return None;
    } else if text.contains("-----BEGIN ") && text.contains("-----END ") {
        "no valid certificate authority data seen"
    } else {
        "unable to parse bytes as PEM block"
    };
    Some(format!("unable to load root certificates: {words}"))
}
