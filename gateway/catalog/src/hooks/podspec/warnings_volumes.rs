//! Warnings about volumes: kinds that went away, and files of one volume that overlap.

use model::Value;
use model::field::{Path, quote};

use super::super::rules::{claim, get};

/// Field, its name in the warning, what to say; in upstream's order. `Ephemeral` volumes come before the last two.
const GONE: &[(&str, &str, &str)] = &[
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("ephemeral", "ephemeral", ""),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

/// Warnings about all volumes of a spec.
pub(super) fn of(spec: &Value, path: &Path, warnings: &mut Vec<String>) {
    let list = path.child("volumes");
    let volumes = get::list(spec, "volumes");
    for (i, volume) in volumes.iter().enumerate() {
        let path = list.index(i);
        for (field, shown, message) in GONE {
            let Some(source) = get::object(volume, field) else { continue };
            if *field == "ephemeral" {
                let template = get::at(source, "volumeClaimTemplate.spec");
                warnings.extend(claim::warnings(template, &path.child("ephemeral.volumeClaimTemplate.spec")));
            } else {
                warnings.push(format!("{}: {message}", path.child(shown)));
            }
        }
    }
    volumes.iter().for_each(|volume| overlaps(volume, warnings));
}

/// A file in a volume and where it comes from.
#[derive(Clone, PartialEq, Eq)]
struct File {
    path: String,
    source: String,
}

impl File {
    fn shown(&self) -> String {
        if self.source.is_empty() { quote(&self.path) } else { format!("{} ({})", quote(&self.path), self.source) }
    }

    fn overlaps(&self, other: &File) -> bool {
        let (own, other) = (format!("{}/", self.path), format!("{}/", other.path));
        own != "/" && other != "/" && (own.starts_with(&other) || other.starts_with(&own))
    }
}

fn overlaps(volume: &Value, warnings: &mut Vec<String>) {
    let name = quote(get::text(volume, "name"));
    let described = [("configMap", "name", "ConfigMap"), ("secret", "secretName", "Secret"), ("downwardAPI", "", "DownwardAPI")];
    for (field, of, kind) in described {
        let Some(source) = get::object(volume, field) else { continue };
        let kind = if of.is_empty() { kind.to_owned() } else { format!("{kind} {}", quote(get::text(source, of))) };
        let mut seen = Vec::new();
        collide(items(source, ""), &mut seen, &name, &kind, warnings);
    }
    let Some(projected) = get::object(volume, "projected") else { return };
    let mut seen = Vec::new();
    for source in get::list(projected, "sources") {
        if source.as_object().is_none_or(|fields| fields.is_empty()) {
            warnings.push(format!("volume {name} (Projected) has no sources provided"));
            continue;
        }
        collide(projected_files(source), &mut seen, &name, "Projected", warnings);
    }
}

fn collide(files: Vec<File>, seen: &mut Vec<File>, volume: &str, kind: &str, warnings: &mut Vec<String>) {
    for mut file in files {
        file.path = file.path.trim_end_matches('/').to_owned();
        for other in seen.iter().filter(|other| file.overlaps(other)) {
            warnings.push(format!("volume {volume} ({kind}): overlapping paths: {} with {}", file.shown(), other.shown()));
        }
        seen.push(file);
    }
}

fn items(source: &Value, from: &str) -> Vec<File> {
    get::list(source, "items")
        .iter()
        .map(|item| File { path: get::text(item, "path").to_owned(), source: from.to_owned() })
        .collect()
}

/// The files of one source of a projected volume; only the first kind that is there counts.
fn projected_files(source: &Value) -> Vec<File> {
    let file = |path: &str, source: String| File { path: path.to_owned(), source };
    for (field, kind) in [("configMap", "ConfigMap"), ("secret", "Secret")] {
        if let Some(inner) = get::object(source, field).filter(|inner| !get::list(inner, "items").is_empty()) {
            return items(inner, &format!("{kind} {}", quote(get::text(inner, "name"))));
        }
    }
    if let Some(inner) = get::object(source, "downwardAPI").filter(|inner| !get::list(inner, "items").is_empty()) {
        return items(inner, "DownwardAPI");
    }
    if let Some(inner) = get::object(source, "serviceAccountToken") {
        return vec![file(get::text(inner, "path"), "ServiceAccountToken".to_owned())];
    }
    if let Some(inner) = get::object(source, "clusterTrustBundle") {
        let name = get::string(inner, "name").unwrap_or(get::text(inner, "signerName"));
        return vec![file(get::text(inner, "path"), format!("ClusterTrustBundle {}", quote(name)))];
    }
    let Some(inner) = get::object(source, "podCertificate") else { return Vec::new() };
    [("certificateChainPath", "chain"), ("keyPath", "key"), ("credentialBundlePath", "credential bundle")]
        .into_iter()
        .filter(|(field, _)| !get::text(inner, field).is_empty())
        .map(|(field, what)| file(get::text(inner, field), format!("PodCertificate {what}")))
        .collect()
}
