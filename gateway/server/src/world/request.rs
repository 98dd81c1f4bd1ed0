//! What a write of the server's own parts has of a request: path and user agent, authorization, the audit record.
//! Upstream's parts are clients that come over the wire. Carries nothing out (`world`).

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::HeaderValue;
use model::{GroupVersionResource, RequestInfo, Status, Value, Verb};

use crate::answer::{Answer, Content};
use crate::call::Call;
use crate::gate::Gate;
use crate::options::delete::DeleteOptions;
use crate::{path, respond, version};

/// Where the parts of the process are.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What a request carries.
pub(super) enum Sent<'a> {
    /// The object to store.
    Object(&'a Value),
    /// The change to one.
    Patch(&'a Value),
    /// How to delete one.
    Options(&'a DeleteOptions),
    /// What is passed on to an extension server, unread.
    Elsewhere,
}

/// How a part of a program of upstream's calls itself: `rest.AddUserAgent` of client-go, built without a commit.
pub(super) fn agent(program: &str, part: &str) -> HeaderValue {
    let joint = if part.is_empty() { "" } else { "/" };
    let agent = format!("{program}/{} ({}) kubernetes/unknown{joint}{part}", version::KUBERNETES, version::platform());
    // Names of programs and accounts are text that a header can carry.
    HeaderValue::from_str(&agent).unwrap_or(HeaderValue::from_static("unknown"))
}

/// What the path of a request would say; `place` is the namespace and the name.
pub(super) fn info(verb: Verb, resource: &GroupVersionResource, subresource: &str, place: (&str, &str)) -> RequestInfo {
    let (namespace, name) = place;
    let is_namespace = resource.group.is_empty() && &*resource.resource == "namespaces";
    RequestInfo {
        resource_request: true,
        verb,
        api_prefix: if resource.group.is_empty() { "api".to_owned() } else { "apis".to_owned() },
        group: resource.group.to_string(),
        version: resource.version.to_string(),
        resource: resource.resource.to_string(),
        subresource: subresource.to_owned(),
        // Who reads the path of a namespace takes it for what lies in that namespace.
        namespace: if is_namespace { name.to_owned() } else { namespace.to_owned() },
        name: name.to_owned(),
        ..RequestInfo::default()
    }
}

/// Opens the record of a request and asks whether it may be. What comes of it is told by [`end`], refused or not.
pub(super) fn begin(gate: &Gate, call: &mut Call, sent: &Sent<'_>, field_manager: &str) -> Result<(), Status> {
    if gate.audit.is_on() {
        call.uri = uri(&call.info, field_manager);
        path::open_audit_record(gate, HERE, call);
    }
    let asked = call.attributes();
    path::authorize(gate, call, &asked)?;
    match sent {
        Sent::Object(object) => call.record.request_object(object),
        Sent::Patch(patch) if call.record.wants_request_object() => call.record.request_patch(patch.to_string().as_bytes()),
        Sent::Options(options) if call.record.wants_request_object() => call.record.request_object(&options.to_object()),
        Sent::Patch(_) | Sent::Options(_) | Sent::Elsewhere => {}
    }
    Ok(())
}

/// Closes the record, if there is one.
pub(super) async fn end<T>(gate: &Gate, call: Call, outcome: &Result<T, Status>, answer: impl FnOnce(&T) -> Answer) {
    if call.record.id().is_some() {
        respond::record(gate, call, outcome.as_ref().map(answer).map_err(Status::clone)).await;
    }
}

/// What an extension server answered, which nobody here reads.
pub(super) fn elsewhere() -> Answer {
    Answer::new(200, Content::Raw("", Bytes::new()))
}

fn uri(info: &RequestInfo, field_manager: &str) -> String {
    let RequestInfo { group, version, resource, namespace, name, .. } = info;
    let mut uri = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    if !namespace.is_empty() && (resource != "namespaces" || !group.is_empty()) {
        uri.extend(["/namespaces/", namespace]);
    }
    uri.extend(["/", resource]);
    for part in [name, &info.subresource].into_iter().filter(|part| !part.is_empty()) {
        uri.extend(["/", part]);
    }
    if !field_manager.is_empty() {
        uri.extend(["?fieldManager=", field_manager]);
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_a_client() {
        let of = |group, resource, subresource, place| {
            uri(&info(Verb::Update, &GroupVersionResource::new(group, "v1", resource), subresource, place), "")
        };
        assert_eq!(of("", "namespaces", "finalize", ("", "a")), "/api/v1/namespaces/a/finalize");
        assert_eq!(of("", "serviceaccounts", "", ("a", "")), "/api/v1/namespaces/a/serviceaccounts");
        assert_eq!(of("apps", "deployments", "status", ("a", "d")), "/apis/apps/v1/namespaces/a/deployments/d/status");
        assert_eq!(of("example.org", "namespaces", "", ("a", "b")), "/apis/example.org/v1/namespaces/a/namespaces/b");
        let schema = info(Verb::Create, &GroupVersionResource::new("flow", "v1", "schemas"), "", ("", ""));
        assert_eq!(uri(&schema, "producer"), "/apis/flow/v1/schemas?fieldManager=producer");
    }

    #[test]
    fn programs_call_themselves_as_client_go_does() {
        let platform = version::platform();
        assert_eq!(agent("kube-apiserver", ""), format!("kube-apiserver/v1.37.2 ({platform}) kubernetes/unknown"));
        let part = "system:serviceaccount:kube-system:namespace-controller";
        let whole = format!("kube-controller-manager/v1.37.2 ({platform}) kubernetes/unknown/{part}");
        assert_eq!(agent("kube-controller-manager", part), whole);
    }
}
