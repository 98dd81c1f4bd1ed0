//! The audit policy: which requests are recorded, and how much of them.
//! Follows `k8s.io/apiserver/pkg/audit/policy`.

use model::{RequestInfo, User};
use serde::Deserialize;

/// A policy file has a few kilobytes; one beyond this is a mistake.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How much is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Level {
    /// Nothing.
    #[default]
    None,
    /// Who, what, when and how it ended.
    Metadata,
    /// The request's body too.
    Request,
    /// The answer's body too.
    RequestResponse,
}

impl Level {
    /// The word in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Metadata => "Metadata",
            Self::Request => "Request",
            Self::RequestResponse => "RequestResponse",
        }
    }
}

/// When an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Stage {
    /// The request has been read.
    RequestReceived,
    /// A long-running answer began.
    ResponseStarted,
    /// The answer is out.
    ResponseComplete,
    /// Serving it failed inside.
    Panic,
}

impl Stage {
    /// The word in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RequestReceived => "RequestReceived",
            Self::ResponseStarted => "ResponseStarted",
            Self::ResponseComplete => "ResponseComplete",
            Self::Panic => "Panic",
        }
    }
}

/// A policy file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not YAML of the right shape.
    #[error("failed decoding: {0}")]
    Decode(String),
    /// Another kind or version.
    #[error("unknown audit policy {api_version}, Kind={kind}: expected audit.k8s.io/v1, Kind=Policy")]
    Kind {
        /// What the file says.
        api_version: String,
        /// What the file says.
        kind: String,
    },
    /// A rule that could never mean what it says.
    #[error("rules[{index}]: {reason}")]
    Rule {
        /// Which rule, from 0.
        index: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No rules at all.
    #[error("loaded illegal policy with 0 rules")]
    Empty,
}

/// A policy: the first rule that matches decides.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(default, rename = "metadata")]
    _metadata: model::json::Value,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    omit_stages: Vec<Stage>,
    #[serde(default)]
    omit_managed_fields: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    level: Level,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    user_groups: Vec<String>,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    resources: Vec<GroupResources>,
    #[serde(default)]
    namespaces: Vec<String>,
    #[serde(default, rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
    #[serde(default)]
    omit_stages: Vec<Stage>,
    omit_managed_fields: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GroupResources {
    #[serde(default)]
    group: String,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
}

/// What the policy says of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How much is recorded.
    pub level: Level,
    /// Stages that are left out.
    pub omit_stages: Vec<Stage>,
    /// Whether managedFields are left out of bodies.
    pub omit_managed_fields: bool,
}

impl Policy {
    /// Reads a policy file. Fails when upstream would refuse it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let policy: Self = serde_saphyr::from_str(text).map_err(|e| Error::Decode(e.to_string()))?;
        if policy.api_version != "audit.k8s.io/v1" || policy.kind != "Policy" {
            return Err(Error::Kind { api_version: policy.api_version, kind: policy.kind });
        }
        if policy.rules.is_empty() {
            return Err(Error::Empty);
        }
        for (index, rule) in policy.rules.iter().enumerate() {
            rule.check().map_err(|reason| Error::Rule { index, reason })?;
        }
        Ok(policy)
    }

    /// What is recorded of a request; `user` is absent when nobody was authenticated.
    pub fn verdict(&self, request: &RequestInfo, user: Option<&User>) -> Verdict {
        match self.rules.iter().find(|rule| rule.matches(request, user)) {
            Some(rule) => {
                let mut omit_stages = self.omit_stages.clone();
                omit_stages.extend(&rule.omit_stages);
                let omit_managed_fields = rule.omit_managed_fields.unwrap_or(self.omit_managed_fields);
                Verdict { level: rule.level, omit_stages, omit_managed_fields }
            }
            None => Verdict::default(),
        }
    }
}

impl Rule {
    fn check(&self) -> Result<(), &'static str> {
        let resource_rule = !self.resources.is_empty() || !self.namespaces.is_empty();
        if resource_rule && !self.non_resource_urls.is_empty() {
            return Err("rules cannot apply to both regular resources and non-resource URLs");
        }
        for url in self.non_resource_urls.iter().filter(|url| *url != "*") {
            if !url.starts_with('/') {
                return Err("non-resource URL rules must begin with a '/' character");
            }
            if url[..url.len() - 1].contains('*') {
                return Err("non-resource URL wildcards '*' must be the final character of the rule");
            }
        }
        for entry in &self.resources {
            if entry.group.contains('/') || (!entry.resource_names.is_empty() && entry.resources.is_empty()) {
                return Err("a group is a name without version, and resourceNames need resources");
            }
        }
        Ok(())
    }

    fn matches(&self, request: &RequestInfo, user: Option<&User>) -> bool {
        let has = |list: &[String], word: &str| list.iter().any(|entry| entry == word);
        if !self.users.is_empty() && !user.is_some_and(|user| has(&self.users, &user.name)) {
            return false;
        }
        if !self.user_groups.is_empty() && !user.is_some_and(|user| user.groups.iter().any(|group| has(&self.user_groups, group)))
        {
            return false;
        }
        if !self.verbs.is_empty() && !has(&self.verbs, request.verb.as_str()) {
            return false;
        }
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            return request.resource_request
                && (self.namespaces.is_empty() || has(&self.namespaces, &request.namespace))
                && (self.resources.is_empty() || self.resources.iter().any(|entry| entry.matches(request)));
        }
        self.non_resource_urls.is_empty()
            || (!request.resource_request && self.non_resource_urls.iter().any(|url| path_matches(&request.path, url)))
    }
}

impl GroupResources {
    fn matches(&self, request: &RequestInfo) -> bool {
        if self.group != request.group && self.group != "*" {
            return false;
        }
        let named = self.resource_names.is_empty() || self.resource_names.contains(&request.name);
        self.resources.is_empty() || (named && self.resources.iter().any(|entry| resource_matches(entry, request)))
    }
}

fn resource_matches(entry: &str, request: &RequestInfo) -> bool {
    let (resource, subresource) = (request.resource.as_str(), request.subresource.as_str());
    match entry.split_once('/') {
        None => entry == "*" || (subresource.is_empty() && entry == resource),
        Some(("*", sub)) => !subresource.is_empty() && sub == subresource,
        Some((base, "*")) => base == resource,
        Some((base, sub)) => base == resource && sub == subresource,
    }
}

fn path_matches(path: &str, rule: &str) -> bool {
    rule == "*" || rule == path || rule.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix))
}

#[cfg(test)]
mod tests;
