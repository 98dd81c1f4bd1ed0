//! The part of a Pod that the standards are about. Judges nothing.

use std::collections::BTreeMap;

use gatehouse_policy::serde::Deserialize;
use gatehouse_policy::serde::de::IgnoredAny;
use workload::{Place, nullable};

/// `PodSpec`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Spec {
    #[serde(default, deserialize_with = "nullable")]
    init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    ephemeral_containers: Vec<Container>,
    /// What holds for all containers.
    pub(crate) security_context: Option<SecurityContext>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) volumes: Vec<BTreeMap<String, Option<IgnoredAny>>>,
    pub(crate) host_network: Option<bool>,
    #[serde(rename = "hostPID")]
    pub(crate) host_pid: Option<bool>,
    #[serde(rename = "hostIPC")]
    pub(crate) host_ipc: Option<bool>,
    pub(crate) host_users: Option<bool>,
    pub(crate) os: Option<Os>,
}

impl Spec {
    /// Every container.
    pub(crate) fn each(&self) -> impl Iterator<Item = (Place, &Container)> {
        workload::each(&self.init_containers, &self.containers, &self.ephemeral_containers)
    }

    /// The Pod's security context and those of its containers, each with its field.
    pub(crate) fn contexts(&self) -> impl Iterator<Item = (String, &SecurityContext)> {
        let own = self.security_context.iter().map(|context| ("spec.securityContext".to_owned(), context));
        own.chain(self.container_contexts())
    }

    /// Those of its containers alone.
    pub(crate) fn container_contexts(&self) -> impl Iterator<Item = (String, &SecurityContext)> {
        let field = |place| format!("spec.{place}.securityContext");
        self.each().filter_map(move |(place, container)| Some((field(place), container.security_context.as_ref()?)))
    }

    /// Windows knows none of what the newer checks ask for, and a Pod for it may not say it.
    pub(crate) fn is_windows(&self) -> bool {
        self.os.as_ref().is_some_and(|os| os.name == "windows")
    }

    /// Whether the Pod's users are none of the node's.
    pub(crate) fn has_own_users(&self) -> bool {
        self.host_users == Some(false)
    }
}

#[derive(Debug, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
pub(crate) struct Os {
    name: String,
}

/// One container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub struct Container {
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) security_context: Option<SecurityContext>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) ports: Vec<Port>,
    pub(crate) liveness_probe: Option<Handler>,
    pub(crate) readiness_probe: Option<Handler>,
    pub(crate) startup_probe: Option<Handler>,
    pub(crate) lifecycle: Option<Lifecycle>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub(crate) struct Port {
    #[serde(default)]
    pub(crate) host_port: i64,
}

/// A probe, or what runs when a container starts or stops.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub(crate) struct Handler {
    pub(crate) http_get: Option<Target>,
    pub(crate) tcp_socket: Option<Target>,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
pub(crate) struct Target {
    #[serde(default)]
    pub(crate) host: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub(crate) struct Lifecycle {
    pub(crate) post_start: Option<Handler>,
    pub(crate) pre_stop: Option<Handler>,
}

/// A Pod's or a container's. Each has some of the fields; the API lets none have another's.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub(crate) struct SecurityContext {
    pub(crate) privileged: Option<bool>,
    pub(crate) allow_privilege_escalation: Option<bool>,
    pub(crate) run_as_non_root: Option<bool>,
    pub(crate) run_as_user: Option<i64>,
    pub(crate) proc_mount: Option<String>,
    pub(crate) capabilities: Option<Capabilities>,
    pub(crate) seccomp_profile: Option<Profile>,
    pub(crate) app_armor_profile: Option<Profile>,
    #[serde(rename = "seLinuxOptions")]
    pub(crate) se_linux_options: Option<SeLinux>,
    pub(crate) windows_options: Option<Windows>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) sysctls: Vec<Sysctl>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
pub(crate) struct Capabilities {
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) add: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) drop: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
pub(crate) struct Profile {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
pub(crate) struct SeLinux {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) user: String,
    #[serde(default)]
    pub(crate) role: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde")]
pub(crate) struct Windows {
    pub(crate) host_process: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "gatehouse_policy::serde")]
pub(crate) struct Sysctl {
    #[serde(default)]
    pub(crate) name: String,
}
