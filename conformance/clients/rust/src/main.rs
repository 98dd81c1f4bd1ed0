//! Uses a cluster as a program written with kube-rs does; the kubeconfig is the argument. Any surprise ends it with an error.

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use futures::{Stream, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{conditions, wait, watcher as follow};
use kube::{Client, Config, CustomResource, CustomResourceExt, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

type Outcome = Result<(), Box<dyn Error>>;

/// How long the cluster may take to tell of a change.
const WAIT: Duration = Duration::from_secs(60);

/// A kind of our own.
#[derive(CustomResource, Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[kube(group = "conformance.gatehouse.dev", version = "v1", kind = "Ship", namespaced, status = "ShipStatus")]
#[serde(rename_all = "camelCase")]
struct ShipSpec {
    captain: String,
    crew: Option<u32>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
struct ShipStatus {
    afloat: bool,
}

#[tokio::main]
async fn main() -> Outcome {
    let path = std::env::args().nth(1).ok_or("give me a kubeconfig")?;
    let config = Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    maps(Api::default_namespaced(client.clone())).await?;
    deployments(Api::default_namespaced(client.clone())).await?;
    ships(client).await?;
    println!("rust: all is well");
    Ok(())
}

async fn maps(api: Api<ConfigMap>) -> Outcome {
    let mut events = pin!(follow(api.clone(), watcher::Config::default().labels("client=rust")));
    until(&mut events, |event| matches!(event, Event::InitDone)).await?;
    let map: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "rs", "labels": {"client": "rust"}}, "data": {"a": "1"}}))?;
    let made = api.create(&PostParams::default(), &map).await?;
    until(&mut events, |event| matches!(event, Event::Apply(found) if found.uid() == made.uid())).await?;
    refused(api.create(&PostParams::default(), &map).await, 409, "AlreadyExists")?;
    let merged = api.patch("rs", &PatchParams::default(), &Patch::Merge(json!({"data": {"a": null, "b": "2"}}))).await?;
    check(merged.data.as_ref().is_some_and(|data| data.len() == 1 && data["b"] == "2"), "merge patch", &merged)?;
    refused(api.replace("rs", &PostParams::default(), &made).await, 409, "Conflict")?;
    let listed = api.list(&ListParams::default().labels("client=rust").limit(1)).await?;
    check(listed.items.len() == 1 && listed.items[0].name_any() == "rs", "list", &listed.items)?;

    let apply = |manager: &str| PatchParams::apply(manager);
    let wanted = |value: &str| {
        Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rs"}, "data": {"b": value}}))
    };
    refused(api.patch("rs", &apply("two"), &wanted("3")).await, 409, "Conflict")?;
    let taken = api.patch("rs", &apply("two").force(), &wanted("3")).await?;
    let owners: Vec<_> = taken.managed_fields().iter().filter_map(|entry| entry.manager.as_deref()).collect();
    check(owners.contains(&"two"), "owners", &owners)?;

    api.delete("rs", &DeleteParams::default()).await?;
    until(&mut events, |event| matches!(event, Event::Delete(found) if found.uid() == made.uid())).await
}

async fn deployments(api: Api<Deployment>) -> Outcome {
    let template = json!({"metadata": {"labels": {"app": "rs"}}, "spec": {"containers": [{"name": "one", "image": "one:1"}]}});
    let body = json!({"metadata": {"name": "rs"}, "spec": {"selector": {"matchLabels": {"app": "rs"}}, "template": template}});
    api.create(&PostParams::default(), &serde_json::from_value(body)?).await?;
    let more = json!({"spec": {"template": {"spec": {"containers": [{"name": "two", "image": "two:1"}]}}}});
    let patched = api.patch("rs", &PatchParams::default(), &Patch::Strategic(more)).await?;
    let spec = patched.spec.template.spec.ok_or("no pod spec")?;
    let names: Vec<_> = spec.containers.iter().map(|container| container.name.as_str()).collect();
    check(names == ["two", "one"], "strategic merge patch", &names)?;
    let scale: Scale = serde_json::from_value(serde_json::to_value(
        api.patch_scale("rs", &PatchParams::default(), &Patch::Merge(json!({"spec": {"replicas": 3}}))).await?,
    )?)?;
    check(scale.spec.as_ref().and_then(|spec| spec.replicas) == Some(3), "scale", &scale)?;
    api.delete("rs", &DeleteParams::background()).await?;
    Ok(())
}

async fn ships(client: Client) -> Outcome {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = Ship::crd_name();
    definitions.patch(name, &PatchParams::apply("rust"), &Patch::Apply(Ship::crd())).await?;
    tokio::time::timeout(WAIT, wait::await_condition(definitions.clone(), name, conditions::is_crd_established())).await??;
    let api: Api<Ship> = Api::default_namespaced(client);
    let ship = Ship::new("albatross", ShipSpec { captain: "ann".into(), crew: Some(3) });
    let made = api.create(&PostParams::default(), &ship).await?;
    check(made.metadata.generation == Some(1), "generation", &made.metadata)?;
    refused(api.patch("albatross", &PatchParams::default(), &Patch::Merge(json!({"spec": {"crew": -1}}))).await, 422, "Invalid")?;
    let status = Patch::Merge(json!({"status": {"afloat": true}}));
    let afloat = api.patch_status("albatross", &PatchParams::default(), &status).await?;
    check(afloat.status.as_ref().is_some_and(|status| status.afloat), "status", &afloat.status)?;
    check(afloat.metadata.generation == Some(1), "generation after a status", &afloat.metadata)?;
    api.delete("albatross", &DeleteParams::default()).await?;
    definitions.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

/// Follows the watch until it tells what is waited for.
async fn until<K>(
    events: &mut (impl Stream<Item = Result<Event<K>, watcher::Error>> + Unpin),
    wanted: impl Fn(&Event<K>) -> bool,
) -> Outcome {
    let search = async {
        while let Some(event) = events.try_next().await? {
            if wanted(&event) {
                return Ok(());
            }
        }
        Err("the watch ended".into())
    };
    tokio::time::timeout(WAIT, search).await.map_err(|_| "the watch never told of it")?
}

fn refused<T: std::fmt::Debug>(outcome: kube::Result<T>, code: u16, reason: &str) -> Outcome {
    match outcome {
        Err(kube::Error::Api(status)) if status.code == code && status.reason == reason => Ok(()),
        other => Err(format!("expected {code} {reason}, got {other:?}").into()),
    }
}

fn check(holds: bool, what: &str, found: &dyn std::fmt::Debug) -> Outcome {
    if holds { Ok(()) } else { Err(format!("{what}: {found:?}").into()) }
}
