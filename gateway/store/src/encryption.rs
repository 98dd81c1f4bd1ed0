//! Encryption at rest by an `EncryptionConfiguration`: which provider writes a resource, and which may read it. What is written
//! is what kube-apiserver writes, and the other way round. Follows `apiserver/pkg/server/options/encryptionconfig`.
//! Reads no file, and knows a resource only by what it is handed.

mod cipher;
mod kms;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use model::field::quote;
use model::json::Value;
use model::time;
use tokio::time::{Instant, sleep};

use self::cipher::Cipher;
use self::kms::Kms;
use crate::Transformer;

/// How everything encrypted begins, whatever the provider.
pub(crate) const ENCRYPTED: &[u8] = b"k8s:enc:";
/// What is said of it where nothing may decrypt it.
pub(crate) const ENCRYPTED_REFUSED: &str = "identity transformer tried to read encrypted data";
const KMS: &[u8] = b"k8s:enc:kms:";
/// How many colons there are up to the end of a provider's prefix.
const COLONS: usize = 5;
/// Upstream's bound on a question to a KMS plugin.
const KMS_TIMEOUT: Duration = Duration::from_secs(3);
/// What upstream says of the first version of KMS, which is off there by default.
const KMS_V1_REFUSED: &str = "KMSv1 is deprecated and will only receive security updates going forward. Use KMSv2 instead.  \
    Set --feature-gates=KMSv1=true to use the deprecated KMSv1 feature.";
/// How long the plugins of a configuration that is to replace another may take to be well, at least: upstream's.
const WELL_WITHIN_MIN: Duration = Duration::from_secs(10);
const WELL_ASKED_EVERY: Duration = Duration::from_millis(100);

/// The group and plural name of the resource under a prefix.
pub type ResourceOf = Arc<dyn Fn(&str) -> Option<(String, String)> + Send + Sync>;

/// Encrypts and decrypts by a configuration that can be replaced.
pub struct Encryption {
    rules: ArcSwap<Rules>,
    resource_of: ResourceOf,
}

/// What a configuration says, in its order.
struct Rules {
    providers: Vec<(Pattern, Arc<Provider>)>,
    plugins: Vec<Arc<Kms>>,
}

/// `secrets`, `deployments.apps`, `*.apps`, `*.`, `*.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    plural: String,
    group: String,
}

struct Provider {
    /// How what it wrote begins; nothing of what is not encrypted.
    prefix: Vec<u8>,
    cipher: Cipher,
}

impl Encryption {
    /// By a configuration of `apiserver.config.k8s.io` whose fields were read strictly. Connects to KMS plugins, so it needs a
    /// runtime. Fails with what is wrong with it, in upstream's words.
    pub fn new(configuration: &Value, resource_of: ResourceOf) -> Result<Self, String> {
        Ok(Self { rules: ArcSwap::from_pointee(Rules::read(configuration)?), resource_of })
    }

    /// Goes by another configuration from now on; what is wrong with it, or with its plugins, leaves the one before in force.
    pub async fn replace(&self, configuration: &Value) -> Result<(), String> {
        let rules = Rules::read(configuration)?;
        rules.become_well().await.map_err(|why| format!("health check for new transformers failed: {why}"))?;
        self.rules.store(Arc::new(rules));
        Ok(())
    }

    fn providers(&self, prefix: &str) -> Vec<Arc<Provider>> {
        let (group, plural) = (self.resource_of)(prefix).unwrap_or_default();
        self.rules.load().of(&group, &plural)
    }
}

#[async_trait]
impl Transformer for Encryption {
    async fn write_storage(&self, prefix: &str, key: &str, stored: Vec<u8>) -> Result<Vec<u8>, String> {
        let providers = self.providers(prefix);
        let Some(first) = providers.first() else { return Ok(stored) };
        Ok([&first.prefix[..], &first.cipher.seal(key, stored).await?].concat())
    }

    async fn read_storage(&self, prefix: &str, key: &str, bytes: Bytes) -> Result<Bytes, String> {
        let (providers, encrypted) = (self.providers(prefix), bytes.starts_with(ENCRYPTED));
        let mut faults = Vec::new();
        for provider in &providers {
            match bytes.strip_prefix(&provider.prefix[..]) {
                Some(_) if provider.prefix.is_empty() && encrypted => {}
                Some(_) if provider.prefix.is_empty() => return Ok(bytes),
                Some(sealed) => match provider.cipher.open(key, sealed).await {
                    Ok(opened) => return Ok(opened.into()),
                    Err(fault) => faults.push(fault),
                },
                None => {}
            }
        }
        if !faults.is_empty() {
            return Err(aggregate(&faults));
        }
        if providers.is_empty() {
            // A resource that nobody speaks of lies in the clear.
            return if encrypted { Err(ENCRYPTED_REFUSED.to_owned()) } else { Ok(bytes) };
        }
        let mut of_its_kind = providers.iter().filter(|provider| bytes.starts_with(provider.kind()));
        Err(of_its_kind.find_map(|provider| provider.cipher.unknown_key()).unwrap_or("no matching prefix found").to_owned())
    }

    fn health(&self) -> Option<Result<(), String>> {
        let rules = self.rules.load();
        let of = |(at, plugin): (usize, &Arc<Kms>)| plugin.health().err().map(|why| format!("kms-provider-{at}: {why}"));
        let faults: Vec<_> = rules.plugins.iter().enumerate().filter_map(of).collect();
        let health = if faults.is_empty() { Ok(()) } else { Err(aggregate(&faults)) };
        (!rules.plugins.is_empty()).then_some(health)
    }

    fn mark(&self, bytes: &[u8]) -> u32 {
        match begin(bytes, COLONS).filter(|_| bytes.starts_with(ENCRYPTED)) {
            Some(begin) if bytes.starts_with(KMS) => marked(begin, &kms::key_id(&bytes[begin.len()..])),
            Some(begin) => marked(begin, ""),
            None => 0,
        }
    }

    fn is_stale(&self, prefix: &str, mark: u32) -> bool {
        let providers = self.providers(prefix);
        match providers.first().map(|first| (first, &first.cipher)) {
            None | Some((_, Cipher::Identity)) => mark != 0,
            // Before anything was written with a plugin its present key is not known.
            Some((first, Cipher::Kms(kms))) => kms.key().is_some_and(|key| mark != marked(&first.prefix, &key)),
            // A key's name may hold colons, and what is stored does not say where it ends.
            Some((first, _)) => mark != marked(begin(&first.prefix, COLONS).unwrap_or(&first.prefix), ""),
        }
    }
}

/// What bytes begin with, up to so many colons: `k8s:enc:aescbc:v1:key:`.
fn begin(bytes: &[u8], colons: usize) -> Option<&[u8]> {
    let mut ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b':').map(|(at, _)| at + 1);
    ends.nth(colons - 1).map(|end| &bytes[..end])
}

/// Several faults as one, as Go's aggregates print: each once.
fn aggregate(faults: &[String]) -> String {
    let mut seen: Vec<&str> = Vec::new();
    faults.iter().for_each(|fault| {
        if !seen.contains(&&**fault) {
            seen.push(fault)
        }
    });
    if let [one] = seen[..] { one.to_owned() } else { format!("[{}]", seen.join(", ")) }
}

impl Provider {
    /// How what its kind wrote begins, whatever the key; nothing of what is not encrypted.
    fn kind(&self) -> &[u8] {
        begin(&self.prefix, COLONS - 1).unwrap_or_default()
    }
}

impl Pattern {
    fn of(text: &str) -> Self {
        let (plural, group) = text.split_once('.').unwrap_or((text, ""));
        Self::new(group, plural)
    }

    fn new(group: &str, plural: &str) -> Self {
        Self { plural: plural.to_owned(), group: group.to_owned() }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&*self.plural, &*self.group) {
            ("*", "") => f.write_str("*."),
            (plural, "") => f.write_str(plural),
            (plural, group) => write!(f, "{plural}.{group}"),
        }
    }
}

fn marked(prefix: &[u8], key_id: &str) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(prefix);
    sum.update(key_id.as_bytes());
    sum.finalize().max(1)
}

impl Rules {
    fn read(configuration: &Value) -> Result<Self, String> {
        validate::all(configuration).map_err(|faults| format!("error while parsing file: {}", aggregate(&faults)))?;
        Self::build(configuration).map_err(|why| format!("error while building transformers: {why}"))
    }

    /// From a configuration that is valid.
    fn build(configuration: &Value) -> Result<Self, String> {
        let mut rules = Self { providers: Vec::new(), plugins: Vec::new() };
        for entry in list(configuration, "resources") {
            let mut providers = Vec::new();
            for provider in list(entry, "providers") {
                providers.extend(read_provider(provider)?);
            }
            for resource in list(entry, "resources").iter().filter_map(Value::as_str) {
                let pattern = Pattern::of(resource);
                if let Some(earlier) = rules.masking(&pattern) {
                    return Err(format!("resource {} is masked by earlier rule {}", quoted(&pattern), quoted(&earlier)));
                }
                rules.providers.extend(providers.iter().map(|provider| (pattern.clone(), provider.clone())));
            }
            rules.plugins.extend(providers.iter().filter_map(|provider| match &provider.cipher {
                Cipher::Kms(kms) => Some(kms.clone()),
                _ => None,
            }));
        }
        Ok(rules)
    }

    /// The pattern, come before, that leaves nothing for this one.
    fn masking(&self, pattern: &Pattern) -> Option<Pattern> {
        let wide = [Pattern::new(&pattern.group, "*"), Pattern::new("*", "*")];
        wide.into_iter().find(|wide| self.providers.iter().any(|(earlier, _)| earlier == wide))
    }

    /// Waits until all plugins are well, within bounds.
    async fn become_well(&self) -> Result<(), String> {
        let within: Duration = self.plugins.iter().map(|plugin| plugin.timeout() * 2).sum();
        let ends = Instant::now() + within.max(WELL_WITHIN_MIN);
        for plugin in &self.plugins {
            while let Err(why) = plugin.check().await {
                if Instant::now() >= ends {
                    return Err(why);
                }
                sleep(WELL_ASKED_EVERY).await;
            }
        }
        Ok(())
    }

    /// The providers of a resource: those that name it, or else its group, or else everything.
    fn of(&self, group: &str, plural: &str) -> Vec<Arc<Provider>> {
        for (plural, group) in [(plural, group), ("*", group), ("*", "*")] {
            let matching = self.providers.iter().filter(|(pattern, _)| pattern.plural == plural && pattern.group == group);
            let found: Vec<_> = matching.map(|(_, provider)| provider.clone()).collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }
}

/// A provider of a valid configuration: one for each of its keys.
fn read_provider(provider: &Value) -> Result<Vec<Arc<Provider>>, String> {
    if let Some(settings) = set(provider, "kms") {
        return Ok(vec![Arc::new(read_kms(settings)?)]);
    }
    if set(provider, "identity").is_some() {
        return Ok(vec![Arc::new(Provider { prefix: Vec::new(), cipher: Cipher::Identity })]);
    }
    let mut made = Vec::new();
    for kind in ["aesgcm", "aescbc", "secretbox"] {
        for key in set(provider, kind).map_or(&[][..], |settings| list(settings, "keys")) {
            let prefix = format!("k8s:enc:{kind}:v1:{}:", text(key, "name")).into_bytes();
            made.push(Arc::new(Provider { prefix, cipher: Cipher::new(kind, text(key, "secret"))? }));
        }
    }
    // Who would write with nothing writes in the clear.
    if made.is_empty() { Err("aes provider has no valid keys".to_owned()) } else { Ok(made) }
}

fn read_kms(settings: &Value) -> Result<Provider, String> {
    if text(settings, "apiVersion") != "v2" {
        return Err(KMS_V1_REFUSED.to_owned());
    }
    let (name, timeout) = (text(settings, "name"), kms_timeout(settings)?);
    let named = |why| format!("could not configure KMSv2-Plugin's probe {}, error: {why}", quoted(name));
    let kms = Kms::start(name, text(settings, "endpoint"), timeout).map_err(named)?;
    Ok(Provider { prefix: format!("k8s:enc:kms:v2:{name}:").into_bytes(), cipher: Cipher::Kms(kms) })
}

/// How long a question to a plugin may take; nothing is not allowed, but left to who validates.
fn kms_timeout(settings: &Value) -> Result<Duration, String> {
    let Some(said) = set(settings, "timeout") else { return Ok(KMS_TIMEOUT) };
    let nanos = time::parse_duration(said.as_str().unwrap_or(""))?;
    Ok(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
}

fn quoted(named: impl std::fmt::Display) -> String {
    quote(&named.to_string())
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

/// A member that is there, be it empty.
fn set<'v>(value: &'v Value, field: &str) -> Option<&'v Value> {
    value.get(field).filter(|value| !value.is_null())
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests;
