//! What a policy writes reaches the server's log.

use std::io;

use parking_lot::Mutex;

use super::*;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_a_policy_says_is_logged_in_a_span_of_the_request() {
    let body = "(call $log (i32.const 2) (i32.const 512) (i32.const 4)) (i32.const 2048)";
    let saying = Guest { import: component::LOG, body, ..Guest::default() };
    let (_, policies) = of(vec![module("saying", &saying)], vec![binding("team", "saying", json!({"grants": ["log"]}))]).await;
    let (kept, revision) = (Kept::default(), policies.set().validators[0].revision().to_owned());
    let writer = kept.clone();
    let log = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    {
        let _logging = tracing::subscriber::set_default(log);
        judge(&policies).await.0.unwrap();
    }
    let text = String::from_utf8(kept.0.lock().clone()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let line = lines.into_iter().find(|line| line["fields"]["said"] == "test").unwrap_or_else(|| panic!("{text}"));
    assert_eq!((&line["level"], &line["fields"]["message"]), (&json!("WARN"), &json!("policy says")));
    let span = &line["span"];
    assert_eq!((&span["policy"], &span["request"], &span["revision"]), (&json!("team"), &json!("0b5f"), &json!(revision)));
    assert!(span["took_us"].is_u64(), "{span}");
}
