//! `spec.resourceClaims`. Follows `validatePodResourceClaims`.

use model::Value;
use model::field::{Errors, Path};

use super::super::rules::{get, internal, text};
use super::annotations::MIRROR;

/// `validatePodResourceClaims`.
pub(super) fn validate(spec: &Value, metadata: &Value, path: &Path, errors: &mut Errors) {
    let path = path.child("resourceClaims");
    let claims = get::list(spec, "resourceClaims");
    let mirror = get::at(metadata, "annotations").get(MIRROR).is_some();
    for (i, (claim, is_repeated)) in claims.iter().zip(get::repeated(claims, "name")).enumerate() {
        if mirror {
            errors.forbidden(&Path::new(""), "static pods do not support resource claims");
        } else {
            one(claim, is_repeated, &path.index(i), errors);
        }
    }
}

fn one(claim: &Value, is_repeated: bool, path: &Path, errors: &mut Errors) {
    let name = get::text(claim, "name");
    if name.is_empty() {
        errors.required(&path.child("name"), "");
    } else if is_repeated {
        errors.duplicate(&path.child("name"), name);
    } else {
        text::dns_label(name, &path.child("name"), errors);
    }
    let (claim_name, template) = (get::string(claim, "resourceClaimName"), get::string(claim, "resourceClaimTemplateName"));
    let shown = || internal::show(claim, internal::POD_RESOURCE_CLAIM);
    if claim_name.is_some() && template.is_some() {
        errors.invalid(path, shown(), "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified");
    }
    if claim_name.is_none() && template.is_none() {
        errors.invalid(path, shown(), "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
    }
    for (field, value) in [("resourceClaimName", claim_name), ("resourceClaimTemplateName", template)] {
        if let Some(value) = value {
            text::dns_subdomain(value, &path.child(field), errors);
        }
    }
}
