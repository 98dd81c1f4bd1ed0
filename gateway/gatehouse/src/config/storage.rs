//! Where objects are kept, read off the command line. Opens nothing.

use std::path::PathBuf;
use std::time::Duration;

use server::transcode::Media;
use store::Servers;

use super::path;
use crate::flags::value::Values;

/// Where objects are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Under the data directory.
    Disk,
    /// Nowhere else.
    Memory,
    /// In etcd clusters.
    Etcd(Box<Etcd>),
}

/// What the flags say of etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Etcd {
    pub(crate) servers: Servers,
    pub(crate) prefix: String,
    pub(crate) overrides: Vec<(Resource, Vec<String>)>,
    pub(crate) media: Media,
    pub(crate) compact_every: Duration,
    pub(crate) lease_reuse_s: u64,
    pub(crate) health_max: Duration,
    pub(crate) open_max: Duration,
}

/// Whether a file is read again when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rereading {
    /// At the start only.
    Never,
    /// Whenever it changes.
    OnChange,
}

/// A resource as `--etcd-servers-overrides` names it: `apps/deployments`, `/pods`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) plural: String,
}

/// `--etcd-servers` alone is enough; otherwise `--storage-engine` says.
pub(super) fn engine(flags: &mut Values<'_>) -> Engine {
    if !matches!(flags.text("storage-backend"), "" | "etcd3") {
        flags
            .errors
            .push("--storage-backend invalid, allowed values: etcd3. If not specified, it will default to 'etcd3'".to_owned());
    }
    let etcd = !flags.list("etcd-servers").is_empty();
    if !etcd && !flags.list("etcd-servers-overrides").is_empty() {
        flags.wrong("etcd-servers-overrides", "--etcd-servers must be specified");
    }
    let encrypts = flags.optional("encryption-provider-config").is_some();
    if !encrypts && flags.switch("encryption-provider-config-automatic-reload") {
        flags
            .errors
            .push("--encryption-provider-config-automatic-reload must be set with --encryption-provider-config".to_owned());
    }
    match flags.text("storage-engine") {
        "etcd" if !etcd => {
            flags.wrong("storage-engine", "--etcd-servers must be specified");
            Engine::Disk
        }
        "etcd" => Engine::Etcd(Box::new(read(flags))),
        _ if etcd && !flags.is_given("storage-engine") => Engine::Etcd(Box::new(read(flags))),
        _ if etcd => {
            flags.wrong("storage-engine", "--etcd-servers says that objects lie in etcd");
            Engine::Disk
        }
        "disk" => Engine::Disk,
        "memory" => Engine::Memory,
        _ => {
            flags.wrong("storage-engine", "choose disk, memory or etcd");
            Engine::Disk
        }
    }
}

fn read(flags: &mut Values<'_>) -> Etcd {
    let media = match flags.text("storage-media-type") {
        "application/vnd.kubernetes.protobuf" | "" => Media::Protobuf,
        "application/json" => Media::Json,
        other => {
            let reason = if other == "application/yaml" {
                "YAML is not written"
            } else {
                "choose application/vnd.kubernetes.protobuf or application/json"
            };
            flags.wrong("storage-media-type", reason);
            Media::Protobuf
        }
    };
    let servers = Servers {
        urls: flags.list("etcd-servers"),
        ca: path(flags, "etcd-cafile"),
        certificate: path(flags, "etcd-certfile"),
        key: path(flags, "etcd-keyfile"),
    };
    if servers.certificate.is_some() != servers.key.is_some() {
        flags.errors.push("--etcd-certfile and --etcd-keyfile must be given together".to_owned());
    }
    let mut overrides = Vec::new();
    for text in flags.list("etcd-servers-overrides") {
        match resource_and_servers(&text) {
            Some(known) => overrides.push(known),
            None => flags.errors.push(format!(
                "--etcd-servers-overrides {text:?} invalid, must be of format: group/resource#servers, where servers are URLs, semicolon separated"
            )),
        }
    }
    Etcd {
        servers,
        prefix: flags.text("etcd-prefix").to_owned(),
        overrides,
        media,
        compact_every: flags.duration("etcd-compaction-interval"),
        lease_reuse_s: flags.number("lease-reuse-duration-seconds"),
        health_max: flags.duration("etcd-healthcheck-timeout"),
        open_max: flags.duration("storage-initialization-timeout"),
    }
}

/// `--encryption-provider-config`, and whether it is read again when it changes.
pub(super) fn encryption(flags: &Values<'_>) -> Option<(PathBuf, Rereading)> {
    let rereads = flags.switch("encryption-provider-config-automatic-reload");
    Some((path(flags, "encryption-provider-config")?, if rereads { Rereading::OnChange } else { Rereading::Never }))
}

fn resource_and_servers(text: &str) -> Option<(Resource, Vec<String>)> {
    let (resource, servers) = text.split_once('#')?;
    let (group, plural) = resource.split_once('/')?;
    let urls: Vec<String> = servers.split(';').map(str::to_owned).collect();
    let sound = !plural.is_empty() && !plural.contains('/') && !urls.iter().any(String::is_empty);
    sound.then(|| (Resource { group: group.to_owned(), plural: plural.to_owned() }, urls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_name_a_resource_and_its_servers() {
        let read = |text| resource_and_servers(text).map(|(resource, urls)| (resource.group, resource.plural, urls));
        let urls = |urls: &[&str]| urls.iter().map(|url| (*url).to_owned()).collect::<Vec<_>>();
        assert_eq!(read("/pods#http://a;http://b"), Some((String::new(), "pods".into(), urls(&["http://a", "http://b"]))));
        assert_eq!(read("apps/deployments#http://a"), Some(("apps".into(), "deployments".into(), urls(&["http://a"]))));
        for wrong in ["pods#http://a", "/pods", "/#http://a", "/pods#", "/pods#http://a;", "a/b/c#http://a"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
