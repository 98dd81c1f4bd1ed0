//! ClusterRoleBinding: as RoleBinding, granting cluster roles only.
//! Follows `pkg/apis/rbac/validation`.

use super::{Hooks, rolebinding};

pub(super) const HOOKS: Hooks = Hooks {
    default: Some(rolebinding::default),
    validate: Some(|new, errors| rolebinding::validate(new, &["ClusterRole"], errors)),
    validate_update: Some(|new, old, errors| rolebinding::validate_update(new, old, &["ClusterRole"], errors)),
    without_unsafe_delete: true,
    ..Hooks::NONE
};
