//! Tells other servers of the cluster whom to believe: ConfigMap `extension-apiserver-authentication` in kube-system, which
//! kube-controller-manager, kube-scheduler and extension servers read.
//! Follows `pkg/controlplane/controller/clusterauthenticationtrust`. Written at start; this server is alone with its store, so
//! nothing has to be merged with what others trust.

use model::json::json;
use model::{GroupVersionResource, Status, Value, World};

use crate::config::FrontProxy;

const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";

/// Writes the ConfigMap where it is missing or says something else. Fails with the answer to the first step refused.
pub(crate) async fn publish(world: &dyn World, client_ca: &str, proxy_ca: &str, proxy: &FrontProxy) -> Result<(), Status> {
    let resource = GroupVersionResource::new("", "v1", "configmaps");
    let data = data(client_ca, proxy_ca, proxy);
    match world.get(&resource, NAMESPACE, NAME).await {
        Ok(found) if found["data"] == data => Ok(()),
        Ok(mut found) => {
            found["data"] = data;
            world.update(&resource, "", found).await.map(drop)
        }
        Err(status) if status.code == 404 => {
            let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": NAMESPACE, "name": NAME}, "data": data});
            world.create(&resource, NAMESPACE, object).await.map(drop)
        }
        Err(status) => Err(status),
    }
}

fn data(client_ca: &str, proxy_ca: &str, proxy: &FrontProxy) -> Value {
    let list = |names: &[String]| Value::from(names.to_vec()).to_string();
    let mut data = json!({
        "client-ca-file": client_ca,
        "requestheader-allowed-names": list(&proxy.names),
        "requestheader-client-ca-file": proxy_ca,
        "requestheader-extra-headers-prefix": list(&proxy.extras),
        "requestheader-group-headers": list(&proxy.groups),
        "requestheader-username-headers": list(&proxy.usernames),
    });
    if !proxy.uids.is_empty() {
        data["requestheader-uid-headers"] = list(&proxy.uids).into();
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_json_in_text() {
        let one = |text: &str| vec![text.to_owned()];
        let proxy = FrontProxy {
            ca: None,
            names: one("front-proxy-client"),
            usernames: one("X-Remote-User"),
            uids: vec![],
            groups: vec![],
            extras: vec![],
        };
        let data = data("A", "B", &proxy);
        assert_eq!(data["requestheader-allowed-names"], r#"["front-proxy-client"]"#);
        assert_eq!(data["requestheader-group-headers"], "[]");
        assert_eq!((&data["client-ca-file"], data.get("requestheader-uid-headers")), (&json!("A"), None));
    }
}
