//! ServiceAccount: every pod runs as a service account that exists, carries its pull secrets, and has its token mounted
//! unless somebody declined. Does not issue tokens (`authn`).

use std::sync::Arc;
use std::time::Duration;

use model::json::json;
use model::{GroupVersionResource, Status, Value, World, meta};

use crate::builtin::service_account_secrets as secrets;
use crate::builtin::{forbidden, is, items, list_mut, text};
use crate::{Notes, Operation, Plugin, Review};

const DEFAULT: &str = "default";
const MIRROR: &str = "kubernetes.io/config.mirror";
const VOLUME_PREFIX: &str = "kube-api-access-";
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Upstream gives a token an hour and seven seconds, by which it knows tokens that came from here.
const TOKEN_EXPIRATION_S: i64 = 3607;
/// A new namespace gets its default service account from a controller within a moment: wait that long in all, in
/// doubling steps. Upstream waits 1 to 2 s.
const DEFAULT_WAITS_MS: [u64; 8] = [5, 10, 20, 40, 80, 160, 320, 640];

pub(super) struct ServiceAccount {
    world: Arc<dyn World>,
    accounts: GroupVersionResource,
}

impl ServiceAccount {
    pub(super) fn new(world: Arc<dyn World>) -> Self {
        Self { world, accounts: GroupVersionResource::new("", "v1", "serviceaccounts") }
    }

    async fn account(&self, review: &Review<'_>, pod: &Value, name: &str) -> Result<Arc<Value>, Status> {
        let namespace = review.namespace;
        let waits: &[u64] = if name == DEFAULT { &DEFAULT_WAITS_MS } else { &[] };
        let mut found = self.world.look(&self.accounts, namespace, name).await;
        for wait_ms in waits {
            if !found.as_ref().is_err_and(|status| status.code == 404) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(*wait_ms)).await;
            found = self.world.look(&self.accounts, namespace, name).await;
        }
        found.map_err(|status| {
            let why = if status.code == 404 {
                format!("serviceaccount {} not found", model::field::quote(name))
            } else {
                status.message
            };
            forbidden(review, Some(pod), format!("error looking up service account {namespace}/{name}: {why}"))
        })
    }

    async fn check(&self, review: &Review<'_>, pod: &Value) -> Result<(), Status> {
        let name = pod.pointer("/spec/serviceAccountName").and_then(Value::as_str).unwrap_or("");
        if name.is_empty() {
            let why = format!("no service account specified for pod {}/{}", review.namespace, meta::name(pod));
            return Err(forbidden(review, Some(pod), why));
        }
        let account = self.account(review, pod, name).await?;
        if review.subresource.is_empty() {
            return secrets::refusal(pod, &account).map_or(Ok(()), |why| Err(forbidden(review, Some(pod), why)));
        }
        // Upstream refuses ephemeral containers with something that is no refusal.
        secrets::ephemeral_refusal(pod, &account).map_or(Ok(()), |why| Err(Status::new(500, "", why)))
    }
}

#[async_trait::async_trait]
impl Plugin for ServiceAccount {
    fn name(&self) -> &'static str {
        "ServiceAccount"
    }

    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool {
        is(resource, "", "pods")
            && matches!((operation, subresource), (Operation::Create, "") | (Operation::Update, "ephemeralcontainers"))
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        if review.operation != Operation::Create {
            return Ok(());
        }
        if is_mirror(pod) {
            return mirror(review, pod);
        }
        let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return Ok(()) };
        if spec.get("serviceAccountName").and_then(Value::as_str).unwrap_or("").is_empty() {
            spec.insert("serviceAccountName", DEFAULT.into());
            // The deprecated alias follows, as defaulting would make it.
            spec.insert("serviceAccount", DEFAULT.into());
        }
        let name = spec.get("serviceAccountName").and_then(Value::as_str).unwrap_or(DEFAULT).to_owned();
        let account = self.account(review, pod, &name).await?;
        let Some(spec) = pod.get_mut("spec") else { return Ok(()) };
        if automounts(spec, &account) {
            mount_token(spec);
        }
        let pull_secrets = items(&account, "imagePullSecrets");
        if items(spec, "imagePullSecrets").is_empty() && !pull_secrets.is_empty() {
            spec["imagePullSecrets"] = pull_secrets.iter().map(|secret| json!({"name": text(secret, "name")})).collect();
        }
        Ok(())
    }

    async fn validate(&self, review: &Review<'_>, object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        let Some(pod) = object else { return Ok(()) };
        if review.operation == Operation::Create && is_mirror(pod) {
            return mirror(review, pod);
        }
        self.check(review, pod).await
    }
}

/// What a mirror pod may not have is refused before anybody judges it, and once more of what others made of it.
fn mirror(review: &Review<'_>, pod: &Value) -> Result<(), Status> {
    secrets::mirror_refusal(pod).map_or(Ok(()), |why| Err(forbidden(review, Some(pod), why)))
}

fn is_mirror(pod: &Value) -> bool {
    meta::annotation(pod, MIRROR).is_some()
}

/// The pod's word goes before the account's; without either the token is mounted.
fn automounts(spec: &Value, account: &Value) -> bool {
    [spec, account].iter().find_map(|map| map.get("automountServiceAccountToken")?.as_bool()).unwrap_or(true)
}

fn mount_token(spec: &mut Value) {
    let present = items(spec, "volumes").iter().map(|v| text(v, "name")).find(|name| name.starts_with(VOLUME_PREFIX));
    let volume = present.map_or_else(|| model::generate::name(VOLUME_PREFIX), str::to_owned);
    let needs_volume = present.is_none();
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        let Some(containers) = spec.get_mut(list).and_then(Value::as_array_mut) else { continue };
        for container in containers {
            if items(container, "volumeMounts").iter().any(|mount| text(mount, "mountPath") == MOUNT_PATH) {
                continue;
            }
            if let Some(mounts) = list_mut(container, "volumeMounts") {
                mounts.push(json!({"name": volume, "readOnly": true, "mountPath": MOUNT_PATH}));
                mounted = true;
            }
        }
    }
    if mounted
        && needs_volume
        && let Some(volumes) = list_mut(spec, "volumes")
    {
        let mut token = json!({"name": volume});
        token["projected"] = token_volume();
        volumes.push(token);
    }
}

fn token_volume() -> Value {
    json!({
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": TOKEN_EXPIRATION_S, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
        ],
        "defaultMode": 420,
    })
}
