//! What upstream's own tests ask of its validation.

use model::json::{Value, json};

use super::all;

const SECRET: &str = "A/j5CnrWGB83ylcPkuUhm/6TSyrQtsNJtDPwPHNOj4Q=";

fn faults(resources: &Value) -> Vec<String> {
    all(&json!({"resources": resources})).err().unwrap_or_default()
}

fn keyed(kind: &str) -> Value {
    json!({kind: {"keys": [{"name": "foo", "secret": SECRET}]}})
}

fn plugin(version: &str, name: &str) -> Value {
    json!({"kms": {"apiVersion": version, "name": name, "endpoint": "unix:///tmp/kms-provider.socket", "timeout": "3s"}})
}

/// The faults of one entry for Secrets with these providers, without its place.
fn of_providers(providers: &Value) -> Vec<String> {
    let place = "resources[0].providers";
    let told = faults(&json!([{"resources": ["secrets"], "providers": providers}]));
    told.into_iter().map(|fault| fault.strip_prefix(place).map_or(fault.clone(), str::to_owned)).collect()
}

#[test]
fn what_must_be_there() {
    assert_eq!(faults(&json!(null)), ["resources: Required value: at least one resources is required"]);
    assert_eq!(faults(&json!([])), ["resources: Required value: at least one resources is required"]);
    assert_eq!(
        faults(&json!([{"providers": [keyed("aescbc")]}])),
        ["resources[0].resources: Required value: at least one resources[0].resources is required"]
    );
    assert_eq!(
        faults(&json!([{"resources": ["secrets"]}])),
        ["resources[0].providers: Required value: at least one resources[0].providers is required"]
    );
    assert_eq!(of_providers(&json!([keyed("aesgcm"), keyed("aescbc"), keyed("secretbox"), {"identity": {}}])), [""; 0]);
    assert_eq!(
        of_providers(&json!([{}, {"identity": null}])),
        [0, 1].map(|at| format!(
            "[{at}]: Invalid value: {{\"AESGCM\":null,\"AESCBC\":null,\"Secretbox\":null,\"Identity\":null,\"KMS\":null}}: provider \
             does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity"
        ))
    );
    let two = json!({"aesgcm": {"keys": []}, "aescbc": {"keys": [{"name": "foo", "secret": SECRET}]}});
    assert_eq!(
        of_providers(&json!([two])),
        [
            "[0]: Invalid value: {\"AESGCM\":{\"Keys\":[]},\"AESCBC\":{\"Keys\":[{\"Name\":\"foo\",\"Secret\":\"REDACTED\"}]},\
             \"Secretbox\":null,\"Identity\":null,\"KMS\":null}: more than one provider specified in a single element, should split \
             into different list elements",
            "[0].aesgcm.keys: Required value: at least one keys is required",
        ]
    );
}

#[test]
fn keys_have_a_name_and_a_secret_of_the_right_length() {
    for kind in ["aesgcm", "aescbc", "secretbox"] {
        let told = |keys: Value| of_providers(&json!([{kind: {"keys": keys}}]));
        let place = format!("[0].{kind}.keys");
        let lengths = if kind == "secretbox" { "[32]" } else { "[16 24 32]" };
        for (keys, want) in [
            (json!(null), ": Required value: at least one keys is required"),
            (json!([]), ": Required value: at least one keys is required"),
            (json!([{"secret": SECRET}]), "[0].name: Required value: name is a mandatory field for a key"),
            (json!([{"name": "foo"}]), "[0].secret: Required value: secret is a mandatory field for a key"),
            (
                json!([{"name": "foo", "secret": "P@ssword"}]),
                "[0].secret: Invalid value: \"REDACTED\": secrets must be base64 encoded",
            ),
        ] {
            assert_eq!(told(keys), [format!("{place}{want}")]);
        }
        assert_eq!(
            told(json!([{"name": "foo", "secret": "cGFzc3dvcmQK"}])),
            [format!(
                "{place}[0].secret: Invalid value: \"REDACTED\": secret is not of the expected length, got 9, expected one of {lengths}"
            )]
        );
    }
    let broken = json!({"aescbc": {"keys": [{"name": "foo", "secret": "c2VjcmV0IGlz\nIHNlY3VyZR=="}]}});
    assert_eq!(of_providers(&json!([broken])), [""; 0], "Go reads over line breaks and bits that belong to no byte");
}

#[test]
fn plugins_are_whole_and_have_names_of_their_own() {
    let told = |changes: Value| {
        let mut kms = plugin("v2", "foo");
        for (field, value) in changes.as_object().expect("an object") {
            kms["kms"][&**field] = value.clone();
        }
        of_providers(&json!([kms])).iter().map(|fault| fault.replacen("[0].kms.", "", 1)).collect::<Vec<_>>()
    };
    for (changes, want) in [
        (json!({"timeout": "1m0s"}), None),
        (json!({"timeout": null}), None),
        (json!({"timeout": "-1m0s"}), Some("timeout: Invalid value: \"-1m0s\": timeout should be a positive value")),
        (json!({"timeout": "0s"}), Some("timeout: Invalid value: \"0s\": timeout should be a positive value")),
        (json!({"endpoint": ""}), Some("endpoint: Invalid value: \"\": endpoint is a mandatory field for a kms")),
        (
            json!({"endpoint": "https://www.foo.com"}),
            Some(
                "endpoint: Invalid value: \"https://www.foo.com\": unsupported scheme \"https\" for KMS provider, only unix is supported",
            ),
        ),
        (
            json!({"endpoint": "/tmp/a"}),
            Some("endpoint: Invalid value: \"/tmp/a\": unsupported scheme \"\" for KMS provider, only unix is supported"),
        ),
        (
            json!({"endpoint": "unix:///foo\n.socket"}),
            Some(
                "endpoint: Invalid value: \"unix:///foo\\n.socket\": invalid endpoint for kms provider, error: parse \
                 \"unix:///foo\\n.socket\": net/url: invalid control character in URL",
            ),
        ),
        (json!({"cachesize": 10}), Some("cachesize: Invalid value: 10: cachesize is not supported in v2")),
        (json!({"cachesize": 10, "apiVersion": "v1"}), None),
        (json!({"cachesize": -1, "apiVersion": "v1"}), None),
        (
            json!({"cachesize": 0, "apiVersion": "v1"}),
            Some("cachesize: Invalid value: 0: cachesize should be a positive value, or negative to disable"),
        ),
        (
            json!({"apiVersion": "v3"}),
            Some(
                "apiVersion: Invalid value: \"v3\": unsupported apiVersion apiVersion for KMS provider, only v1 and v2 are supported",
            ),
        ),
        (json!({"name": ""}), Some("name: Required value: name is a mandatory field for a provider")),
        (
            json!({"name": "foo:bar"}),
            Some("name: Invalid value: \"foo:bar\": invalid KMS provider name foo:bar, must not contain ':'"),
        ),
        (json!({"name": "foo:bar", "apiVersion": "v1"}), None),
    ] {
        assert_eq!(told(changes.clone()), want.into_iter().collect::<Vec<_>>(), "{changes}");
    }
    let twice = "duplicate KMS provider name foo, names must be unique";
    for first in ["v1", "v2"] {
        let (one, other) = (plugin(first, "foo"), plugin("v2", "foo"));
        assert_eq!(of_providers(&json!([one, other])), [format!("[1].kms.name: Invalid value: \"foo\": {twice}")]);
        assert_eq!(
            faults(&json!([{"resources": ["secrets"], "providers": [one]}, {"resources": ["secrets"], "providers": [other]}])),
            [format!("resources[1].providers[0].kms.name: Invalid value: \"foo\": {twice}")]
        );
    }
}

#[test]
fn names_of_resources_are_those_of_what_is_stored() {
    const EVENTS: &str =
        "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file";
    const EXTENSIONS: &str = "'extensions' group has been removed and cannot be used for encryption";
    const UNSTORED: &str = "resources which do not have REST API/s cannot be encrypted";
    for (named, at, want) in [
        (vec!["events.events.k8s.io"], 0, EVENTS),
        (vec!["secret", "events.events.k8s.io"], 1, EVENTS),
        (vec!["*.events.k8s.io"], 0, EVENTS),
        (vec!["*.extensions"], 0, EXTENSIONS),
        (vec!["foo.extensions"], 0, EXTENSIONS),
        (vec!["*"], 0, "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources"),
        (vec!["apiServerIPInfo"], 0, "resource name should not contain capital letters"),
        (vec!["apiserveripinfo"], 0, UNSTORED),
        (vec!["serviceipallocations"], 0, UNSTORED),
        (vec!["servicenodeportallocations"], 0, UNSTORED),
        (vec!["*.", "foos.*"], 1, "encrypting the same resource across groups is not supported"),
    ] {
        let told = faults(&json!([{"resources": named, "providers": [{"identity": {}}]}]));
        assert_eq!(told, [format!("resources[0].resources[{at}]: Invalid value: \"{}\": {want}", named[at])]);
    }
}

#[test]
fn resources_of_one_list_do_not_overlap() {
    const TWICE: &str = "the same resource cannot be specified multiple times";
    const OVERLAP: &str =
        "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked";
    for (named, want) in [
        (vec!["*.apps", "*."], vec![]),
        (vec!["deployments.apps", "*."], vec![]),
        (vec!["secrets", "secrets"], vec![TWICE]),
        (vec!["secrets"; 4], vec![TWICE]),
        (vec!["secrets", "secrets."], vec![TWICE]),
        (vec!["*.apps", "*.", "*.*"], vec![OVERLAP]),
        (vec!["deployments.apps", "*.apps"], vec![OVERLAP]),
        (vec!["secrets", "*."], vec![OVERLAP]),
        (vec!["pods", "*."], vec![OVERLAP]),
        (vec!["secrets", "*.*"], vec![OVERLAP]),
        (vec!["*.", "*.*"], vec![OVERLAP]),
        (vec!["*.", "*."], vec![TWICE, OVERLAP]),
    ] {
        let told = faults(&json!([{"resources": named, "providers": [{"identity": {}}]}]));
        let shown = json!(named);
        let want: Vec<String> = want.iter().map(|why| format!("resources[0].resources: Invalid value: {shown}: {why}")).collect();
        assert_eq!(told, want);
    }
}
