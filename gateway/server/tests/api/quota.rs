//! Quotas on the way of a write: however many come at once, no more get in than there is room for.

use std::sync::Arc;

use admission::admissionpolicy::{Kind, Policies};
use admission::builtin;
use admission::webhook::{Caller, Nobody, Webhooks};
use admission::{Cluster, Plugin};
use model::User;
use model::json::json;
use server::client::Credentials;
use server::kinds::{Rules, Served};
use server::webhooks::Reach;
use server::world::{LocalWorld, Slot};

use crate::common::{Server, Setup, server_with};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";

/// A server whose admission is the plugin alone.
fn server() -> Server {
    let slot = Slot::default();
    let cluster = Cluster {
        world: Arc::new(LocalWorld::of_slot(slot.clone(), User::loopback())),
        kinds: Arc::new(Served(slot.clone())),
        authorizer: Arc::new(Rules(slot.clone())),
    };
    let reach = || -> Arc<dyn Caller> { Arc::new(Reach::new(slot.clone(), Credentials::default())) };
    let setup = builtin::Setup {
        world: cluster.world.clone(),
        mutating_policies: Policies::new(Kind::Mutating, cluster.clone()),
        validating_policies: Policies::new(Kind::Validating, cluster.clone()),
        webhooks: Webhooks::new([reach(), reach()], cluster.clone()),
        settings: builtin::Settings::default(),
        image_policy: Arc::new(Nobody),
        cluster,
        not_ready_toleration_s: 300,
        unreachable_toleration_s: 300,
    };
    let mut plugins: Vec<Box<dyn Plugin>> = builtin::plugins(&[], &[], &setup).unwrap();
    plugins.retain(|plugin| plugin.name() == "ResourceQuota");
    assert_eq!(plugins.len(), 1);
    let server = server_with(Setup { plugins, ..Setup::default() });
    slot.fill(&server.0);
    server
}

/// Makes a quota and says what is used, as the controller would.
async fn limit(server: &Server, name: &str, maps: &str) {
    let hard = json!({"count/configmaps": maps});
    let quota = server.post(QUOTAS, json!({"metadata": {"name": name}, "spec": {"hard": hard}})).await.ok(201).json();
    let quota = json!({"metadata": quota["metadata"], "spec": quota["spec"], "status": {"hard": hard, "used": {"count/configmaps": "0"}}});
    server.put(&format!("{QUOTAS}/{name}/status"), quota).await.ok(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_creates_at_once_never_exceed_a_quota() {
    let server = Arc::new(server());
    limit(&server, "wide", "60").await;
    limit(&server, "narrow", "25").await;
    let creates: Vec<_> = (0..120)
        .map(|n| {
            let server = server.clone();
            tokio::spawn(async move { server.post(MAPS, json!({"metadata": {"name": format!("m{n}")}})).await })
        })
        .collect();
    let mut made = 0;
    for create in creates {
        let answer = create.await.unwrap();
        match answer.code {
            201 => made += 1,
            403 => assert!(
                answer.message().ends_with("exceeded quota: narrow, requested: count/configmaps=1, used: count/configmaps=25, limited: count/configmaps=25"),
                "{}",
                answer.message()
            ),
            _ => panic!("{}", answer.text()),
        }
    }
    assert_eq!(made, 25);
    let maps = server.get(MAPS).await.ok(200).json();
    assert_eq!(maps["items"].as_array().unwrap().len(), 25);
    for name in ["wide", "narrow"] {
        let quota = server.get(&format!("{QUOTAS}/{name}")).await.ok(200).json();
        assert_eq!(quota["status"]["used"], json!({"count/configmaps": "25"}), "{name}");
    }
}

#[tokio::test]
async fn a_quota_whose_use_nobody_told_lets_nothing_in() {
    let server = server();
    limit(&server, "known", "5").await;
    server.post(MAPS, json!({"metadata": {"name": "a"}})).await.ok(201);
    let unknown = json!({"status": {"hard": {"configmaps": "7"}}});
    server.patch(&format!("{QUOTAS}/known/status"), "merge-patch+json", unknown).await.ok(200);
    let refused = server.post(MAPS, json!({"metadata": {"name": "b"}})).await.ok(403);
    assert_eq!(
        refused.message(),
        "configmaps \"b\" is forbidden: status unknown for quota: known, resources: configmaps,count/configmaps"
    );
}
