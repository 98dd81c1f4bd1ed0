//! Who speaks. Does not know how they proved it (`authn`).

use std::collections::BTreeMap;

use crate::json::{Value, json};

/// The group of cluster administrators, allowed everything.
pub const MASTERS: &str = "system:masters";
/// The group of everyone who proved an identity.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of those who did not.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The user name of those who did not.
pub const ANONYMOUS: &str = "system:anonymous";
/// What a kubelet's user name begins with, before the node's.
pub const NODE_PREFIX: &str = "system:node:";
/// The group of kubelets.
pub const NODES: &str = "system:nodes";

/// An identity as `authentication.k8s.io` UserInfo carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// User name, such as `system:serviceaccount:default:builder`.
    pub name: String,
    /// Unique id, often empty.
    pub uid: String,
    /// Groups in the order they were granted.
    pub groups: Vec<String>,
    /// Further facts by key, such as `authentication.kubernetes.io/pod-name`.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A user with a name and groups only.
    pub fn new(name: impl Into<String>, groups: &[&str]) -> Self {
        Self { name: name.into(), groups: groups.iter().map(|g| (*g).to_owned()).collect(), ..Self::default() }
    }

    /// The loopback identity of the server's own parts.
    pub fn loopback() -> Self {
        Self::new("system:apiserver", &[MASTERS, AUTHENTICATED])
    }

    /// A service account, as its tokens name it.
    pub fn of_service_account(namespace: &str, name: &str) -> Self {
        let groups = ["system:serviceaccounts", &format!("system:serviceaccounts:{namespace}"), AUTHENTICATED];
        Self::new(format!("system:serviceaccount:{namespace}:{name}"), &groups)
    }

    /// Whether the user belongs to a group.
    pub fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }

    /// Namespace and name when the user is a service account.
    pub fn service_account(&self) -> Option<(&str, &str)> {
        self.name.strip_prefix("system:serviceaccount:")?.split_once(':')
    }

    /// The node when the user is a kubelet, empty when it does not say which: upstream's `NodeIdentity`.
    pub fn node(&self) -> Option<&str> {
        self.name.strip_prefix(NODE_PREFIX).filter(|_| self.in_group(NODES))
    }

    /// The identity as a `UserInfo` object, without what is empty.
    pub fn to_info(&self) -> Value {
        let mut info = json!({});
        for (field, text) in [("username", &self.name), ("uid", &self.uid)].into_iter().filter(|(_, text)| !text.is_empty()) {
            info[field] = text.as_str().into();
        }
        if !self.groups.is_empty() {
            info["groups"] = json!(self.groups);
        }
        if !self.extra.is_empty() {
            info["extra"] = json!(self.extra);
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelet_is_known_by_its_name_and_its_group() {
        assert_eq!(User::new("system:node:a", &["system:nodes"]).node(), Some("a"));
        assert_eq!(User::new("system:node:", &["system:nodes"]).node(), Some(""));
        assert_eq!(User::new("system:node:a", &["other"]).node(), None);
        assert_eq!(User::new("jane", &["system:nodes"]).node(), None);
    }

    #[test]
    fn what_is_empty_is_left_out() {
        assert_eq!(User::new("jane", &["devs"]).to_info(), json!({"username": "jane", "groups": ["devs"]}));
        assert_eq!(User::default().to_info(), json!({}));
    }
}
