//! What each provider makes and reads; `conformance/etcd` compares with kube-apiserver.

use model::json::json;

use super::*;

const KEY: &str = "/registry/secrets/default/a";
const PREFIX: &str = "/registry/secrets/";

fn secret(byte: u8, len: usize) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(vec![byte; len])
}

fn resource_of() -> ResourceOf {
    Arc::new(|prefix| match prefix {
        "/registry/secrets/" => Some((String::new(), "secrets".into())),
        "/registry/configmaps/" => Some((String::new(), "configmaps".into())),
        "/registry/deployments/" => Some(("apps".into(), "deployments".into())),
        _ => None,
    })
}

fn configuration(resources: &[&str], providers: &Value) -> Value {
    json!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
        "resources": [{"resources": resources, "providers": providers}]})
}

fn keyed(kind: &str, keys: &[(&str, u8, usize)]) -> Value {
    let keys: Vec<_> = keys.iter().map(|(name, byte, len)| json!({"name": name, "secret": secret(*byte, *len)})).collect();
    json!({kind: {"keys": keys}})
}

fn encryption(resources: &[&str], providers: &Value) -> Encryption {
    Encryption::new(&configuration(resources, providers), resource_of()).expect("sound")
}

#[tokio::test]
async fn every_cipher_reads_what_it_wrote_and_nothing_that_was_changed() {
    let ciphers =
        [("aescbc", 16), ("aescbc", 24), ("aescbc", 32), ("aesgcm", 16), ("aesgcm", 24), ("aesgcm", 32), ("secretbox", 32)];
    for (kind, len) in ciphers {
        let encryption = encryption(&["secrets"], &json!([keyed(kind, &[("one", 7, len)])]));
        for clear in [&b""[..], b"x", b"sixteen bytes 16", &[0xab; 5000]] {
            let stored = encryption.write_storage(PREFIX, KEY, clear.to_vec()).await.expect("encrypts");
            assert!(stored.starts_with(format!("k8s:enc:{kind}:v1:one:").as_bytes()), "{kind}");
            assert!(clear.len() < 16 || !stored.windows(clear.len()).any(|part| part == clear));
            assert_eq!(
                encryption.read_storage(PREFIX, KEY, stored.clone().into()).await.expect("decrypts"),
                clear,
                "{kind} {len}"
            );
            if kind != "aescbc" {
                let mut damaged = stored.clone();
                *damaged.last_mut().expect("some") ^= 1;
                assert!(encryption.read_storage(PREFIX, KEY, damaged.into()).await.is_err(), "{kind}: damaged");
            }
            let moved = encryption.read_storage(PREFIX, "/registry/secrets/default/b", stored.into()).await;
            assert_eq!(moved.is_err(), kind == "aesgcm", "{kind}: only some bind to the place");
        }
    }
}

#[tokio::test]
async fn the_first_key_writes_and_all_read() {
    let old = encryption(&["secrets"], &json!([keyed("aesgcm", &[("old", 1, 32)])]));
    let stored = old.write_storage(PREFIX, KEY, b"secret".to_vec()).await.expect("encrypts");
    let rotated = configuration(&["secrets"], &json!([keyed("aesgcm", &[("new", 2, 32), ("old", 1, 32)]), {"identity": {}}]));
    old.replace(&rotated).await.expect("sound");
    assert_eq!(old.read_storage(PREFIX, KEY, stored.clone().into()).await.expect("the old key reads"), b"secret"[..]);
    let again = old.write_storage(PREFIX, KEY, b"secret".to_vec()).await.expect("encrypts");
    assert!(again.starts_with(b"k8s:enc:aesgcm:v1:new:"));
    assert_eq!(
        old.read_storage(PREFIX, KEY, Bytes::from_static(b"k8s\0clear")).await.expect("identity reads"),
        b"k8s\0clear"[..]
    );

    old.replace(&configuration(&["secrets"], &json!([keyed("aesgcm", &[("new", 2, 32)])]))).await.expect("sound");
    assert!(old.read_storage(PREFIX, KEY, stored.into()).await.is_err(), "the old key is gone");
    assert!(old.read_storage(PREFIX, KEY, Bytes::from_static(b"k8s\0clear")).await.is_err(), "nothing in the clear is read");
    for wrong in [json!({}), configuration(&["secrets"], &json!([{"aescbc": {"keys": []}}, {"identity": {}}]))] {
        assert!(old.replace(&wrong).await.is_err());
    }
    assert!(old.read_storage(PREFIX, KEY, again.into()).await.is_ok(), "what is wrong changes nothing");
}

#[tokio::test]
async fn what_nobody_speaks_of_stays_as_it_is() {
    let encryption = encryption(&["secrets"], &json!([keyed("secretbox", &[("k", 1, 32)])]));
    let elsewhere = "/registry/configmaps/";
    assert_eq!(encryption.write_storage(elsewhere, "k", b"x".to_vec()).await.expect("as it is"), b"x");
    let sealed = encryption.write_storage(PREFIX, KEY, b"x".to_vec()).await.expect("encrypts");
    let fault = encryption.read_storage(elsewhere, "k", sealed.into()).await.expect_err("not its provider");
    assert_eq!(fault, "identity transformer tried to read encrypted data");
}

#[test]
fn the_nearest_pattern_counts() {
    let named = |name: &str| keyed("aescbc", &[(name, 1, 16)]);
    let rules =
        Rules::read(&json!({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration", "resources": [
            {"resources": ["secrets", "deployments.apps"], "providers": [named("own")]},
            {"resources": ["*.apps"], "providers": [named("group")]},
            {"resources": ["*."], "providers": [named("core")]},
            {"resources": ["*.*"], "providers": [named("all")]},
        ]}))
        .expect("sound");
    let first = |group: &str, plural: &str| String::from_utf8(rules.of(group, plural)[0].prefix.clone()).expect("text");
    assert_eq!(first("", "secrets"), "k8s:enc:aescbc:v1:own:");
    assert_eq!(first("apps", "deployments"), "k8s:enc:aescbc:v1:own:");
    assert_eq!(first("apps", "daemonsets"), "k8s:enc:aescbc:v1:group:");
    assert_eq!(first("", "pods"), "k8s:enc:aescbc:v1:core:");
    assert_eq!(first("batch", "jobs"), "k8s:enc:aescbc:v1:all:");
}

#[test]
fn what_cannot_be_used_is_refused() {
    for (providers, why) in [
        (
            json!([]),
            "error while parsing file: resources[0].providers: Required value: at least one resources[0].providers is required",
        ),
        (
            json!([{"aescbc": {}}, {"identity": {}}]),
            "error while parsing file: resources[0].providers[0].aescbc.keys: Required value: at least one keys is required",
        ),
        (
            json!([{"aesgcm": {"keys": [{}]}}, {"identity": {}}]),
            "error while parsing file: [resources[0].providers[0].aesgcm.keys[0].name: Required value: name is a mandatory field for a \
             key, resources[0].providers[0].aesgcm.keys[0].secret: Required value: secret is a mandatory field for a key]",
        ),
        (
            json!([{"kms": {"name": "k", "endpoint": "unix:///a"}}]),
            "error while building transformers: KMSv1 is deprecated and will only receive security updates going forward. Use KMSv2 \
             instead.  Set --feature-gates=KMSv1=true to use the deprecated KMSv1 feature.",
        ),
    ] {
        let told = Encryption::new(&configuration(&["secrets"], &providers), resource_of()).err();
        assert_eq!(told.as_deref(), Some(why), "{providers}");
    }
}

#[test]
fn what_an_earlier_rule_leaves_nothing_for_is_refused() {
    let read = |lists: &[&[&str]]| {
        let entry = |resources: &&[&str]| json!({"resources": resources, "providers": [{"identity": {}}]});
        Rules::build(&json!({"resources": lists.iter().map(entry).collect::<Vec<_>>()})).map(drop)
    };
    for (lists, masked, by) in [
        (&[&["configmaps", "*."][..], &["secrets"]][..], "secrets", "*."),
        (&[&["configmaps", "*."], &["*."]], "*.", "*."),
        (&[&["configmaps", "*.foo"], &["*.foo", "pods"]], "*.foo", "*.foo"),
        (&[&["*.*"], &["*.*"]], "*.*", "*.*"),
        (&[&["configmaps"], &["*."], &["secrets"]], "secrets", "*."),
        (&[&["*.*"], &["secrets"]], "secrets", "*.*"),
        (&[&["*.*"], &["*."]], "*.", "*.*"),
        (&[&["configmaps"], &["*.*"], &["deployments.apps"]], "deployments.apps", "*.*"),
    ] {
        let why = format!("resource {masked:?} is masked by earlier rule {by:?}");
        assert_eq!(read(lists), Err(why));
    }
    assert_eq!(read(&[&["configmaps"], &["secrets", "*.apps"], &["*."], &["pandas.bears"], &["*.*"]]), Ok(()));
    assert_eq!(read(&[&["secrets"], &["secrets"]]), Ok(()), "two lists may add up");
}

#[tokio::test]
async fn stale_is_whatever_the_first_key_did_not_write() {
    let one = encryption(&["secrets"], &json!([keyed("aescbc", &[("one", 1, 32)]), {"identity": {}}]));
    let both = encryption(&["secrets"], &json!([keyed("aescbc", &[("two", 2, 32), ("one", 1, 32)]), {"identity": {}}]));
    let clear = encryption(&["secrets"], &json!([{"identity": {}}, keyed("aescbc", &[("one", 1, 32)])]));
    let written = one.write_storage(PREFIX, KEY, b"x".to_vec()).await.expect("encrypts");
    let mark = one.mark(&written);
    assert_ne!(mark, 0);
    assert_eq!(one.mark(b"k8s\0clear"), 0);
    assert_eq!((one.is_stale(PREFIX, mark), both.is_stale(PREFIX, mark), clear.is_stale(PREFIX, mark)), (false, true, true));
    assert_eq!((one.is_stale(PREFIX, 0), clear.is_stale(PREFIX, 0)), (true, false));
    assert!(one.is_stale("/registry/configmaps/", mark), "nobody speaks of them any more");
    let colon = encryption(&["secrets"], &json!([keyed("aescbc", &[("a:b", 1, 32)])]));
    let written = colon.write_storage(PREFIX, KEY, b"x".to_vec()).await.expect("encrypts");
    assert!(!colon.is_stale(PREFIX, colon.mark(&written)), "a key's name may hold colons");
}
