//! From an open record to the lines of a file.

use model::clock::SystemClock;
use model::json::json;
use model::{RequestInfo, Status, User, Value, Verb};

use super::*;
use crate::record::source_ips;

const POLICY: &str = "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: RequestResponse}]}";

struct Written {
    folder: tempfile::TempDir,
    log: Log,
}

impl Written {
    fn new(policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let settings = file::Settings { path, size_max_mb: 0, age_max_days: 0, backups_max: 0, compress: false };
        let log = Log::open(Policy::parse(policy).unwrap(), Sink::File(settings), Arc::new(SystemClock)).unwrap();
        Self { folder, log }
    }

    async fn events(&self) -> Vec<Value> {
        self.log.flush().await;
        let text = std::fs::read_to_string(self.folder.path().join("audit.log")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn request(resource: &str, subresource: &str) -> RequestInfo {
    RequestInfo {
        resource_request: true,
        verb: Verb::Create,
        version: "v1".into(),
        namespace: "default".into(),
        resource: resource.into(),
        subresource: subresource.into(),
        ..RequestInfo::default()
    }
}

fn arrival<'a>(request: &'a RequestInfo, user: &'a User) -> Arrival<'a> {
    Arrival {
        request,
        user: Some(user),
        request_uri: "/api/v1/namespaces/default/configmaps?dryRun=All",
        audit_id: "id-1",
        user_agent: "test",
        source_ips: vec!["127.0.0.1".into()],
        received: "2026-02-03T04:05:06.123456Z".parse().unwrap(),
    }
}

#[tokio::test]
async fn writes_each_stage_in_upstreams_field_order() {
    let written = Written::new(POLICY);
    let (request, user) = (request("configmaps", ""), User::new("alice", &["dev"]));
    let mut record = written.log.record(&arrival(&request, &user));
    record.annotate("authorization.k8s.io/decision", "allow");
    record.annotate("authorization.k8s.io/decision", "forbid");
    record.request_object(&json!({"metadata": {"name": "a", "uid": "u"}, "data": {"k": "v"}}));
    record.response_object(r#"{"metadata":{"name":"a"}}"#.into());
    record.close(201, "2026-02-03T04:05:07Z".parse().unwrap()).await;
    let lines = written.events().await;
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["stage"], "RequestReceived");
    assert_eq!(
        lines[1].to_string(),
        concat!(
            r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"id-1","stage":"ResponseComplete","#,
            r#""requestURI":"/api/v1/namespaces/default/configmaps?dryRun=All","verb":"create","user":{"username":"alice","groups":["dev"]},"#,
            r#""sourceIPs":["127.0.0.1"],"userAgent":"test","objectRef":{"resource":"configmaps","namespace":"default","name":"a","uid":"u","apiVersion":"v1"},"#,
            r#""responseStatus":{"metadata":{},"code":201},"requestObject":{"metadata":{"name":"a","uid":"u"},"data":{"k":"v"}},"#,
            r#""responseObject":{"metadata":{"name":"a"}},"requestReceivedTimestamp":"2026-02-03T04:05:06.123456Z","#,
            r#""stageTimestamp":"2026-02-03T04:05:07.000000Z","annotations":{"authorization.k8s.io/decision":"allow"}}"#
        )
    );
}

#[tokio::test]
async fn bodies_that_carry_credentials_never_reach_the_file() {
    let written = Written::new(POLICY);
    let user = User::new("alice", &[]);
    for (resource, subresource) in [("secrets", ""), ("serviceaccounts", "token")] {
        let request = request(resource, subresource);
        let mut record = written.log.record(&arrival(&request, &user));
        record.request_object(&json!({"metadata": {"name": "a"}, "data": {"password": "aHVudGVyMg=="}}));
        record.request_patch(br#"{"data":{"password":"aHVudGVyMg=="}}"#);
        record.annotate_request("patch.webhook.admission.k8s.io/round_0_index_0", r#"{"patch":"aHVudGVyMg=="}"#);
        record.response_object(r#"{"status":{"token":"aHVudGVyMg=="}}"#.into());
        record.close(201, Timestamp::UNIX_EPOCH).await;
    }
    let events = written.events().await;
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| !event.to_string().contains("aHVudGVyMg")));
    assert_eq!(events[1]["objectRef"]["name"], "a", "the reference is complete all the same");
}

#[tokio::test]
async fn whom_nobody_knows_leaves_one_event() {
    let written = Written::new(POLICY);
    let request = request("configmaps", "");
    let mut record = written.log.record(&Arrival { user: None, ..arrival(&request, &User::default()) });
    record.failed(&Status::unauthorized());
    record.close(401, Timestamp::UNIX_EPOCH).await;
    let events = written.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["stage"], &events[0]["user"]), (&json!("ResponseStarted"), &json!({})));
    assert_eq!(
        (&events[0]["responseStatus"]["code"], &events[0]["responseStatus"]["message"]),
        (&json!(401), &json!("Unauthorized"))
    );
}

#[tokio::test]
async fn a_record_nobody_closes_writes_itself() {
    let written = Written::new(POLICY);
    let (request, user) = (request("configmaps", ""), User::new("alice", &[]));
    let mut record = written.log.record(&arrival(&request, &user));
    record.started(200, Timestamp::UNIX_EPOCH);
    drop(record);
    let mut failed = written.log.record(&arrival(&request, &user));
    failed.failed(&Status::bad_request("no"));
    drop(failed);
    let stages: Vec<_> =
        written.events().await.iter().map(|e| (e["stage"].clone(), e["responseStatus"]["code"].clone())).collect();
    assert_eq!(
        stages,
        [
            (json!("RequestReceived"), json!(null)),
            (json!("ResponseStarted"), json!(200)),
            (json!("ResponseComplete"), json!(200)),
            (json!("RequestReceived"), json!(null)),
            (json!("ResponseComplete"), json!(400)),
        ]
    );
}

#[tokio::test]
async fn managed_fields_stay_out_when_the_policy_says_so() {
    let written = Written::new(
        "{apiVersion: audit.k8s.io/v1, kind: Policy, omitManagedFields: true, omitStages: [RequestReceived], rules: [{level: RequestResponse}]}",
    );
    let (request, user) = (request("configmaps", ""), User::new("alice", &[]));
    let mut record = written.log.record(&arrival(&request, &user));
    record.request_object(&json!({"metadata": {"name": "a", "managedFields": [{}]}}));
    record.response_object(r#"{"items":[{"metadata":{"managedFields":[{}]}}]}"#.into());
    record.close(200, Timestamp::UNIX_EPOCH).await;
    let events = written.events().await;
    assert_eq!(events.len(), 1);
    assert!(!events[0].to_string().contains("managedFields"));
}

#[test]
fn tells_the_way_a_request_came() {
    let peer = "10.0.0.9".parse().unwrap();
    assert_eq!(source_ips(None, None, peer), ["10.0.0.9"]);
    assert_eq!(source_ips(Some("1.2.3.4, junk, 10.0.0.9"), Some("1.2.3.4"), peer), ["1.2.3.4", "10.0.0.9"]);
    assert_eq!(source_ips(Some("1.2.3.4"), Some("5.6.7.8"), peer), ["1.2.3.4", "5.6.7.8", "10.0.0.9"]);
}
