//! The ciphers of an encryption configuration, byte for byte as upstream's: AES-CBC with PKCS#7, AES-GCM, secretbox.
//! Follows `apiserver/pkg/storage/value/encrypt`.

use std::sync::Arc;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use codec::go_base64;
use crypto_secretbox::XSalsa20Poly1305;
use rand::RngCore;

use super::kms::Kms;

/// How long secrets may be.
pub(super) const AES_SECRET_BYTES: &[usize] = &[16, 24, 32];
pub(super) const SECRETBOX_SECRET_BYTES: &[usize] = &[32];

const BLOCK_BYTES: usize = 16;
const GCM_NONCE_BYTES: usize = 12;
const SECRETBOX_NONCE_BYTES: usize = 24;

const SHORT: &str = "the stored data was shorter than the required size";
const REFUSED: &str = "cipher: message authentication failed";

/// One key of one kind.
pub(super) enum Cipher {
    /// Nothing is done.
    Identity,
    /// AES-CBC; 16, 24 or 32 bytes. What is sealed is not bound to its key in etcd.
    Cbc(Vec<u8>),
    /// AES-GCM; bound to its key in etcd.
    Gcm(Box<Gcm>),
    /// XSalsa20 with Poly1305.
    Secretbox(Box<XSalsa20Poly1305>),
    /// Keys that a plugin encrypts.
    Kms(Arc<Kms>),
}

/// AES-GCM by the length of its key.
pub(super) enum Gcm {
    Aes128(Aes128Gcm),
    Aes192(AesGcm<aes::Aes192, U12>),
    Aes256(Aes256Gcm),
}

impl Cipher {
    /// A cipher of a kind with a secret in base64.
    pub(super) fn new(kind: &str, secret: &str) -> Result<Self, String> {
        let key = self::secret(secret).ok_or("could not obtain secret for named key")?;
        let wrong = || format!("{kind}: the secret has {} bytes", key.len());
        match kind {
            "aescbc" if AES_SECRET_BYTES.contains(&key.len()) => Ok(Self::Cbc(key)),
            "aesgcm" => Ok(Self::Gcm(Box::new(Gcm::new(&key).ok_or_else(wrong)?))),
            "secretbox" => XSalsa20Poly1305::new_from_slice(&key).map(|key| Self::Secretbox(Box::new(key))).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }

    /// What is said of bytes that another key of this kind made.
    pub(super) fn unknown_key(&self) -> Option<&'static str> {
        match self {
            Self::Cbc(_) | Self::Gcm(_) => Some("no matching key was found for the provided AES transformer"),
            Self::Secretbox(_) => Some("no matching key was found for the provided Secretbox transformer"),
            Self::Identity | Self::Kms(_) => None,
        }
    }

    /// Encrypts what lies under a key of etcd.
    pub(super) async fn seal(&self, key: &str, mut clear: Vec<u8>) -> Result<Vec<u8>, String> {
        match self {
            Self::Identity => Ok(clear),
            Self::Cbc(secret) => {
                let iv: [u8; BLOCK_BYTES] = random();
                Ok([&iv[..], &seal_cbc(secret, &iv, &clear)?].concat())
            }
            Self::Gcm(gcm) => gcm.seal(key.as_bytes(), &clear),
            Self::Secretbox(secret) => {
                let nonce: [u8; SECRETBOX_NONCE_BYTES] = random();
                clear = secret.encrypt(&nonce.into(), &clear[..]).map_err(|_| "secretbox failed".to_owned())?;
                Ok([&nonce[..], &clear].concat())
            }
            Self::Kms(kms) => kms.seal(key, &clear).await,
        }
    }

    /// Decrypts what lies under a key of etcd.
    pub(super) async fn open(&self, key: &str, sealed: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Identity => Ok(sealed.to_vec()),
            Self::Cbc(secret) => {
                let (iv, sealed) = sealed.split_first_chunk::<BLOCK_BYTES>().ok_or(SHORT)?;
                open_cbc(secret, iv, sealed)
            }
            Self::Gcm(gcm) => gcm.open(key.as_bytes(), sealed),
            Self::Secretbox(secret) => {
                let (nonce, sealed) = sealed.split_first_chunk::<SECRETBOX_NONCE_BYTES>().ok_or(SHORT)?;
                secret.decrypt(&(*nonce).into(), sealed).map_err(|_| REFUSED.to_owned())
            }
            Self::Kms(kms) => kms.open(key, sealed).await,
        }
    }
}

impl Gcm {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128Gcm::new_from_slice(key).ok().map(Self::Aes128),
            24 => AesGcm::new_from_slice(key).ok().map(Self::Aes192),
            32 => Aes256Gcm::new_from_slice(key).ok().map(Self::Aes256),
            _ => None,
        }
    }

    /// A nonce, then what was encrypted.
    pub(super) fn seal(&self, bound_to: &[u8], clear: &[u8]) -> Result<Vec<u8>, String> {
        let nonce: [u8; GCM_NONCE_BYTES] = random();
        let payload = Payload { msg: clear, aad: bound_to };
        let sealed = match self {
            Self::Aes128(gcm) => gcm.encrypt(&nonce.into(), payload),
            Self::Aes192(gcm) => gcm.encrypt(&nonce.into(), payload),
            Self::Aes256(gcm) => gcm.encrypt(&nonce.into(), payload),
        };
        Ok([&nonce[..], &sealed.map_err(|_| "AES-GCM failed".to_owned())?].concat())
    }

    pub(super) fn open(&self, bound_to: &[u8], sealed: &[u8]) -> Result<Vec<u8>, String> {
        let (nonce, sealed) = sealed.split_first_chunk::<GCM_NONCE_BYTES>().ok_or(SHORT)?;
        let (nonce, payload) = (*nonce, Payload { msg: sealed, aad: bound_to });
        let opened = match self {
            Self::Aes128(gcm) => gcm.decrypt(&nonce.into(), payload),
            Self::Aes192(gcm) => gcm.decrypt(&nonce.into(), payload),
            Self::Aes256(gcm) => gcm.decrypt(&nonce.into(), payload),
        };
        opened.map_err(|_| REFUSED.to_owned())
    }
}

fn seal_cbc(secret: &[u8], iv: &[u8; BLOCK_BYTES], clear: &[u8]) -> Result<Vec<u8>, String> {
    let wrong = |_| "aescbc: the key has a wrong length".to_owned();
    Ok(match secret.len() {
        16 => cbc::Encryptor::<aes::Aes128>::new_from_slices(secret, iv).map_err(wrong)?.encrypt_padded_vec_mut::<Pkcs7>(clear),
        24 => cbc::Encryptor::<aes::Aes192>::new_from_slices(secret, iv).map_err(wrong)?.encrypt_padded_vec_mut::<Pkcs7>(clear),
        _ => cbc::Encryptor::<aes::Aes256>::new_from_slices(secret, iv).map_err(wrong)?.encrypt_padded_vec_mut::<Pkcs7>(clear),
    })
}

fn open_cbc(secret: &[u8], iv: &[u8; BLOCK_BYTES], sealed: &[u8]) -> Result<Vec<u8>, String> {
    let wrong = |_| "aescbc: the key has a wrong length".to_owned();
    let opened = match secret.len() {
        16 => cbc::Decryptor::<aes::Aes128>::new_from_slices(secret, iv).map_err(wrong)?.decrypt_padded_vec_mut::<Pkcs7>(sealed),
        24 => cbc::Decryptor::<aes::Aes192>::new_from_slices(secret, iv).map_err(wrong)?.decrypt_padded_vec_mut::<Pkcs7>(sealed),
        _ => cbc::Decryptor::<aes::Aes256>::new_from_slices(secret, iv).map_err(wrong)?.decrypt_padded_vec_mut::<Pkcs7>(sealed),
    };
    opened.map_err(|_| "invalid padding on input".to_owned())
}

/// A secret from its base64, as Go reads it: line breaks are passed over, and bits that belong to no byte.
pub(super) fn secret(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(&*go_base64::canonical(text).ok()?).ok()
}

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
