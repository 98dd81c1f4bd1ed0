//! Plugins that guard what authorization alone does not: most are off unless a flag names them.

use super::*;

/// A write, and which plugins run beside those that do by default.
#[derive(Clone, Copy)]
struct Ask<'a> {
    enabled: &'a [&'a str],
    /// `user verb resource/name`
    allowed: &'static [&'static str],
    operation: Operation,
    resource: &'a str,
    subresource: &'a str,
    old: Option<&'a Value>,
}

const POD: Ask<'static> =
    Ask { enabled: &[], allowed: &[], operation: Operation::Create, resource: "v1/pods", subresource: "", old: None };

impl Ask<'_> {
    /// What alice is refused.
    async fn of(&self, world: &Arc<Fake>, object: &mut Value) -> Option<String> {
        let setup = Setup { cluster: testing::cluster(world.clone(), self.allowed), ..setup(world) };
        let enabled: Vec<String> = self.enabled.iter().map(|name| (*name).to_owned()).collect();
        let chain = Chain::new(plugins(&enabled, &[], &setup).unwrap());
        let resource = gvr(self.resource);
        let (namespace, name) = (meta::namespace(object).to_owned(), meta::name(object).to_owned());
        let review = Review {
            request: &RequestInfo::default(),
            user: &User::new("alice", &[]),
            operation: self.operation,
            resource: &resource,
            kind: &GroupVersionKind::new(&resource.group, &resource.version, "Any"),
            subresource: self.subresource,
            namespace: &namespace,
            name: &name,
            old: self.old,
            options: &Value::Null,
            dry_run: false,
            uid: "",
            now: jiff::Timestamp::UNIX_EPOCH,
            deadline: None,
        };
        let mut notes = Notes::default();
        let answer = match chain.mutate(&review, object, &mut notes).await {
            Ok(()) => chain.validate(&review, Some(object), &mut notes).await,
            refused => refused,
        };
        answer.err().map(|status| status.message)
    }

    async fn alone(&self, object: &Value) -> Option<String> {
        self.of(&world(), &mut object.clone()).await
    }
}

#[tokio::test]
async fn who_may_approve_and_sign_is_asked_for_each_signer() {
    let old = json!({"metadata": {"name": "r"}, "spec": {"signerName": "example.com/one"}, "status": {}});
    let mut new = old.clone();
    new["spec"]["signerName"] = "example.com/two".into();
    let resource = "certificates.k8s.io/v1/certificatesigningrequests";
    let ask = |subresource: &'static str, allowed| {
        let old = Some(&old);
        Ask { operation: Operation::Update, resource, subresource, old, allowed, ..POD }
    };
    let refused = |deed: &str| {
        let why = format!("user not permitted to {deed} requests with signerName \"example.com/one\"");
        Some(format!("certificatesigningrequests.certificates.k8s.io \"r\" is forbidden: {why}"))
    };
    assert_eq!(ask("approval", &["alice approve signers/example.com/two"]).alone(&new).await, refused("approve"));
    assert_eq!(ask("approval", &["alice approve signers/example.com/one"]).alone(&new).await, None);
    assert_eq!(ask("approval", &["alice approve signers/example.com/*"]).alone(&new).await, None);
    assert_eq!(ask("status", &[]).alone(&new).await, None, "nothing is signed");
    new["status"]["conditions"] = json!([{"type": "Failed"}]);
    assert_eq!(ask("status", &["alice approve signers/example.com/one"]).alone(&new).await, refused("sign"));
    assert_eq!(ask("status", &["alice sign signers/example.com/*"]).alone(&new).await, None);
}

#[tokio::test]
async fn a_bundle_is_attested_for_its_signer() {
    let bundle = json!({"metadata": {"name": "b"}, "spec": {"signerName": "example.com/one"}});
    let ask = |old, allowed| {
        let resource = "certificates.k8s.io/v1/clustertrustbundles";
        Ask { operation: Operation::Update, resource, old, allowed, ..POD }
    };
    let mut kept = bundle.clone();
    kept["metadata"]["finalizers"] = json!(["example.com/x"]);
    let why = "user not permitted to attest for signerName \"example.com/one\"";
    let refused = Some(format!("clustertrustbundles.certificates.k8s.io \"b\" is forbidden: {why}"));
    assert_eq!(ask(None, &[]).alone(&bundle).await, refused);
    assert_eq!(ask(None, &["alice attest signers/example.com/one"]).alone(&bundle).await, None);
    assert_eq!(ask(Some(&bundle), &[]).alone(&kept).await, None, "finalizers are the garbage collector's");
    assert_eq!(ask(None, &[]).alone(&json!({"metadata": {"name": "b"}, "spec": {}})).await, None);
}

#[tokio::test]
async fn a_claim_grows_where_its_class_allows_it() {
    let claim = |class: &str, size: &str, phase: &str| {
        json!({"metadata": {"name": "c", "namespace": "shop"}, "status": {"phase": phase},
            "spec": {"storageClassName": class, "resources": {"requests": {"storage": size}}}})
    };
    let unbound = "Only bound persistent volume claims can be expanded";
    let fixed =
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    for (class, after, phase, why) in [
        ("grows", "2Gi", "Bound", None),
        ("grows", "2Gi", "Pending", Some(unbound)),
        ("fixed", "1024Mi", "Bound", None),
        ("fixed", "2Gi", "Bound", Some(fixed)),
        ("", "2Gi", "Bound", Some(fixed)),
    ] {
        let world = world();
        for (name, grows) in [("grows", true), ("fixed", false)] {
            let class = json!({"metadata": {"name": name}, "allowVolumeExpansion": grows});
            world.seed("storage.k8s.io/v1/storageclasses", class);
        }
        let old = claim(class, "1Gi", phase);
        let ask = Ask { operation: Operation::Update, resource: "v1/persistentvolumeclaims", old: Some(&old), ..POD };
        let refused = why.map(|why| format!("persistentvolumeclaims \"c\" is forbidden: {why}"));
        assert_eq!(ask.of(&world, &mut claim(class, after, phase)).await, refused, "{class} {after} {phase}");
    }
}

#[tokio::test]
async fn a_pod_carries_the_topology_of_its_node() {
    let world = world();
    let labels = json!({"topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r", "other": "o"});
    world.seed("v1/nodes", json!({"metadata": {"name": "n", "labels": labels}}));
    let mut bound = pod();
    bound["spec"]["nodeName"] = "n".into();
    bound["metadata"]["labels"] = json!({"topology.kubernetes.io/zone": "mine", "app": "web"});
    assert_eq!(POD.of(&world, &mut bound).await, None);
    let expected = json!({"topology.kubernetes.io/zone": "z", "app": "web", "topology.kubernetes.io/region": "r"});
    assert_eq!(bound["metadata"]["labels"], expected);
    for (target, zone) in [("n", Some("z")), ("gone", None)] {
        let mut binding = json!({"metadata": {"name": "web", "namespace": "shop"}, "target": {"kind": "Node", "name": target}});
        assert_eq!(Ask { subresource: "binding", ..POD }.of(&world, &mut binding).await, None);
        assert_eq!(binding.pointer("/metadata/labels/topology.kubernetes.io~1zone").and_then(Value::as_str), zone);
    }
}

#[tokio::test]
async fn what_is_switched_on_refuses() {
    let terms = json!([{"topologyKey": "zone"}]);
    let mut apart = pod();
    apart["spec"]["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}});
    let service = json!({"metadata": {"name": "s", "namespace": "shop"}, "spec": {"externalIPs": ["1.2.3.4"]}});
    let create = Ask { resource: "v1/services", enabled: &["DenyServiceExternalIPs"], ..POD };
    let update = Ask { operation: Operation::Update, old: Some(&service), ..create };
    let on = |enabled| Ask { enabled, ..POD };
    for (ask, object, why) in [
        (on(&["AlwaysAdmit"]), pod(), None),
        (on(&["AlwaysDeny"]), pod(), Some("pods \"web\" is forbidden: admission control is denying all modifications")),
        (
            on(&["LimitPodHardAntiAffinityTopology"]),
            apart,
            Some(
                "pods \"web\" is forbidden: affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey zone but only key kubernetes.io/hostname is allowed",
            ),
        ),
        (update, service.clone(), None),
        (create, service.clone(), Some("services \"s\" is forbidden: Use of external IPs is denied by admission control")),
    ] {
        assert_eq!(ask.alone(&object).await.as_deref(), why, "{:?}", ask.enabled);
    }
}

#[tokio::test]
async fn images_are_always_pulled() {
    let mut object = pod();
    object["spec"]["initContainers"] = json!([{"name": "i", "image": "a", "imagePullPolicy": "Never"}]);
    object["spec"]["volumes"] = json!([{"name": "v", "image": {"reference": "r", "pullPolicy": "Never"}}]);
    let ask = Ask { enabled: &["AlwaysPullImages"], ..POD };
    assert_eq!(ask.of(&world(), &mut object).await, None);
    let spec = &object["spec"];
    for policy in [
        &spec["containers"][0]["imagePullPolicy"],
        &spec["initContainers"][0]["imagePullPolicy"],
        &spec["volumes"][0]["image"]["pullPolicy"],
    ] {
        assert_eq!(policy, "Always");
    }
    let old = pod();
    let mut same = pod();
    assert_eq!(Ask { operation: Operation::Update, old: Some(&old), ..ask }.of(&world(), &mut same).await, None);
    assert_eq!(same["spec"]["containers"][0].get("imagePullPolicy"), None, "no image is new");
}

#[tokio::test]
async fn devices_bring_their_toleration() {
    let mut object = pod();
    let borne = |device: &str| json!({"key": device, "operator": "Exists", "effect": "NoSchedule"});
    let mut limited = borne("example.com/a");
    limited["tolerationSeconds"] = 3.into();
    object["spec"]["tolerations"] = json!([limited]);
    object["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "1", "example.com/b": "1", "example.com/a": "1"}});
    assert_eq!(Ask { enabled: &["ExtendedResourceToleration"], ..POD }.of(&world(), &mut object).await, None);
    let tolerations = object["spec"]["tolerations"].as_array().unwrap();
    let devices: Vec<&Value> = tolerations.iter().filter(|one| one["effect"] == "NoSchedule").collect();
    assert_eq!(devices, [&borne("example.com/a"), &borne("example.com/b")]);
}

#[tokio::test]
async fn a_namespace_is_there_or_is_made() {
    let world = world();
    let map = json!({"metadata": {"name": "m", "namespace": "new"}});
    let create = Ask { resource: "v1/configmaps", ..POD };
    let update = Ask { operation: Operation::Update, old: Some(&map), ..create };
    let missing = Some("namespaces \"new\" not found".to_owned());
    assert_eq!(create.of(&world, &mut map.clone()).await, missing);
    assert_eq!(update.of(&world, &mut map.clone()).await, None);
    let exists = Ask { enabled: &["NamespaceExists"], ..update };
    assert_eq!(exists.of(&world, &mut map.clone()).await, missing);
    assert_eq!(Ask { enabled: &["NamespaceAutoProvision"], ..create }.of(&world, &mut map.clone()).await, None);
    assert!(world.peek("v1/namespaces", "", "new").is_some());
    assert_eq!(exists.of(&world, &mut map.clone()).await, None);
}

#[tokio::test]
async fn owners_are_named_by_those_who_may() {
    let owned = |blocks: bool, kind: &str| {
        json!({"metadata": {"name": "m", "namespace": "shop", "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": kind, "name": "d", "uid": "1", "blockOwnerDeletion": blocks}]}})
    };
    let plain = json!({"metadata": {"name": "m", "namespace": "shop"}});
    let on = Ask { enabled: &["OwnerReferencesPermissionEnforcement"], resource: "v1/configmaps", ..POD };
    let create = |allowed| Ask { allowed, ..on };
    let update = |old, allowed| Ask { operation: Operation::Update, old: Some(old), allowed, ..on };
    let forbidden = |why: &str| Some(format!("configmaps \"m\" is forbidden: {why}"));
    let undeletable = forbidden("cannot set an ownerRef on a resource you can't delete: , <nil>");
    let held =
        forbidden("cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>");
    let (named, blocked) = (owned(false, "Deployment"), owned(true, "Deployment"));
    assert_eq!(create(&[]).alone(&named).await, None);
    assert_eq!(update(&plain, &[]).alone(&named).await, undeletable);
    assert_eq!(update(&plain, &["alice delete configmaps/m"]).alone(&named).await, None);
    assert_eq!(create(&[]).alone(&blocked).await, held);
    assert_eq!(create(&["alice update deployments/d"]).alone(&blocked).await, None);
    assert_eq!(create(&["alice update */*"]).alone(&blocked).await, None);
    assert_eq!(update(&blocked, &[]).alone(&blocked).await, None, "it was so before");
    let unknown = "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion apps/v1 Kind Nothing: no matches for kind \"Nothing\" in version \"apps/v1\"";
    assert_eq!(create(&[]).alone(&owned(true, "Nothing")).await, forbidden(unknown));
}

/// A world whose namespace `picky` has annotations.
fn picky(annotations: Value) -> Arc<Fake> {
    let world = world();
    let metadata = json!({"name": "picky", "annotations": annotations});
    world.seed("v1/namespaces", json!({"metadata": metadata, "status": {"phase": "Active"}}));
    world.seed("v1/serviceaccounts", json!({"metadata": {"namespace": "picky", "name": "default"}}));
    world
}

fn picky_pod(spec: Value) -> Value {
    let mut pod = json!({"metadata": {"name": "web", "namespace": "picky"}, "spec": {"containers": [{"name": "c"}]}});
    pod["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    pod
}

#[tokio::test]
async fn pods_go_to_the_nodes_that_their_namespace_selects() {
    let ask = Ask { enabled: &["PodNodeSelector"], ..POD };
    let world = picky(json!({"scheduler.alpha.kubernetes.io/node-selector": "zone=a, disk = ssd"}));
    let mut pod = picky_pod(json!({"nodeSelector": {"disk": "ssd", "mine": "1"}}));
    assert_eq!(ask.of(&world, &mut pod).await, None);
    assert_eq!(pod["spec"]["nodeSelector"], json!({"disk": "ssd", "mine": "1", "zone": "a"}));
    let mut pod = picky_pod(json!({"nodeSelector": {"zone": "b"}}));
    let why = "pod node label selector conflicts with its namespace node label selector";
    assert_eq!(ask.of(&world, &mut pod).await, Some(format!("pods \"web\" is forbidden: {why}")));
    let odd = picky(json!({"scheduler.alpha.kubernetes.io/node-selector": "a=b=c"}));
    assert_eq!(ask.of(&odd, &mut picky_pod(json!({}))).await, Some("invalid selector: [a b c]".to_owned()));
    let mut pod = picky_pod(json!({}));
    assert_eq!(ask.of(&picky(json!({})), &mut pod).await, None);
    assert_eq!(pod["spec"].get("nodeSelector"), None);
}

#[tokio::test]
async fn pods_tolerate_what_their_namespace_gives_and_lists() {
    let ask = Ask { enabled: &["PodTolerationRestriction"], ..POD };
    let tolerations = |pod: &Value| {
        let all = pod["spec"]["tolerations"].as_array().unwrap().iter();
        // Those that every pod gets.
        let own = all.filter(|one| !one["key"].as_str().unwrap().starts_with("node.kubernetes.io/"));
        own.cloned().collect::<Vec<_>>()
    };
    let given = json!({"scheduler.alpha.kubernetes.io/defaultTolerations": "[{\"key\": \"gpu\", \"operator\": \"Exists\"}]"});
    let mut pod = picky_pod(json!({"tolerations": [{"key": "gpu", "operator": "Equal", "value": "x", "effect": "NoSchedule"}]}));
    assert_eq!(ask.of(&picky(given), &mut pod).await, None);
    assert_eq!(tolerations(&pod), [json!({"key": "gpu", "operator": "Exists"})], "the narrower one goes");

    let pressure = |pod: &Value| pod["spec"]["tolerations"].to_string().contains("node.kubernetes.io/memory-pressure");
    let mut plain = picky_pod(json!({}));
    let mut asking = picky_pod(json!({"containers": [{"name": "c", "resources": {"requests": {"memory": "1Gi"}}}]}));
    for (pod, expected) in [(&mut plain, false), (&mut asking, true)] {
        assert_eq!(ask.of(&picky(json!({})), pod).await, None);
        assert_eq!(pressure(pod), expected);
    }

    let listed = "[{\"operator\": \"Exists\", \"effect\": \"NoExecute\"}, {\"key\": \"disk\", \"operator\": \"Exists\"}]";
    let listed = picky(json!({"scheduler.alpha.kubernetes.io/tolerationsWhitelist": listed}));
    let disk = json!([{"key": "disk", "operator": "Equal", "value": "a"}]);
    assert_eq!(ask.of(&listed, &mut picky_pod(json!({"tolerations": disk}))).await, None);
    let other = json!([{"key": "other", "operator": "Exists", "effect": "NoSchedule"}]);
    let why = "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist";
    assert_eq!(ask.of(&listed, &mut picky_pod(json!({"tolerations": other}))).await, Some(why.to_owned()));
}
