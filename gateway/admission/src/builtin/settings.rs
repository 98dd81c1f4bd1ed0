//! What plugins are told besides flags: their parts of `--admission-control-config-file`, each read by its plugin.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{
    event_rate_limit, image_policy_webhook, pod_node_selector, pod_security, pod_toleration_restriction, resource_quota,
};
use crate::configuration::{Error, File, Reader, Unusable};
use crate::webhook;

/// The configuration of each plugin that takes one; without the file, what holds by default.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub(super) event_rate_limit: Vec<event_rate_limit::Limit>,
    pub(super) image_policy: image_policy_webhook::Configuration,
    pub(super) pod_node_selector: BTreeMap<String, String>,
    pub(super) pod_security: pod_security::Configuration,
    pub(super) pod_toleration_restriction: pod_toleration_restriction::Configuration,
    pub(super) resource_quota: Vec<resource_quota::Limited>,
    /// Where the credentials lie that are shown to webhooks, for those that mutate and for the others.
    pub webhook_kubeconfigs: [Option<PathBuf>; 2],
}

impl Settings {
    /// Reads what the plugins that run are configured with. Fails in upstream's words, with the plugin's name.
    pub fn read(file: &File, running: &[&'static str], read: Reader<'_>) -> Result<Self, Error> {
        let mut settings = Self::default();
        for plugin in running {
            let text = file.of_plugin(plugin, read)?;
            settings.configure(plugin, text.as_deref()).map_err(|unusable| unusable.of(plugin))?;
        }
        Ok(settings)
    }

    /// Where it is said who judges images; nothing where nobody does.
    pub fn image_policy_kubeconfig(&self) -> Option<&Path> {
        self.image_policy.kubeconfig()
    }

    fn configure(&mut self, plugin: &str, text: Option<&str>) -> Result<(), Unusable> {
        match (plugin, text) {
            // It does nothing without limits, so that to forget them is a mistake.
            ("EventRateLimit", text) => self.event_rate_limit = event_rate_limit::read(text)?,
            ("ImagePolicyWebhook", text) => self.image_policy = image_policy_webhook::Configuration::read(text)?,
            ("PodNodeSelector", Some(text)) => self.pod_node_selector = pod_node_selector::read(text),
            ("PodSecurity", Some(text)) => self.pod_security = pod_security::Configuration::read(text)?,
            ("PodTolerationRestriction", Some(text)) => {
                self.pod_toleration_restriction = pod_toleration_restriction::Configuration::read(text)?;
            }
            ("ResourceQuota", Some(text)) => self.resource_quota = resource_quota::limits(text)?,
            ("MutatingAdmissionWebhook", Some(text)) => self.webhook_kubeconfigs[0] = webhook::kubeconfig(text)?,
            ("ValidatingAdmissionWebhook", Some(text)) => self.webhook_kubeconfigs[1] = webhook::kubeconfig(text)?,
            _ => {}
        }
        Ok(())
    }
}
