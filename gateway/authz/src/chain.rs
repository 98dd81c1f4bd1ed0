//! The authorizers in the order of `--authorization-mode`, asked in turn, and the refusal when none allows.
//! Follows `pkg/kubeapiserver/authorizer` and `pkg/endpoints/handlers/responsewriters/errors.go`. Holds no rules.

use std::sync::Arc;

use model::user::MASTERS;
use model::{Attributes, Authorizer, Decision, GroupResource, Status, User};

use crate::node::Nodes;
use crate::rbac::{Rbac, Rules};
use crate::rule::PolicyRule;

/// One authorizer of `--authorization-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Allows everything.
    AlwaysAllow,
    /// Allows nothing.
    AlwaysDeny,
    /// Roles and their bindings.
    Rbac,
    /// Nodes reach what their pods need.
    Node,
}

/// `--authorization-mode` names an authorizer that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMode(pub String);

impl std::fmt::Display for UnknownMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "authorization-mode {:?} is not served; choose from AlwaysAllow, AlwaysDeny, Node, RBAC", self.0)
    }
}

impl std::error::Error for UnknownMode {}

impl std::str::FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "AlwaysAllow" => Ok(Self::AlwaysAllow),
            "AlwaysDeny" => Ok(Self::AlwaysDeny),
            "RBAC" => Ok(Self::Rbac),
            "Node" => Ok(Self::Node),
            other => Err(UnknownMode(other.to_owned())),
        }
    }
}

impl Mode {
    /// The name that goes before a reason.
    fn name(self) -> &'static str {
        match self {
            Self::AlwaysAllow => "alwaysallow",
            Self::AlwaysDeny => "alwaysdeny",
            Self::Rbac => "rbac",
            Self::Node => "node",
        }
    }
}

/// All authorizers. The group `system:masters` is allowed before any of them is asked.
pub struct Chain {
    modes: Vec<Mode>,
    rbac: Arc<Rbac>,
    nodes: Option<Nodes>,
}

impl Chain {
    /// Asks in the order given. `rbac` is needed in any mode: escalation is judged by the roles held.
    pub fn new(modes: &[Mode], rbac: Arc<Rbac>) -> Self {
        Self { modes: modes.to_vec(), rbac, nodes: None }
    }

    /// The same with somebody to ask in the mode `Node`, which has no opinion otherwise.
    #[must_use]
    pub fn with_nodes(self, nodes: Nodes) -> Self {
        Self { nodes: Some(nodes), ..self }
    }

    /// The RBAC authorizer, asked or not.
    pub fn rbac(&self) -> &Arc<Rbac> {
        &self.rbac
    }

    /// Decides one question; a `NoOpinion` is a refusal too.
    pub fn decide(&self, asked: &Attributes) -> Decision {
        if asked.user.in_group(MASTERS) {
            return Decision::Allow(String::new());
        }
        let mut reasons: Vec<String> = Vec::new();
        for mode in &self.modes {
            let reason = match self.ask(*mode, asked) {
                Decision::NoOpinion(reason) => reason,
                decided => return decided,
            };
            if !reason.is_empty() {
                reasons.push(format!("{}: {reason}", mode.name()));
            }
        }
        Decision::NoOpinion(reasons.join("\n"))
    }

    fn ask(&self, mode: Mode, asked: &Attributes) -> Decision {
        match mode {
            Mode::AlwaysAllow => Decision::Allow(String::new()),
            Mode::AlwaysDeny => Decision::NoOpinion("Everything is forbidden.".to_owned()),
            Mode::Rbac => self.rbac.decide(asked),
            Mode::Node => self.nodes.as_ref().map_or_else(|| Decision::NoOpinion(String::new()), |nodes| nodes.decide(asked)),
        }
    }

    /// What a user may do in a namespace, over all authorizers. `incomplete` when one of them cannot list its rules.
    pub fn rules_for(&self, user: &User, namespace: &str) -> (Rules, Incomplete) {
        let mut all = Rules::default();
        let mut incomplete = Incomplete(false);
        for mode in &self.modes {
            match mode {
                Mode::AlwaysAllow => all.rules.extend(everything()),
                Mode::AlwaysDeny => {}
                Mode::Rbac => {
                    let found = self.rbac.rules_for(user, namespace);
                    all.rules.extend(found.rules);
                    all.errors.extend(found.errors);
                }
                Mode::Node if user.node().is_some() => {
                    incomplete = Incomplete(true);
                    all.errors.push("node authorizer does not support user rule resolution".to_owned());
                }
                Mode::Node => {}
            }
        }
        (all, incomplete)
    }
}

/// Whether a list of rules lacks what an authorizer cannot list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incomplete(pub bool);

pub(crate) fn everything() -> [PolicyRule; 2] {
    let star = || vec!["*".to_owned()];
    [
        PolicyRule { verbs: star(), api_groups: star(), resources: star(), ..PolicyRule::default() },
        PolicyRule { verbs: star(), non_resource_urls: star(), ..PolicyRule::default() },
    ]
}

#[async_trait::async_trait]
impl Authorizer for Chain {
    async fn authorize(&self, asked: &Attributes) -> Decision {
        self.decide(asked)
    }
}

/// The 403 of a request that no authorizer allowed.
pub fn forbidden(asked: &Attributes, reason: &str) -> Status {
    let mut why = escape(&refusal(asked));
    if !reason.is_empty() {
        why = format!("{why}: {reason}");
    }
    Status::forbidden(&GroupResource::new(&asked.group, &asked.resource), &asked.name, why)
}

fn refusal(asked: &Attributes) -> String {
    let (user, verb) = (model::field::quote(&asked.user.name), &asked.verb);
    if !asked.resource_request {
        return format!("User {user} cannot {verb} path {}", model::field::quote(&asked.path));
    }
    let mut resource = asked.resource.clone();
    if !asked.subresource.is_empty() {
        resource = format!("{resource}/{}", asked.subresource);
    }
    let place = match asked.namespace.as_str() {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {}", model::field::quote(namespace)),
    };
    format!(
        "User {user} cannot {verb} resource {} in API group {} {place}",
        model::field::quote(&resource),
        model::field::quote(&asked.group)
    )
}

/// A message must not look like HTML to a browser.
fn escape(message: &str) -> String {
    message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
