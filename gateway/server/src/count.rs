//! Counts answered requests under upstream's labels. What the metrics are is `metrics`'.

use std::sync::Arc;

use model::{RequestInfo, Verb};

use crate::call::Call;
use crate::gate::Gate;
use crate::metrics::{Labels, Running, Series};

/// A request was answered.
pub(crate) fn answered(gate: &Gate, call: &Call, code: u16) {
    let series = series(gate, call);
    if call.is_long_running() {
        series.observe_long_running(code);
    } else {
        let took = gate.clock.now().duration_since(call.now);
        series.observe(code, took.as_secs_f64(), None);
    }
}

/// A long-running answer has begun; it counts for as long as this is kept.
pub(crate) fn running(gate: &Gate, call: &Call) -> Running {
    series(gate, call).running()
}

fn series(gate: &Gate, call: &Call) -> Arc<Series> {
    let info = &call.info;
    let path = if info.resource_request { &info.subresource } else { &info.path };
    let labels = Labels {
        verb: verb(info, call.header("content-type")),
        dry_run: if call.query.get("dryRun").is_some() { "All" } else { "" },
        group: &info.group,
        version: &info.version,
        resource: &info.resource,
        subresource: path,
        scope: scope(info),
    };
    gate.metrics.series(&labels)
}

fn verb(info: &RequestInfo, content_type: &str) -> &'static str {
    match info.verb {
        Verb::Get => "GET",
        Verb::List => "LIST",
        Verb::Watch => "WATCH",
        Verb::Create => "POST",
        Verb::Update => "PUT",
        Verb::Patch if content_type.starts_with("application/apply-patch") => "APPLY",
        Verb::Patch => "PATCH",
        Verb::Delete => "DELETE",
        Verb::DeleteCollection => "DELETECOLLECTION",
        Verb::Proxy => "CONNECT",
        Verb::Other("post") => "POST",
        Verb::Other("put") => "PUT",
        Verb::Other("head") => "HEAD",
        Verb::Other(_) => "OTHER",
    }
}

fn scope(info: &RequestInfo) -> &'static str {
    match (info.resource_request, info.name.is_empty(), info.namespace.is_empty()) {
        (false, ..) => "",
        (true, false, _) => "resource",
        (true, true, false) => "namespace",
        (true, true, true) => "cluster",
    }
}
