//! KMS version 2: what is stored is encrypted with keys derived from a seed, and the seed by a plugin behind a Unix socket,
//! which is asked again only when its own key changes. Follows `encrypt/envelope/kmsv2` and its use in `encryptionconfig`.

mod wire;

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

use self::wire::{
    DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse, EncryptedObject, StatusRequest, StatusResponse,
};
use super::cipher::{Gcm, random};
use crate::etcd::{dialing, is_unsent};

/// How often the plugin is asked how it is and which key it uses, and how often while it is not well.
const WELL_ASKED_EVERY: Duration = Duration::from_secs(20);
const ILL_ASKED_EVERY: Duration = Duration::from_secs(3);
/// How long a seed may still be written with while the plugin does not answer.
const WRITE_WITHOUT_PLUGIN_MAX: Duration = Duration::from_secs(3 * 60);
/// How long a plugin that let a question's time pass is taken for one that does not answer: where many objects are read, each
/// would wait as long again.
const SILENT: Duration = Duration::from_secs(3);
/// How often it is tried to connect while a question waits.
const CONNECT_EVERY: Duration = Duration::from_millis(100);
/// Versions that a plugin may say to be of.
const VERSIONS: [&str; 2] = ["v2", "v2beta1"];
/// Longest name of a key.
const KEY_ID_BYTES_MAX: usize = 1 << 10;
/// Bytes of a seed, of what a key is derived with, and of a key.
const SEED_BYTES: usize = 32;
/// Seeds of others that are remembered; each is one question to the plugin.
const SEEDS_MAX: usize = 4096;
/// The kind of source: a seed from which each object's key is derived.
const SEED: i32 = 1;

/// A seed or key in its encrypted form, and the name of the key that it was encrypted with.
type Sealed = (Vec<u8>, String);

/// One plugin.
pub(super) struct Kms {
    name: String,
    channel: Channel,
    /// Where its socket lies.
    socket: String,
    timeout: Duration,
    /// What is written with now, and until when; nothing before the plugin was reached.
    seal: Mutex<Option<(Arc<Seal>, Instant)>>,
    /// Held while the plugin is asked how it is.
    asking: tokio::sync::Mutex<()>,
    /// How it was then.
    health: Mutex<Result<(), String>>,
    /// Until when nothing is asked, and what is answered instead.
    silent: Mutex<Option<(Instant, String)>>,
    /// Seeds and keys by their encrypted form.
    opened: Mutex<HashMap<Sealed, Vec<u8>>>,
}

/// What is written with now.
struct Seal {
    seed: Vec<u8>,
    key_id: String,
    source: Vec<u8>,
    annotations: BTreeMap<String, Vec<u8>>,
}

impl Kms {
    /// Connects, and asks again and again how the plugin is, for as long as somebody holds this; needs a runtime.
    pub(super) fn start(name: &str, endpoint: &str, timeout: Duration) -> Result<Arc<Self>, String> {
        let socket = endpoint.trim_start_matches("unix://").to_owned();
        let endpoint = Endpoint::from_shared(endpoint.to_owned()).map_err(|error| format!("kms.endpoint: {error}"))?;
        let started = Arc::new(Self {
            name: name.to_owned(),
            channel: endpoint.connect_lazy(),
            socket,
            timeout,
            seal: Mutex::new(None),
            asking: tokio::sync::Mutex::new(()),
            health: Mutex::new(Err("it has not been asked yet".to_owned())),
            silent: Mutex::new(None),
            opened: Mutex::default(),
        });
        let asked = Arc::downgrade(&started);
        tokio::spawn(async move {
            while let Some(kms) = asked.upgrade() {
                let wait = if kms.check().await.is_ok() { WELL_ASKED_EVERY } else { ILL_ASKED_EVERY };
                drop(kms);
                tokio::time::sleep(wait).await;
            }
        });
        Ok(started)
    }

    /// How the plugin was when it was asked last.
    pub(super) fn health(&self) -> Result<(), String> {
        self.health.lock().clone()
    }

    /// How long a question to it may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Encrypts with a key of its own.
    pub(super) async fn seal(&self, key: &str, clear: &[u8]) -> Result<Vec<u8>, String> {
        let seal = match self.present() {
            Some(seal) => seal,
            None => {
                self.check().await?;
                self.present().ok_or_else(|| format!("kms {}: there is no key to encrypt with", self.name))?
            }
        };
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
                let answer: Result<DecryptResponse, _> = self.ask("/v2.KeyManagementService/Decrypt", request).await;
                let answer = answer.map_err(|why| format!("failed to decrypt DEK, error: {why}"))?;
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
        self.seal.lock().as_ref().map(|(seal, _)| seal.key_id.clone())
    }

    /// What may be written with.
    fn present(&self) -> Option<Arc<Seal>> {
        self.seal.lock().as_ref().filter(|(_, until)| Instant::now() <= *until).map(|(seal, _)| seal.clone())
    }

    /// Asks the plugin how it is, and sees to it that what is written from now on is encrypted with its present key.
    pub(super) async fn check(&self) -> Result<(), String> {
        let _asking = self.asking.lock().await;
        let health = self.renew().await;
        if let Err(why) = &health {
            tracing::warn!(kms = self.name, why, "the KMS plugin is not well");
        }
        *self.health.lock() = health.clone();
        health
    }

    async fn renew(&self) -> Result<(), String> {
        // From before the question: the plugin knew this key then.
        let until = Instant::now() + WRITE_WITHOUT_PLUGIN_MAX;
        let status: Result<StatusResponse, _> = self.ask("/v2.KeyManagementService/Status", StatusRequest {}).await;
        let status = status.map_err(|why| {
            format!("failed to perform status section of the healthz check for KMS Provider {}, error: {why}", self.name)
        })?;
        let mut faults = Vec::new();
        if status.healthz != "ok" {
            faults.push(format!("got unexpected healthz status: {}", status.healthz));
        }
        if !VERSIONS.contains(&status.version.as_str()) {
            faults.push(format!("expected KMSv2 API version v2, got {}", status.version));
        }
        match key_id_fault(&status.key_id) {
            Some(fault) => faults.push(format!("got invalid KMSv2 KeyID hash {:?}: {fault}", hash(&status.key_id))),
            // A plugin that is not well may go on with the key that it has.
            None => faults.extend(self.rotate(&status.key_id, until).await.err()),
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(format!("kmsv2 Provider {} is not healthy, error: {}", self.name, super::aggregate(&faults)))
    }

    /// Goes on with the seed that there is where the key is the same, or else makes one and has it encrypted.
    async fn rotate(&self, key_id: &str, until: Instant) -> Result<(), String> {
        if let Some((_, last)) = self.seal.lock().as_mut().filter(|(seal, _)| seal.key_id == key_id) {
            *last = until;
            return Ok(());
        }
        let (seed, uid): ([u8; SEED_BYTES], _) = (random(), uid());
        let request = EncryptRequest { plaintext: seed.to_vec(), uid: uid.clone() };
        let answer: Result<EncryptResponse, _> = self.ask("/v2.KeyManagementService/Encrypt", request).await;
        let failed = |why: &str, encrypted: &str| {
            let (status, encrypted) = (hash(key_id), hash(encrypted));
            format!(
                "failed to rotate DEK uid={uid:?}, useSeed=true, errGen={why}, statusKeyIDHash={status:?}, encryptKeyIDHash={encrypted:?}"
            )
        };
        let answer = answer.map_err(|why| failed(&why, ""))?;
        if answer.key_id != key_id || answer.ciphertext.is_empty() {
            let why = if answer.ciphertext.is_empty() { "encrypted DEK source is empty" } else { "<nil>" };
            return Err(failed(why, &answer.key_id));
        }
        self.remember((answer.ciphertext.clone(), answer.key_id.clone()), seed.to_vec());
        let EncryptResponse { ciphertext: source, key_id, annotations } = answer;
        *self.seal.lock() = Some((Arc::new(Seal { seed: seed.to_vec(), key_id, source, annotations }), until));
        Ok(())
    }

    fn remember(&self, known: (Vec<u8>, String), secret: Vec<u8>) {
        let mut opened = self.opened.lock();
        if opened.len() >= SEEDS_MAX {
            opened.clear();
        }
        opened.insert(known, secret);
    }

    async fn ask<Q: Message + Clone + 'static, A: Message + Default + 'static>(
        &self,
        path: &'static str,
        request: Q,
    ) -> Result<A, String> {
        if let Some((_, why)) = self.silent.lock().as_ref().filter(|(until, _)| Instant::now() < *until) {
            return Err(why.clone());
        }
        let unsent = Mutex::new(None);
        let asked = async {
            loop {
                let (mut grpc, request) = (Grpc::new(self.channel.clone()), tonic::Request::new(request.clone()));
                grpc.ready().await.map_err(|error| tonic::Status::from_error(Box::new(error)))?;
                match grpc.unary(request, PathAndQuery::from_static(path), ProstCodec::<Q, A>::default()).await {
                    // It may just be starting.
                    Err(status) if is_unsent(&status) => {
                        *unsent.lock() = Some(dialing(&format!("unix {}", self.socket), &status));
                        tokio::time::sleep(CONNECT_EVERY).await;
                    }
                    answer => return answer,
                }
            }
        };
        match tokio::time::timeout(self.timeout, asked).await {
            Ok(answer) => answer
                .map(tonic::Response::into_inner)
                .map_err(|status| format!("rpc error: code = {:?} desc = {}", status.code(), status.message())),
            Err(_) => {
                let why = unsent.lock().take().map(|why| format!("latest balancer error: {why}"));
                let why = format!("{LATE}{}", why.as_deref().unwrap_or("context deadline exceeded"));
                *self.silent.lock() = Some((Instant::now() + SILENT, why.clone()));
                Err(why)
            }
        }
    }
}

/// What is said of a plugin that let a question's time pass.
const LATE: &str = "rpc error: code = DeadlineExceeded desc = ";

/// What is wrong with the name of a key.
fn key_id_fault(key_id: &str) -> Option<String> {
    match key_id.len() {
        0 => Some("keyID is empty".to_owned()),
        len if len > KEY_ID_BYTES_MAX => Some(format!("keyID is {len} bytes, which exceeds the max size of {KEY_ID_BYTES_MAX}")),
        _ => None,
    }
}

/// A key's name as it may be shown.
fn hash(key_id: &str) -> String {
    if key_id.is_empty() {
        return String::new();
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, key_id.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
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
