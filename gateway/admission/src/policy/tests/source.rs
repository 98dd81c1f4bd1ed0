//! A module in a file follows its file.

use super::*;

fn digest(policies: &Policies) -> String {
    let set = policies.set();
    set.validators
        .first()
        .and_then(|entry| entry.policy.as_ref().ok())
        .map(|policy| policy.module.digest.clone())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_file_that_is_another_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("labels.wasm");
    let write = |guest: &Guest<'_>| std::fs::write(&file, guest.build()).unwrap();
    write(&Guest::default());
    let world = fake();
    let module = json!({"apiVersion": "policy.gatehouse.dev/v1alpha1", "kind": "PolicyModule",
        "metadata": {"name": "labels", "generation": 1}, "spec": {"source": {"file": "labels.wasm"}}});
    world.seed(MODULES, module);
    world.seed(BINDINGS, binding("labels", "labels", json!({})));
    let options = Options { threads: 2, module_dir: Some(directory.path().to_owned()), ..Options::default() };
    let policies = Policies::start(options).unwrap();
    policies.attach(cluster::testing::cluster(world.clone(), &[]), Arc::new(Still));
    policies.load().await;
    let first = digest(&policies);
    assert!(first.starts_with("sha256:"), "{first}");

    policies.reread().await;
    assert_eq!(digest(&policies), first, "the file is the same");
    write(&refusing());
    policies.reread().await;
    until(|| digest(&policies) != first).await;
    let second = digest(&policies);
    std::fs::remove_file(&file).unwrap();
    policies.reread().await;
    assert_eq!(digest(&policies), second, "the last good revision stays");
}
