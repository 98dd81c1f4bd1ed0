//! What a node may ask for in the name of a Pod: tokens and certificates of its service account, as long as the Pod runs there and
//! says that it wants them.

use model::authorizer::Attributes;
use model::field::quote;
use model::{GroupVersionResource, Status, Value, meta};

use super::{Asked, at};
use crate::Operation;
use crate::builtin::{items, text};

const MIRROR: &str = "kubernetes.io/config.mirror";
/// Drivers that serve the volumes of old in-tree plugins; upstream translates the whole volume to learn that.
const IN_TREE: &[(&str, &str)] = &[
    ("awsElasticBlockStore", "ebs.csi.aws.com"),
    ("azureDisk", "disk.csi.azure.com"),
    ("azureFile", "file.csi.azure.com"),
    ("cinder", "cinder.csi.openstack.org"),
    ("gcePersistentDisk", "pd.csi.storage.gke.io"),
    ("portworxVolume", "pxd.portworx.com"),
    ("vsphereVolume", "csi.vsphere.vmware.com"),
];

pub(super) async fn judge(asked: &Asked<'_>) -> Result<(), Status> {
    let Some(request) = asked.object.filter(|_| asked.review.operation == Operation::Create) else { return Ok(()) };
    let bound = request
        .pointer("/spec/boundObjectRef")
        .filter(|bound| (text(bound, "apiVersion"), text(bound, "kind")) == ("v1", "Pod") && !text(bound, "name").is_empty());
    let Some(bound) = bound else { return asked.refuse("node requested token not bound to a pod") };
    let uid = text(bound, "uid");
    if uid.is_empty() {
        return asked.refuse("node requested token with a pod binding without a uid");
    }
    let pod = asked.find_core("pods", asked.review.namespace, text(bound, "name")).await?;
    if uid != at(&pod, "/metadata/uid") {
        return asked.refuse(format_args!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
        ));
    }
    if at(&pod, "/spec/nodeName") != asked.node {
        return asked.refuse("node requested token bound to a pod scheduled on a different node");
    }
    judge_audience(asked, request, &pod).await
}

/// Whether the Pod has a volume for such a token, or somebody allows the node to ask for it.
async fn judge_audience(asked: &Asked<'_>, request: &Value, pod: &Value) -> Result<(), Status> {
    let audiences = request.get("spec").map_or(&[][..], |spec| items(spec, "audiences"));
    let audience = match audiences {
        [] => "",
        [one] => one.as_str().unwrap_or(""),
        _ => return asked.refuse("node may only request 0 or 1 audiences"),
    };
    match names_audience(asked, pod, audience).await {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(why) => return asked.refuse(format_args!("error validating audience {}: {why}", quote(audience))),
    }
    if allowed(asked, "request-serviceaccounts-token-audience", audience, asked.review.name).await {
        return Ok(());
    }
    asked.refuse(format_args!("{} is not authorized to request tokens for audience {}", asked.review.user.name, quote(audience)))
}

async fn allowed(asked: &Asked<'_>, verb: &str, resource: &str, name: &str) -> bool {
    let review = asked.review;
    let attributes = Attributes {
        user: review.user.clone(),
        verb: verb.to_owned(),
        group: review.resource.group.to_string(),
        version: review.resource.version.to_string(),
        resource: resource.to_owned(),
        namespace: review.namespace.to_owned(),
        name: name.to_owned(),
        resource_request: true,
        ..Attributes::default()
    };
    asked.cluster.authorizer.authorize(&attributes).await.is_allowed()
}

/// Whether a volume of the Pod asks for tokens of an audience, itself or by its driver. What cannot be read counts only when
/// nothing else does.
async fn names_audience(asked: &Asked<'_>, pod: &Value, audience: &str) -> Result<bool, String> {
    let mut unread: Vec<String> = Vec::new();
    for volume in pod.get("spec").map_or(&[][..], |spec| items(spec, "volumes")) {
        let sources = volume.get("projected").map_or(&[][..], |projected| items(projected, "sources"));
        let mut tokens = sources.iter().filter_map(|source| source.get("serviceAccountToken")).filter(|token| !token.is_null());
        if tokens.any(|token| text(token, "audience") == audience) {
            return Ok(true);
        }
        match driver_names(asked, pod, volume, audience).await {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(status) if unread.contains(&status.message) => {}
            Err(status) => unread.push(status.message),
        }
    }
    match unread.as_slice() {
        [] => Ok(false),
        [one] => Err(one.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}

async fn driver_names(asked: &Asked<'_>, pod: &Value, volume: &Value, audience: &str) -> Result<bool, Status> {
    let (set, namespace) = (|field: &str| volume.get(field).filter(|source| !source.is_null()), asked.review.namespace);
    let driver = if set("ephemeral").is_some_and(|source| source.get("volumeClaimTemplate").is_some_and(|t| !t.is_null())) {
        driver_of_claim(asked, namespace, &format!("{}-{}", meta::name(pod), text(volume, "name"))).await?
    } else if let Some(claim) = set("persistentVolumeClaim") {
        driver_of_claim(asked, namespace, text(claim, "claimName")).await?
    } else if let Some(csi) = set("csi") {
        text(csi, "driver").to_owned()
    } else {
        in_tree(volume)
    };
    if driver.is_empty() {
        return Ok(false);
    }
    let drivers = GroupVersionResource::new("storage.k8s.io", "v1", "csidrivers");
    let driver = asked.find(&drivers, "", &driver).await?;
    let requests = driver.get("spec").map_or(&[][..], |spec| items(spec, "tokenRequests"));
    Ok(requests.iter().any(|request| text(request, "audience") == audience))
}

async fn driver_of_claim(asked: &Asked<'_>, namespace: &str, claim: &str) -> Result<String, Status> {
    let claim = asked.find_core("persistentvolumeclaims", namespace, claim).await?;
    let volume = asked.find_core("persistentvolumes", "", at(&claim, "/spec/volumeName")).await?;
    let driver = at(&volume, "/spec/csi/driver").to_owned();
    Ok(if driver.is_empty() { volume.get("spec").map(in_tree).unwrap_or_default() } else { driver })
}

fn in_tree(source: &Value) -> String {
    let found = IN_TREE.iter().find(|(field, _)| source.get(field).is_some_and(|source| !source.is_null()));
    found.map_or_else(String::new, |(_, driver)| (*driver).to_owned())
}

/// Certificates are asked for one Pod, of which everything that is said must be so.
pub(super) async fn judge_certificate(asked: &Asked<'_>) -> Result<(), Status> {
    let review = asked.review;
    let Some(request) = asked.object.filter(|_| review.operation == Operation::Create) else {
        return asked.refuse(format_args!("unexpected operation {}", review.operation.as_str()));
    };
    if !review.subresource.is_empty() {
        return asked.refuse(format_args!("unexpected subresource {}", review.subresource));
    }
    let spec = |field: &str| at(request, &format!("/spec/{field}"));
    if spec("nodeName") != asked.node {
        return asked.refuse(format_args!(
            "PodCertificateRequest.Spec.NodeName={}, which is not the requesting node {}",
            quote(spec("nodeName")),
            quote(asked.node)
        ));
    }
    let named = quote(&format!("{}/{}", review.namespace, spec("podName")));
    let node = named_in(asked.find_core("nodes", "", asked.node).await, "node", &quote(asked.node))?;
    if at(&node, "/metadata/uid") != spec("nodeUID") {
        let why = format!(
            "PodCertificateRequest for pod {named} names node UID {}, inconsistent with the running node ({})",
            quote(spec("nodeUID")),
            quote(at(&node, "/metadata/uid"))
        );
        return Err(Status::new(500, "", why));
    }
    let pod = named_in(asked.find_core("pods", review.namespace, spec("podName")).await, "pod", &named)?;
    if at(&pod, "/metadata/uid") != spec("podUID") {
        let why = format!(
            "PodCertificateRequest for pod {named} contains pod UID ({}) which differs from running pod {}",
            quote(spec("podUID")),
            quote(at(&pod, "/metadata/uid"))
        );
        return Err(Status::new(500, "", why));
    }
    if at(&pod, "/spec/nodeName") != asked.node {
        let why = format!("pod {named} is not running on node {} named in the PodCertificateRequest", quote(asked.node));
        return asked.refuse(why);
    }
    if meta::annotation(&pod, MIRROR).is_some() {
        return asked.refuse(format_args!("pod {named} is a mirror pod"));
    }
    let (told, real) = (spec("serviceAccountName"), at(&pod, "/spec/serviceAccountName"));
    if told != real {
        return asked.refuse(format_args!(
            "PodCertificateRequest for pod {named} contains serviceAccountName ({}) that differs from running pod ({})",
            quote(told),
            quote(real)
        ));
    }
    let account = asked.find_core("serviceaccounts", review.namespace, told).await;
    let account = named_in(account, "service account", &quote(&format!("{}/{told}", review.namespace)))?;
    if at(&account, "/metadata/uid") != spec("serviceAccountUID") {
        let why = format!(
            "PodCertificateRequest for pod {named} names service account UID {}, which differs from the running service account ({})",
            quote(spec("serviceAccountUID")),
            quote(at(&account, "/metadata/uid"))
        );
        return Err(Status::new(500, "", why));
    }
    judge_signer(asked, &pod, &named, spec("signerName")).await
}

/// What a request names, whose lack may be a matter of time: it is no refusal.
fn named_in(found: Result<Value, Status>, what: &str, named: &str) -> Result<Value, Status> {
    found
        .map_err(|why| Status::new(500, "", format!("while retrieving {what} {named} named in the PodCertificateRequest: {why}")))
}

/// Whether the Pod has a volume for such a certificate, or somebody allows the node to ask for it.
async fn judge_signer(asked: &Asked<'_>, pod: &Value, named: &str, signer: &str) -> Result<(), Status> {
    let volumes = pod.get("spec").map_or(&[][..], |spec| items(spec, "volumes"));
    let mut sources =
        volumes.iter().filter_map(|volume| volume.get("projected")).flat_map(|projected| items(projected, "sources"));
    if sources.any(|source| source.get("podCertificate").is_some_and(|wanted| text(wanted, "signerName") == signer)) {
        return Ok(());
    }
    // No resource has a slash in its name.
    let account = at(pod, "/spec/serviceAccountName");
    if allowed(asked, "request-serviceaccounts-podcertificate-signer", &signer.replace('/', ":"), account).await {
        return Ok(());
    }
    asked.refuse(format_args!("pod {named} does not mount a podCertificate projected volume for signer {}", quote(signer)))
}
