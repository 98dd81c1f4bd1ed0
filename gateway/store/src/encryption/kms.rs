//! KMS version 2: what is stored is encrypted with keys derived from a seed, and the seed by a plugin behind a Unix socket,
//! which is asked again only when its own key changes. Follows `encrypt/envelope/kmsv2` and its use in `encryptionconfig`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use parking_lot::Mutex;
use prost::Message;
use ring::hkdf;
use tokio::time::Instant;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::cipher::{Gcm, random};

/// How often the plugin is asked which key it uses, and how often while it does not answer.
const STATUS_EVERY: Duration = Duration::from_secs(60);
const RETRY_EVERY: Duration = Duration::from_secs(10);
/// How long a seed may still be written with while the plugin does not answer.
const WRITE_WITHOUT_PLUGIN_MAX: Duration = Duration::from_secs(3 * 60);
/// Bytes of a seed, of what a key is derived with, and of a key.
const SEED_BYTES: usize = 32;
/// Seeds of others that are remembered; each is one question to the plugin.
const SEEDS_MAX: usize = 4096;
/// The kind of source: a seed from which each object's key is derived.
const SEED: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct StatusRequest {}

#[derive(Clone, PartialEq, Message)]
struct StatusResponse {
    #[prost(string, tag = "1")]
    version: String,
    #[prost(string, tag = "2")]
    healthz: String,
    #[prost(string, tag = "3")]
    key_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct DecryptRequest {
    #[prost(bytes = "vec", tag = "1")]
    ciphertext: Vec<u8>,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    key_id: String,
    #[prost(btree_map = "string, bytes", tag = "4")]
    annotations: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct DecryptResponse {
    #[prost(bytes = "vec", tag = "1")]
    plaintext: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct EncryptRequest {
    #[prost(bytes = "vec", tag = "1")]
    plaintext: Vec<u8>,
    #[prost(string, tag = "2")]
    uid: String,
}

#[derive(Clone, PartialEq, Message)]
struct EncryptResponse {
    #[prost(bytes = "vec", tag = "1")]
    ciphertext: Vec<u8>,
    #[prost(string, tag = "2")]
    key_id: String,
    #[prost(btree_map = "string, bytes", tag = "3")]
    annotations: BTreeMap<String, Vec<u8>>,
}

/// What lies in etcd.
#[derive(Clone, PartialEq, Message)]
struct EncryptedObject {
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
    #[prost(string, tag = "2")]
    key_id: String,
    #[prost(bytes = "vec", tag = "3")]
    source: Vec<u8>,
    #[prost(btree_map = "string, bytes", tag = "4")]
    annotations: BTreeMap<String, Vec<u8>>,
    #[prost(int32, tag = "5")]
    source_kind: i32,
}

/// A seed or key in its encrypted form, and the name of the key that it was encrypted with.
type Sealed = (Vec<u8>, String);

/// One plugin.
pub(super) struct Kms {
    name: String,
    channel: Channel,
    timeout: Duration,
    seal: tokio::sync::Mutex<Option<Seal>>,
    /// Seeds and keys by their encrypted form.
    opened: Mutex<HashMap<Sealed, Vec<u8>>>,
    /// The key that the plugin used last.
    key: Mutex<Option<String>>,
}

/// What is written with now.
struct Seal {
    seed: Vec<u8>,
    key_id: String,
    source: Vec<u8>,
    annotations: BTreeMap<String, Vec<u8>>,
    /// Asked again then; and not written with any more then.
    asked: Instant,
    confirmed: Instant,
}

impl Kms {
    /// Connects when it is first used; needs a runtime.
    pub(super) fn start(name: &str, endpoint: &str, timeout: Duration) -> Result<Arc<Self>, String> {
        let endpoint = Endpoint::from_shared(endpoint.to_owned()).map_err(|error| format!("kms.endpoint: {error}"))?;
        Ok(Arc::new(Self {
            name: name.to_owned(),
            channel: endpoint.connect_lazy(),
            timeout,
            seal: tokio::sync::Mutex::new(None),
            opened: Mutex::default(),
            key: Mutex::default(),
        }))
    }

    /// Encrypts with a key of its own.
    pub(super) async fn seal(&self, key: &str, clear: &[u8]) -> Result<Vec<u8>, String> {
        let mut seal = self.seal.lock().await;
        self.confirm(&mut seal).await?;
        let Some(seal) = &*seal else { return Err(format!("kms {}: there is no key to encrypt with", self.name)) };
        let info: [u8; SEED_BYTES] = random();
        let data = [&info[..], &derived(&seal.seed, &info)?.seal(key.as_bytes(), clear)?].concat();
        let object = EncryptedObject {
            data,
            key_id: seal.key_id.clone(),
            source: seal.source.clone(),
            annotations: seal.annotations.clone(),
            source_kind: SEED,
        };
        Ok(object.encode_to_vec())
    }

    /// Decrypts what any server with the same plugin encrypted.
    pub(super) async fn open(&self, key: &str, sealed: &[u8]) -> Result<Vec<u8>, String> {
        let object = EncryptedObject::decode(sealed).map_err(|error| error.to_string())?;
        let known = (object.source.clone(), object.key_id.clone());
        let found = self.opened.lock().get(&known).cloned();
        let secret = match found {
            Some(secret) => secret,
            None => {
                let request = DecryptRequest {
                    ciphertext: object.source,
                    uid: uid(),
                    key_id: object.key_id,
                    annotations: object.annotations,
                };
                let answer: DecryptResponse = self.ask("/v2.KeyManagementService/Decrypt", request).await?;
                self.remember(known, answer.plaintext.clone());
                answer.plaintext
            }
        };
        if object.source_kind != SEED {
            return Gcm::new(&secret).ok_or("the key has a wrong length")?.open(key.as_bytes(), &object.data);
        }
        let (info, data) =
            object.data.split_first_chunk::<SEED_BYTES>().ok_or("the stored data was shorter than the required size")?;
        derived(&secret, info)?.open(key.as_bytes(), data)
    }

    /// The key that the plugin used last, if it was asked.
    pub(super) fn key(&self) -> Option<String> {
        self.key.lock().clone()
    }

    /// Sees to it that what is written with is encrypted by the plugin's present key.
    async fn confirm(&self, seal: &mut Option<Seal>) -> Result<(), String> {
        let now = Instant::now();
        if seal.as_ref().is_some_and(|seal| now < seal.asked) {
            return Ok(());
        }
        match self.renew(seal).await {
            Ok(()) => Ok(()),
            Err(why) => match seal {
                Some(seal) if now < seal.confirmed + WRITE_WITHOUT_PLUGIN_MAX => {
                    tracing::warn!(kms = self.name, why, "the KMS plugin does not answer as it should");
                    seal.asked = now + RETRY_EVERY;
                    Ok(())
                }
                _ => Err(why),
            },
        }
    }

    async fn renew(&self, seal: &mut Option<Seal>) -> Result<(), String> {
        let status: StatusResponse = self.ask("/v2.KeyManagementService/Status", StatusRequest {}).await?;
        if status.healthz != "ok" {
            return Err(format!("got unexpected healthz status: {}", status.healthz));
        }
        let now = Instant::now();
        if let Some(seal) = seal.as_mut().filter(|seal| seal.key_id == status.key_id) {
            (seal.asked, seal.confirmed) = (now + STATUS_EVERY, now);
            return Ok(());
        }
        let seed: [u8; SEED_BYTES] = random();
        let request = EncryptRequest { plaintext: seed.to_vec(), uid: uid() };
        let answer: EncryptResponse = self.ask("/v2.KeyManagementService/Encrypt", request).await?;
        if answer.key_id != status.key_id || answer.ciphertext.is_empty() {
            return Err("the plugin encrypted with another key than its status tells".to_owned());
        }
        self.remember((answer.ciphertext.clone(), answer.key_id.clone()), seed.to_vec());
        *self.key.lock() = Some(answer.key_id.clone());
        *seal = Some(Seal {
            seed: seed.to_vec(),
            key_id: answer.key_id,
            source: answer.ciphertext,
            annotations: answer.annotations,
            asked: now + STATUS_EVERY,
            confirmed: now,
        });
        Ok(())
    }

    fn remember(&self, known: (Vec<u8>, String), secret: Vec<u8>) {
        let mut opened = self.opened.lock();
        if opened.len() >= SEEDS_MAX {
            opened.clear();
        }
        opened.insert(known, secret);
    }

    async fn ask<Q: Message + 'static, A: Message + Default + 'static>(
        &self,
        path: &'static str,
        request: Q,
    ) -> Result<A, String> {
        let asked = async {
            let mut grpc = Grpc::new(self.channel.clone());
            grpc.ready().await.map_err(|error| error.to_string())?;
            let codec = ProstCodec::<Q, A>::default();
            let answer = grpc.unary(tonic::Request::new(request), PathAndQuery::from_static(path), codec).await;
            answer.map(tonic::Response::into_inner).map_err(|status| status.message().to_owned())
        };
        let answer = tokio::time::timeout(self.timeout, asked).await.unwrap_or_else(|_| Err("it does not answer".to_owned()));
        answer.map_err(|why| format!("kms {}: {why}", self.name))
    }
}

/// The plugin's key with which something is encrypted; empty where nobody can tell.
pub(super) fn key_id(sealed: &[u8]) -> String {
    EncryptedObject::decode(sealed).map(|object| object.key_id).unwrap_or_default()
}

/// The key of one object. Its randomness makes it one of its own, so that no seed wears out.
fn derived(seed: &[u8], info: &[u8]) -> Result<Gcm, String> {
    let mut key = [0; SEED_BYTES];
    let expanded = [info];
    hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, seed)
        .expand(&expanded, hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .map_err(|_| "the key cannot be derived".to_owned())?;
    Gcm::new(&key).ok_or_else(|| "the key cannot be derived".to_owned())
}

fn uid() -> String {
    let [a, b]: [u64; 2] = [u64::from_le_bytes(random()), u64::from_le_bytes(random())];
    format!("{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}", a >> 32, a >> 16 & 0xffff, a & 0xfff, b >> 52, b & 0xffff_ffff_ffff)
}
