//! Compiled modules on disk, under a key that only this data directory has: code is run only if this server wrote it.
//! Does not compile (`module`).

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::StartError;
use crate::folder;

type Seal = Hmac<Sha256>;

/// The file that holds the directory's key.
const KEY_FILE: &str = "key";
/// What is kept of compiled modules, those of earlier versions of the program included: some hundreds in Rust, or thirty in JavaScript.
const BYTES_MAX: u64 = 1 << 30;
/// Raised when the layout of the files changes.
const FORMAT: &[u8] = b"gatehouse artifact 1";
const SEAL_BYTES: usize = 32;
/// One block of the hash, which is what HMAC takes without hashing it first.
const KEY_BYTES: usize = 64;

/// The directory of compiled modules.
pub(crate) struct Artifacts {
    directory: PathBuf,
    key: [u8; KEY_BYTES],
    /// Engine, version and configuration that code was compiled for.
    compatibility: u64,
}

impl Artifacts {
    pub(crate) fn open(directory: &Path, engine: &Engine) -> Result<Self, StartError> {
        let failed = |source| StartError::Artifacts { path: directory.to_owned(), source };
        make_private_directory(directory).map_err(failed)?;
        let key = read_or_make_key(&directory.join(KEY_FILE)).map_err(failed)?;
        let mut hasher = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { directory: directory.to_owned(), key, compatibility: hasher.finish() })
    }

    /// The compiled form of the module with this digest, if this directory has it and nobody touched it.
    pub(crate) fn get(&self, digest: &str, engine: &Engine) -> Option<Component> {
        let path = self.path(digest);
        let file = fs::read(&path).ok()?;
        let code = self.unseal(digest, &file);
        let component = code.and_then(|code| trusted(engine, code));
        match component {
            Some(_) => folder::used(&path),
            None => {
                tracing::warn!(path = %path.display(), "compiled module was changed by somebody else; compiling anew");
                let _ = fs::remove_file(&path);
            }
        }
        component
    }

    /// Keeps a compiled module. A failure costs only time at the next start, so it is logged and no more.
    pub(crate) fn put(&self, digest: &str, component: &Component) {
        let written = component.serialize().map_err(io::Error::other).and_then(|code| {
            let seal = self.seal(digest, &code);
            let path = self.path(digest);
            let new = path.with_extension("new");
            let mut file = private_file(&new)?;
            file.write_all(&seal)?;
            file.write_all(&code)?;
            drop(file);
            fs::rename(new, path)?;
            folder::keep_newest(&self.directory, BYTES_MAX, KEY_FILE)
        });
        if let Err(error) = written {
            tracing::warn!(%error, directory = %self.directory.display(), "compiled module could not be kept");
        }
    }

    /// The file's name is a keyed hash too: what a module compiles to cannot be put there beforehand.
    fn path(&self, digest: &str) -> PathBuf {
        let name: String = self.seal(digest, b"").iter().map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(name)
    }

    fn unseal<'a>(&self, digest: &str, file: &'a [u8]) -> Option<&'a [u8]> {
        let (seal, code) = file.split_at_checked(SEAL_BYTES)?;
        self.mac(digest, code).verify_slice(seal).ok()?;
        Some(code)
    }

    fn seal(&self, digest: &str, code: &[u8]) -> [u8; SEAL_BYTES] {
        self.mac(digest, code).finalize().into_bytes().into()
    }

    fn mac(&self, digest: &str, code: &[u8]) -> Seal {
        let mut mac = Seal::new((&self.key).into());
        for part in [FORMAT, &self.compatibility.to_le_bytes(), &(digest.len() as u64).to_le_bytes(), digest.as_bytes(), code] {
            mac.update(part);
        }
        mac
    }
}

#[allow(unsafe_code, reason = "the one place where machine code is taken from a file or a process")]
pub(crate) fn trusted(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: `deserialize` needs bytes that came from `Component::serialize` or `Engine::precompile_component`. `get` has
    // verified a keyed hash over them, whose key never leaves the data directory (mode 0600), and only `put` makes such
    // hashes; `compile` has them from the program that the server itself started for that, through a pipe of its own, and a process that
    // runs guests (`apart`) has them from the server that started it, through a socket of its own.
    unsafe { Component::deserialize(engine, code) }.ok()
}

fn make_private_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
}

fn private_file(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn read_or_make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    if let Ok(bytes) = fs::read(path)
        && let Ok(key) = <[u8; KEY_BYTES]>::try_from(bytes)
    {
        return Ok(key);
    }
    let key: [u8; KEY_BYTES] = rand::random();
    private_file(path)?.write_all(&key)?;
    Ok(key)
}
