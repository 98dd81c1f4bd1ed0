//! What policies wrote to the server's log, in a span that says for which request. Changes nothing.

use wasm::Answer;

use super::set::Entry;
use crate::Review;

/// Tells a call's lines; a call without any costs nothing here.
pub(super) fn log<T>(entry: &Entry, review: &Review<'_>, answer: &Answer<T>) {
    if answer.log.is_empty() {
        return;
    }
    let took_us = answer.took.as_micros() as u64;
    let policy = &entry.binding.name;
    let span = tracing::info_span!("policy", %policy, revision = entry.revision(), request = review.uid, took_us);
    let _entered = span.enter();
    for line in &answer.log {
        let said = &line.message;
        match line.level {
            "debug" => tracing::debug!(%policy, %said, "policy says"),
            "info" => tracing::info!(%policy, %said, "policy says"),
            "warn" => tracing::warn!(%policy, %said, "policy says"),
            _ => tracing::error!(%policy, %said, "policy says"),
        }
    }
}
