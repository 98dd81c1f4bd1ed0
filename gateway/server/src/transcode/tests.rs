//! What lies in etcd, without an etcd; `conformance/etcd` compares with what kube-apiserver writes there.

use super::*;

fn transcode() -> Transcode {
    Transcode::new(Arc::new(Catalog::builtin().expect("reads")), Media::Protobuf, Slot::default())
}

#[test]
fn keys_say_where_the_resource_ends() {
    let transcode = transcode();
    let prefix = |key: &str| transcode.prefix_len(key).map(|len| key[..len].to_owned());
    for (key, want) in [
        ("/registry/pods/default/web", "/registry/pods/"),
        ("/registry/services/specs/default/web", "/registry/services/specs/"),
        ("/registry/services/endpoints/default/web", "/registry/services/endpoints/"),
        ("/registry/minions/node-1", "/registry/minions/"),
        ("/registry/ranges/servicenodeports", "/registry/ranges/"),
        ("/registry/masterleases/10.0.0.1", "/registry/masterleases/"),
        ("/registry/apiregistration.k8s.io/apiservices/v1.", "/registry/apiregistration.k8s.io/apiservices/"),
        ("/registry/stable.example.com/crontabs/default/a", "/registry/stable.example.com/crontabs/"),
        ("/registry/stable.example.com/crontabs/a", "/registry/stable.example.com/crontabs/"),
    ] {
        assert_eq!(prefix(key).as_deref(), Some(want), "{key}");
    }
    for key in ["/registry/health", "/registry/pods/", "/registry/stable.example.com/crontabs"] {
        assert_eq!(prefix(key), None, "{key}");
    }
}

#[test]
fn a_built_in_kind_is_protobuf_and_comes_back_as_it_was() {
    let transcode = transcode();
    let body =
        br#"{"metadata":{"name":"a","namespace":"default","resourceVersion":"","labels":{"app":"shop"}},"data":{"k":"v"}}"#;
    let stored = transcode.encode("/registry/configmaps/", body).expect("encodes");
    assert!(stored.starts_with(b"k8s\0\n\x0f\n\x02v1\x12\tConfigMap"), "{stored:?}");
    let back = transcode.decode("/registry/configmaps/", &stored).expect("decodes");
    assert_eq!(back.header.labels.get("app"), Some("shop"));
    assert_eq!(back.revision_at, back.body.windows(2).position(|two| two == b"\"\"").expect("there") + 1);
    let (was, is): (Value, Value) =
        (serde_json::from_slice(body).expect("parses"), serde_json::from_slice(&back.body).expect("parses"));
    assert_eq!(was["data"], is["data"]);
}

#[test]
fn what_an_older_server_stored_gets_its_defaults() {
    let transcode = transcode();
    let body = br#"{"metadata":{"name":"a","namespace":"default","resourceVersion":""},"spec":{"ports":[{"port":80}]}}"#;
    let stored = transcode.encode("/registry/services/specs/", body).expect("encodes");
    let back = transcode.decode("/registry/services/specs/", &stored).expect("decodes");
    let object: Value = serde_json::from_slice(&back.body).expect("parses");
    assert_eq!(object.pointer("/spec/ports/0/protocol"), Some(&json!("TCP")));
}

#[test]
fn definitions_are_json_of_the_smaller_version() {
    let transcode = transcode();
    let body = br#"{"metadata":{"name":"as.example.com","resourceVersion":""},"spec":{"group":"example.com","names":{"plural":"as","kind":"A"},"scope":"Namespaced","versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]}}"#;
    let prefix = "/registry/apiextensions.k8s.io/customresourcedefinitions/";
    let stored = transcode.encode(prefix, body).expect("encodes");
    let lies: Value = serde_json::from_slice(&stored).expect("is JSON");
    assert_eq!(lies["apiVersion"], definition::STORED);
    assert_eq!(lies.pointer("/spec/validation/openAPIV3Schema/type"), Some(&json!("object")));
    assert!(lies.pointer("/metadata/resourceVersion").is_none());
    let back = transcode.decode(prefix, &stored).expect("decodes");
    let object: Value = serde_json::from_slice(&back.body).expect("parses");
    assert_eq!(object.pointer("/spec/versions/0/schema/openAPIV3Schema/type"), Some(&json!("object")));
}

#[test]
fn custom_resources_are_json_with_sorted_keys() {
    let transcode = transcode();
    let prefix = "/registry/stable.example.com/crontabs/";
    let body = br#"{"apiVersion":"stable.example.com/v1","kind":"CronTab","metadata":{"name":"a","resourceVersion":""},"spec":{"b":1,"a":2}}"#;
    let stored = transcode.encode(prefix, body).expect("encodes");
    let want = "{\"apiVersion\":\"stable.example.com/v1\",\"kind\":\"CronTab\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"a\":2,\"b\":1}}\n";
    assert_eq!(String::from_utf8(stored.clone()).expect("text"), want);
    let back = transcode.decode(prefix, &stored).expect("decodes");
    assert_eq!(&back.body[back.revision_at - 1..=back.revision_at], b"\"\"");
}

#[test]
fn what_is_damaged_is_refused() {
    let transcode = transcode();
    for stored in [&b""[..], b"k8s\0", b"k8s\0\xff\xff", b"null", b"{", b"[]"] {
        assert!(transcode.decode("/registry/pods/", stored).is_err(), "{stored:?}");
    }
}
