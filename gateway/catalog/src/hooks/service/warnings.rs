//! What a Service may say and had better not. Follows `pkg/api/service/warnings.go`.

use model::field::Path;
use model::{Value, meta};

use super::super::rules::{get, ip};
use super::{NONE, cluster_ips, is_headless, kind_of, spec};

pub(super) fn warnings(service: &Value, _old: Option<&Value>) -> Vec<String> {
    let mut warnings = Vec::new();
    if meta::annotation(service, "service.kubernetes.io/topology-aware-hints").is_some() {
        warnings.push(
            "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead"
                .to_owned(),
        );
    }
    let (path, external) = (Path::new("spec"), get::list(spec(service), "externalIPs"));
    let ips = path.child("clusterIPs");
    if !matches!(get::text(spec(service), "clusterIP"), "" | NONE) {
        warnings.extend(cluster_ips(service).iter().enumerate().filter_map(|(i, one)| ip::warnings(one, &ips.index(i))));
    }
    let headless = kind_of(service) == "ClusterIP" && is_headless(service);
    if headless {
        if !get::text(spec(service), "loadBalancerIP").is_empty() {
            warnings.push("spec.loadBalancerIP is ignored for headless services".to_owned());
        }
        if !external.is_empty() {
            warnings.push("spec.externalIPs is ignored for headless services".to_owned());
        }
        if get::text(spec(service), "sessionAffinity") != "None" {
            warnings.push("spec.SessionAffinity is ignored for headless services".to_owned());
        }
    }
    let externals = path.child("externalIPs");
    let of_external =
        get::strings(spec(service), "externalIPs").enumerate().filter_map(|(i, one)| ip::warnings(one, &externals.index(i)));
    warnings.extend(of_external);
    if !external.is_empty() && !headless && kind_of(service) != "ExternalName" {
        warnings.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned());
    }
    warnings.extend(ip::warnings(get::text(spec(service), "loadBalancerIP"), &path.child("loadBalancerIP")));
    if kind_of(service) == "ExternalName" && !external.is_empty() {
        warnings.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if kind_of(service) != "ExternalName" && !get::text(spec(service), "externalName").is_empty() {
        warnings.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if get::text(spec(service), "trafficDistribution") == "PreferClose" {
        warnings.push("spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"".to_owned());
    }
    warnings
}
