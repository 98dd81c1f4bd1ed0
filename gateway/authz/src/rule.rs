//! One rule of a role: what it matches, and whether rules together cover others.
//! Follows `pkg/apis/rbac/v1/evaluation_helpers.go` and `component-helpers/auth/rbac/validation`.
//! Does not know whom a rule is granted to (`index`).

use std::collections::BTreeMap;

use model::field::quote;
use model::json::json;
use model::{Attributes, Value};

/// A `rbac.authorization.k8s.io/v1` PolicyRule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyRule {
    /// Verbs, `*` for all.
    pub verbs: Vec<String>,
    /// API groups, `*` for all, empty string for core.
    pub api_groups: Vec<String>,
    /// Resources: `pods`, `pods/status`, `*/scale`, `*`.
    pub resources: Vec<String>,
    /// Object names; none means all.
    pub resource_names: Vec<String>,
    /// URL paths, with a `*` at the end for a prefix.
    pub non_resource_urls: Vec<String>,
}

impl PolicyRule {
    /// Reads a rule from its JSON form; what is absent or of another type is empty.
    pub fn parse(value: &Value) -> Self {
        let texts = |field: &str| -> Vec<String> {
            let items = value.get(field).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self {
            verbs: texts("verbs"),
            api_groups: texts("apiGroups"),
            resources: texts("resources"),
            resource_names: texts("resourceNames"),
            non_resource_urls: texts("nonResourceURLs"),
        }
    }

    /// The rules of a role object.
    pub fn of_role(role: &Value) -> Vec<Self> {
        role.get("rules").and_then(Value::as_array).map(|rules| rules.iter().map(Self::parse).collect()).unwrap_or_default()
    }

    /// The JSON form, in upstream's field order, without what is empty.
    pub fn to_value(&self) -> Value {
        let mut rule = json!({"verbs": self.verbs});
        for (field, texts) in [
            ("apiGroups", &self.api_groups),
            ("resources", &self.resources),
            ("resourceNames", &self.resource_names),
            ("nonResourceURLs", &self.non_resource_urls),
        ] {
            if !texts.is_empty() {
                rule[field] = json!(texts);
            }
        }
        rule
    }

    /// Whether the rule allows what is asked.
    pub fn allows(&self, asked: &Attributes) -> bool {
        if !asked.resource_request {
            return has_or_star(&self.verbs, &asked.verb) && self.matches_path(&asked.path);
        }
        has_or_star(&self.verbs, &asked.verb)
            && has_or_star(&self.api_groups, &asked.group)
            && self.matches_resource(&asked.resource, &asked.subresource)
            && (self.resource_names.is_empty() || has(&self.resource_names, &asked.name))
    }

    fn matches_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|rule| {
            if subresource.is_empty() || rule == "*" {
                return rule == "*" || rule == resource;
            }
            rule.split_once('/').is_some_and(|(of, sub)| sub == subresource && (of == "*" || of == resource))
        })
    }

    fn matches_path(&self, path: &str) -> bool {
        self.non_resource_urls.iter().any(|url| url == "*" || url_covers(url, path))
    }

    /// How many rules it is when it is broken down.
    fn parts(&self) -> usize {
        let named = [self.api_groups.len(), self.resources.len(), self.verbs.len(), self.resource_names.len().max(1)];
        let product = named.into_iter().fold(1, usize::saturating_mul);
        product.saturating_add(self.non_resource_urls.len().saturating_mul(self.verbs.len()))
    }

    /// The rule as rules of at most one group, resource, verb and name each.
    fn break_down(&self) -> Vec<Self> {
        let mut rules = Vec::new();
        for group in &self.api_groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    let rule = Self { api_groups: one(group), resources: one(resource), verbs: one(verb), ..Self::default() };
                    if self.resource_names.is_empty() {
                        rules.push(rule);
                    } else {
                        rules.extend(self.resource_names.iter().map(|n| Self { resource_names: one(n), ..rule.clone() }));
                    }
                }
            }
        }
        for url in &self.non_resource_urls {
            rules.extend(self.verbs.iter().map(|v| Self { non_resource_urls: one(url), verbs: one(v), ..Self::default() }));
        }
        rules
    }

    /// Whether this rule covers one that was broken down.
    fn covers(&self, part: &Self) -> bool {
        let all = |mine: &[String], wanted: &[String]| has(mine, "*") || wanted.iter().all(|w| has(mine, w));
        all(&self.verbs, &part.verbs)
            && all(&self.api_groups, &part.api_groups)
            && part.resources.iter().all(|wanted| self.covers_resource(wanted))
            && part.non_resource_urls.iter().all(|wanted| self.non_resource_urls.iter().any(|mine| url_covers(mine, wanted)))
            && (self.resource_names.is_empty()
                || (!part.resource_names.is_empty() && part.resource_names.iter().all(|n| has(&self.resource_names, n))))
    }

    fn covers_resource(&self, wanted: &str) -> bool {
        has(&self.resources, "*")
            || has(&self.resources, wanted)
            || wanted.split_once('/').is_some_and(|(_, sub)| self.resources.iter().any(|r| r.strip_prefix("*/") == Some(sub)))
    }

    /// `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`, as the refusal of an escalation lists it.
    fn describe(&self) -> String {
        let parts: Vec<String> = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ]
        .into_iter()
        .filter(|(_, texts)| !texts.is_empty())
        .map(|(name, texts)| format!("{name}:{}", quoted(texts)))
        .collect();
        format!("{{{}}}", parts.join(", "))
    }
}

/// Rules that others are broken down into, in all; upstream makes as many as there are. A rule that would make more must be
/// covered as it stands by one that is held, for a body of 30 KB can say a thousand million.
const PARTS_MAX: usize = 100_000;

/// Whether what `held` allows covers all that `wanted` allows; otherwise the parts that are missing, each with one group,
/// resource, verb and name.
pub fn covers(held: &[PolicyRule], wanted: &[PolicyRule]) -> Result<(), Vec<PolicyRule>> {
    let mut left = PARTS_MAX;
    let parts = wanted.iter().flat_map(|rule| match left.checked_sub(rule.parts()) {
        Some(rest) => {
            left = rest;
            rule.break_down()
        }
        None => vec![rule.clone()],
    });
    let missing: Vec<PolicyRule> = parts.filter(|part| !held.iter().any(|rule| rule.covers(part))).collect();
    if missing.is_empty() { Ok(()) } else { Err(missing) }
}

/// Missing parts as people read them: one line a resource with its verbs, sorted.
pub(crate) fn describe_missing(missing: &[PolicyRule]) -> String {
    let mut simple: BTreeMap<(&str, &str, Option<&str>), PolicyRule> = BTreeMap::new();
    let mut lines = Vec::new();
    for rule in missing {
        match (rule.api_groups.as_slice(), rule.resources.as_slice()) {
            ([group], [resource]) => simple
                .entry((group, resource, rule.resource_names.first().map(String::as_str)))
                .and_modify(|known| known.verbs.extend(rule.verbs.iter().cloned()))
                .or_insert_with(|| rule.clone()),
            _ => {
                lines.push(rule.describe());
                continue;
            }
        };
    }
    lines.extend(simple.values().map(PolicyRule::describe));
    lines.sort();
    lines.dedup();
    lines.join("\n")
}

/// Strings as Go prints a slice with `%q`: `["a" "b"]`.
pub(crate) fn quoted(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|t| quote(t)).collect();
    format!("[{}]", quoted.join(" "))
}

fn one(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

fn has(texts: &[String], wanted: &str) -> bool {
    texts.iter().any(|t| t == wanted)
}

fn has_or_star(texts: &[String], wanted: &str) -> bool {
    texts.iter().any(|t| t == "*" || t == wanted)
}

fn url_covers(rule: &str, path: &str) -> bool {
    rule == path || (rule.ends_with('*') && path.starts_with(rule.trim_end_matches('*')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(value: Value) -> PolicyRule {
        PolicyRule::parse(&value)
    }

    fn asks(verb: &str, group: &str, resource: &str, subresource: &str, name: &str) -> Attributes {
        Attributes {
            verb: verb.into(),
            group: group.into(),
            resource: resource.into(),
            subresource: subresource.into(),
            name: name.into(),
            resource_request: true,
            ..Attributes::default()
        }
    }

    #[test]
    fn resource_rules_match_as_upstream() {
        let of = |resources: &[&str]| rule(json!({"verbs": ["get"], "apiGroups": [""], "resources": resources}));
        let cases = [
            (&["pods"][..], "pods", "", true),
            (&["pods"], "pods", "log", false),
            (&["pods/log"], "pods", "log", true),
            (&["pods/log"], "pods", "", false),
            (&["*"], "pods", "log", true),
            (&["*/log"], "pods", "log", true),
            (&["*/log"], "pods", "status", false),
            (&["*/log"], "pods", "", false),
            (&["services", "pods"], "pods", "", true),
        ];
        for (resources, resource, subresource, allowed) in cases {
            assert_eq!(
                of(resources).allows(&asks("get", "", resource, subresource, "")),
                allowed,
                "{resources:?} {resource}/{subresource}"
            );
        }
    }

    #[test]
    fn groups_verbs_and_names_must_match() {
        let named =
            rule(json!({"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["web"]}));
        assert!(named.allows(&asks("get", "apps", "deployments", "", "web")));
        assert!(!named.allows(&asks("get", "apps", "deployments", "", "db")));
        assert!(!named.allows(&asks("list", "apps", "deployments", "", "web")));
        assert!(!named.allows(&asks("get", "", "deployments", "", "web")));
        // A list has no name, so a rule with names does not reach it.
        assert!(!named.allows(&asks("get", "apps", "deployments", "", "")));
    }

    #[test]
    fn paths_match_exactly_or_by_prefix() {
        let path = |verb: &str, path: &str| Attributes { verb: verb.into(), path: path.into(), ..Attributes::default() };
        let apis = rule(json!({"verbs": ["get"], "nonResourceURLs": ["/apis/*", "/version"]}));
        assert!(apis.allows(&path("get", "/apis/apps")));
        assert!(apis.allows(&path("get", "/apis/")));
        assert!(!apis.allows(&path("get", "/apis")));
        assert!(apis.allows(&path("get", "/version")));
        assert!(!apis.allows(&path("get", "/version/")));
        assert!(!apis.allows(&path("post", "/version")));
        assert!(rule(json!({"verbs": ["*"], "nonResourceURLs": ["*"]})).allows(&path("put", "/anything")));
        assert!(!apis.allows(&asks("get", "", "version", "", "")));
    }

    #[test]
    fn covering_breaks_rules_down() {
        let held = [
            rule(json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "*/scale"]})),
            rule(json!({"verbs": ["*"], "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["web"]})),
            rule(json!({"verbs": ["get"], "nonResourceURLs": ["/healthz*"]})),
        ];
        for covered in [
            json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}),
            json!({"verbs": ["list"], "apiGroups": [""], "resources": ["pods/scale", "pods"]}),
            json!({"verbs": ["delete"], "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["web"]}),
            json!({"verbs": ["get"], "nonResourceURLs": ["/healthz/ping", "/healthz"]}),
        ] {
            assert_eq!(covers(&held, &[rule(covered.clone())]), Ok(()), "{covered}");
        }
        for missing in [
            json!({"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}),
            json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"]}),
            json!({"verbs": ["delete"], "apiGroups": ["apps"], "resources": ["deployments"]}),
            json!({"verbs": ["get"], "nonResourceURLs": ["/metrics"]}),
        ] {
            assert!(covers(&held, &[rule(missing.clone())]).is_err(), "{missing}");
        }
    }

    #[test]
    fn what_says_too_much_is_compared_as_a_whole() {
        let many: Vec<String> = (0..1_000).map(|n| format!("n{n}")).collect();
        let wanted = [rule(json!({"verbs": many, "apiGroups": many, "resources": many, "resourceNames": many}))];
        let one_short = rule(json!({"verbs": &many[1..], "apiGroups": ["*"], "resources": ["*"]}));
        assert_eq!(covers(&[one_short], &wanted), Err(wanted.to_vec()));
        let all = rule(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        assert_eq!(covers(&[all], &wanted), Ok(()));
    }

    #[test]
    fn missing_rules_read_as_upstream() {
        let wanted = [
            rule(json!({"verbs": ["get", "watch"], "apiGroups": [""], "resources": ["secrets"]})),
            rule(json!({"verbs": ["get"], "nonResourceURLs": ["/metrics"]})),
        ];
        let missing = covers(&[], &wanted).unwrap_err();
        assert_eq!(
            describe_missing(&missing),
            "{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"watch\"]}\n{NonResourceURLs:[\"/metrics\"], Verbs:[\"get\"]}"
        );
    }

    #[test]
    fn a_rule_survives_its_json_form() {
        let value = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]});
        assert_eq!(rule(value.clone()).to_value(), value);
    }
}
