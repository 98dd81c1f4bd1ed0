//! File paths inside volumes.

use model::field::{Errors, Path};

/// `validateLocalDescendingPath`: relative, and never up.
pub(crate) fn local_descending(target: &str, path: &Path, errors: &mut Errors) {
    if target.starts_with('/') {
        errors.invalid(path, target, "must be a relative path");
    }
    no_backsteps(target, path, errors);
}

/// `validatePathNoBacksteps`.
pub(crate) fn no_backsteps(target: &str, path: &Path, errors: &mut Errors) {
    if has_backsteps(target) {
        errors.invalid(path, target, "must not contain '..'");
    }
}

/// Whether an element of the path is `..`.
pub(crate) fn has_backsteps(target: &str) -> bool {
    target.split('/').any(|item| item == "..")
}

/// `ValidateLocalNonReservedPath`: neither does it begin with `..`.
pub(crate) fn local_non_reserved(target: &str, path: &Path, errors: &mut Errors) {
    local_descending(target, path, errors);
    if target.starts_with("..") && !target.starts_with("../") {
        errors.invalid(path, target, "must not start with '..'");
    }
}
