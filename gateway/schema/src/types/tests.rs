//! Reading the recorded types.

use super::*;

const TABLE: &str = include_str!("../../../catalog/data/types.txt");

fn types() -> Types {
    Types::parse(&[TABLE]).expect("the committed table is readable")
}

#[test]
fn a_container_has_its_facts() {
    let types = types();
    let container = &types[types.by_name("io.k8s.api.core.v1.Container").expect("known")];
    assert_eq!((container.go_name, container.short_name()), ("v1.Container", "Container"));
    let order: Vec<_> = container.fields.iter().take(4).map(|f| f.json).collect();
    assert_eq!(order, ["name", "image", "command", "args"]);
    let ports = container.field("ports").expect("ports");
    assert_eq!((ports.proto, ports.omit, ports.pointer, ports.required), (6, Omit::Empty, false, false));
    assert_eq!(ports.patch, Some(PatchStrategy { merge: true, retain_keys: false, key: Some("containerPort") }));
    assert_eq!(ports.list, Some(ListType::Map(vec!["containerPort", "protocol"])));
    assert_eq!(types.go_type(ports), "[]v1.ContainerPort");
    assert_eq!(types.go_type(container.field("imagePullPolicy").expect("field")), "v1.PullPolicy");
    assert!(container.field("Name").is_none(), "names are compared with their case");
}

#[test]
fn an_inlined_struct_is_lifted_and_keeps_its_message() {
    let types = types();
    let volume = &types[types.by_name("io.k8s.api.core.v1.Volume").expect("known")];
    let host_path = volume.field("hostPath").expect("hostPath");
    assert_eq!((&host_path.proto_in[..], host_path.proto, host_path.pointer), (&[2][..], 1, true));
    let rule = &types[types.by_name("io.k8s.api.admissionregistration.v1.NamedRuleWithOperations").expect("known")];
    let groups = rule.field("apiGroups").expect("apiGroups");
    assert_eq!((&groups.proto_in[..], groups.proto), (&[2, 2][..], 1), "inlined in what is inlined");
}

#[test]
fn a_kind_leads_to_its_struct() {
    let types = types();
    let pod = &types[types.of_kind("v1", "Pod").expect("known")];
    let names: Vec<_> = pod.fields.iter().map(|f| f.json).collect();
    assert_eq!(names, ["kind", "apiVersion", "metadata", "spec", "status"]);
    assert_eq!(pod.fields[0].proto, 0, "protobuf carries the kind in its envelope");
    assert!(types.of_kind("apps/v1", "Pod").is_none());
}

#[test]
fn element_types_are_spelt_as_go_does() {
    let types = types();
    let claim = &types[types.by_name("io.k8s.api.core.v1.PersistentVolumeClaimSpec").expect("known")];
    assert_eq!(types.go_element_type(claim.field("accessModes").expect("field")), "v1.PersistentVolumeAccessMode");
}

#[test]
fn an_unreadable_line_is_told() {
    for (text, why) in [
        ("\tname Name string 1", "a field before any type"),
        ("type a v1.A\n\tname Name nothing 1", "no type nothing"),
        ("type a v1.A\n\tname Name string x", "x is no protobuf number"),
        ("kind v1 A b", "no type b"),
        ("type a v1.A\n\tname Name string 1 shiny", "unknown fact shiny"),
    ] {
        let error = Types::parse(&[text]).expect_err(text).to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
#[ignore = "prints how long parsing takes; run by hand with --release"]
fn parse_time() {
    let start = std::time::Instant::now();
    for _ in 0..100 {
        std::hint::black_box(types());
    }
    println!("{:?} a parse", start.elapsed() / 100);
}
