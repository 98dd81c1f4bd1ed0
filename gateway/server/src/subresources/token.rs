//! `serviceaccounts/token`: issues a token for an account, bound to what the request names.
//! Follows `pkg/registry/core/serviceaccount/storage/token.go`. Signing is `authn`'s.

mod attestations;

use std::sync::Arc;

use authn::service_account::{Order, Reference};
use futures::FutureExt;
use futures::future::BoxFuture;
use model::clock::rfc3339;
use model::field::{Errors, Path};
use model::json::json;
use model::{GroupKind, GroupResource, Status, User, Value, World, meta};

use crate::answer::{Answer, Content};
use crate::body::Body;
use crate::call::Call;
use crate::gate::{Gate, Tokens};
use crate::row::{self, Row};
use crate::verbs::create;
use crate::world::LocalWorld;
use crate::write::Review;

/// A shorter life than this serves nobody, as upstream.
const LIFETIME_S_MIN: i64 = 600;
/// Upstream's bound on what is asked for.
const LIFETIME_S_MAX: i64 = 1 << 32;
/// The lifetime that kubelets ask for, which is stretched for clients that do not reload their token.
const PROJECTED_S: i64 = 60 * 60 + 7;
/// How far it is stretched.
const EXTENDED_S: i64 = 24 * 365 * 60 * 60;

/// Serves a token request.
pub(super) fn serve<'a>(
    gate: &'a Arc<Gate>,
    call: &'a mut Call,
    row: &'a Row,
    body: Body,
) -> BoxFuture<'a, Result<Answer, Status>> {
    async move {
        let tokens = gate.tokens.as_ref().ok_or_else(Status::page_not_found)?;
        let (mut request, options) = create::read(call, row, body).await?;
        let (namespace, name) = (call.info.namespace.clone(), call.info.name.clone());
        row.track(None, &mut request, &row::manager(call, &options.field_manager), &rfc3339(call.now));
        let review = Review::of_post(row, &namespace, &name, &options);
        review.mutate(gate, call, &mut request).await?;
        let world = LocalWorld::new(gate, User::loopback());
        complete(&world, tokens, &mut request, (&namespace, &name), &rfc3339(call.now)).await?;
        review.validate(gate, call, &request).await?;
        let bound = bound(&world, &request, (&namespace, &name)).await?;
        issue(tokens, call, &mut request, bound)?;
        Ok(Answer::new(201, Content::Object(row.clone(), request)))
    }
    .boxed()
}

fn kind() -> GroupKind {
    GroupKind { group: "authentication.k8s.io".into(), kind: "TokenRequest".into() }
}

fn account() -> model::GroupVersionResource {
    model::GroupVersionResource::new("", "v1", "serviceaccounts")
}

/// Checks the request against the account and fills in what it leaves unsaid.
async fn complete(
    world: &dyn World,
    tokens: &Tokens,
    request: &mut Value,
    (namespace, name): (&str, &str),
    now: &str,
) -> Result<(), Status> {
    for (field, given, right, what) in [
        ("name", meta::name(request), name, "must match the service account name if specified"),
        ("namespace", meta::namespace(request), namespace, "must match the service account namespace if specified"),
    ] {
        if !given.is_empty() && given != right {
            let mut errors = Errors::new();
            let metadata = Path::new("metadata");
            errors.invalid(&metadata.child(field), given, what);
            return Err(Status::invalid(&kind(), name, &errors));
        }
    }
    let account = world.get(&account(), namespace, name).await?;
    let (wanted, uid) = (meta::uid(request).to_owned(), meta::uid(&account).to_owned());
    if !wanted.is_empty() && wanted != uid {
        let why = format!("the UID in the token request ({wanted}) does not match the UID of the service account ({uid})");
        return Err(Status::conflict(&GroupResource::new("authentication.k8s.io", "TokenRequest"), name, why));
    }
    if request["spec"]["audiences"].as_array().is_none_or(Vec::is_empty) {
        request["spec"]["audiences"] = json!(tokens.audiences);
    }
    for (field, value) in [("name", name), ("namespace", namespace), ("uid", &uid), ("creationTimestamp", now)] {
        meta::set(request, field, value);
    }
    request["status"] = json!({"token": "", "expirationTimestamp": null});
    let mut errors = Errors::new();
    let (spec, seconds) = (Path::new("spec"), lifetime_s(request));
    if seconds < LIFETIME_S_MIN {
        errors.invalid(&spec.child("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes");
    }
    if seconds > LIFETIME_S_MAX {
        errors.invalid(&spec.child("expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds");
    }
    attestations::validate(&request["spec"], &spec, &mut errors);
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid(&kind(), "", &errors)) }
}

fn lifetime_s(request: &Value) -> i64 {
    request["spec"]["expirationSeconds"].as_i64().unwrap_or(0)
}

/// What a token is bound to.
#[derive(Default)]
struct Bound {
    pod: Option<Reference>,
    secret: Option<Reference>,
    node: Option<Reference>,
}

async fn bound(world: &dyn World, request: &Value, (namespace, name): (&str, &str)) -> Result<Bound, Status> {
    let reference = &request["spec"]["boundObjectRef"];
    if !reference.is_object() {
        return Ok(Bound::default());
    }
    let text = |field: &str| reference[field].as_str().unwrap_or("");
    let (kind, api_version) = (text("kind"), text("apiVersion"));
    let (plural, place) = match (model::gvk::split_api_version(api_version).0, kind) {
        ("", "Pod") => ("pods", namespace),
        ("", "Secret") => ("secrets", namespace),
        ("", "Node") => ("nodes", ""),
        (group, _) => {
            let version = model::gvk::split_api_version(api_version).1;
            let off = if attestations::is_webhook(reference) { attestations::OFF } else { "" };
            return Err(Status::bad_request(format!("cannot bind token to object of type {group}/{version}, Kind={kind}{off}")));
        }
    };
    let resource = model::GroupVersionResource::new("", "v1", plural);
    let object = world.get(&resource, place, text("name")).await?;
    let found = refer(&object);
    if !text("uid").is_empty() && text("uid") != found.uid {
        let why = format!(
            "the UID in the bound object reference ({}) does not match the UID in record. The object might have been deleted and then recreated",
            text("uid")
        );
        return Err(Status::conflict(&GroupResource::new("", kind), text("name"), why));
    }
    match kind {
        "Pod" => bound_to_pod(world, &object, found, name).await,
        "Secret" => Ok(Bound { secret: Some(found), ..Bound::default() }),
        _ => Ok(Bound { node: Some(found), ..Bound::default() }),
    }
}

async fn bound_to_pod(world: &dyn World, pod: &Value, found: Reference, account: &str) -> Result<Bound, Status> {
    if pod["spec"]["serviceAccountName"] != account {
        let account = model::field::quote(account);
        return Err(Status::bad_request(format!(
            "cannot bind token for serviceaccount {account} to pod running with different serviceaccount name."
        )));
    }
    let node = match pod["spec"]["nodeName"].as_str().unwrap_or("") {
        "" => None,
        // A node that is gone is still named, without a uid.
        node => Some(match world.get(&model::GroupVersionResource::new("", "v1", "nodes"), "", node).await {
            Ok(node) => refer(&node),
            Err(_) => Reference { name: node.to_owned(), uid: String::new() },
        }),
    };
    Ok(Bound { pod: Some(found), node, ..Bound::default() })
}

fn refer(object: &Value) -> Reference {
    Reference { name: meta::name(object).to_owned(), uid: meta::uid(object).to_owned() }
}

fn issue(tokens: &Tokens, call: &mut Call, request: &mut Value, bound: Bound) -> Result<(), Status> {
    let mut asked = lifetime_s(request);
    if let Some(max) = tokens.lifetime_s_max.filter(|max| asked > *max) {
        call.notes.warn(format!("requested expiration of {asked} seconds shortened to {max} seconds"));
        asked = max;
        request["spec"]["expirationSeconds"] = max.into();
    }
    let audiences: Vec<String> =
        request["spec"]["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let stretched = tokens.extend && bound.pod.is_some() && asked == PROJECTED_S && audiences == tokens.audiences;
    let (namespace, name, uid) =
        (meta::namespace(request).to_owned(), meta::name(request).to_owned(), meta::uid(request).to_owned());
    let order = Order {
        namespace: &namespace,
        name: &name,
        uid: &uid,
        audiences: &audiences,
        lifetime_s: if stretched { EXTENDED_S } else { asked },
        warn_after_s: stretched.then_some(asked),
        pod: bound.pod,
        secret: bound.secret,
        node: bound.node,
    };
    let issued = tokens
        .issuer
        .issue(&order, call.now)
        .map_err(|error| Status::internal(format_args!("failed to generate token: {error}")))?;
    // The client is told the lifetime it asked for, also where the token is accepted for longer.
    let expires = rfc3339(call.now + jiff::SignedDuration::from_secs(asked));
    request["status"] = json!({"token": issued.token, "expirationTimestamp": expires});
    call.notes.annotate("authentication.kubernetes.io/issued-credential-id", issued.credential_id);
    Ok(())
}
