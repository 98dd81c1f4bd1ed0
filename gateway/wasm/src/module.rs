//! A module: checked, compiled, asked what it is. Off the path of requests.
//! Does not know its settings (`policy`).

use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use wasmtime::Store;
use wasmtime::component::Component;

use crate::apart::Held;
use crate::artifacts::trusted;
use crate::bindings::validator::gatehouse::policy::types::{Metadata, RequestPart};
use crate::compile::compile;
use crate::engine::Runtime;
use crate::error::LoadError;
use crate::guest::{Guest, Time};
use crate::imports::Grant;
use crate::limits::MODULE_BYTES_MAX;
use crate::policy::{Exports, failure};
use crate::shown::Shown;
use crate::{guest, imports, reach, wasi};

const VALIDATION: &str = "gatehouse:policy/validation@1.0.0";
const MUTATION: &str = "gatehouse:policy/mutation@1.0.0";

/// What a module can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum World {
    /// It judges.
    Validator,
    /// It changes.
    Mutator,
}

impl World {
    /// The world's name in `wit/`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Mutator => "mutator",
        }
    }
}

/// A compiled module and what is known of it.
pub struct Module {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) component: Component,
    /// The same in other processes, where guests run there.
    pub(crate) held: Option<Arc<Held>>,
    /// Whether it judges or changes.
    pub world: World,
    /// What it says of itself.
    pub metadata: Metadata,
    pub(crate) shown: Shown,
    /// `sha256:` and the hash of its bytes.
    pub digest: String,
    /// The interfaces it imports.
    pub imports: Vec<String>,
    /// Size of the component.
    pub bytes: usize,
    /// How long compiling took; 0 when it was compiled before.
    pub compile_ms: u64,
}

/// `sha256:` and the hash in hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

impl Module {
    /// Whether no two of its calls are known to be alike: it reads what is new in each request, or imports an ability.
    pub fn is_called_each_time(&self) -> bool {
        self.shown.each_differs()
    }
}

impl Runtime {
    /// The digest that [`Runtime::load`] would give these bytes.
    pub fn digest(bytes: &[u8]) -> String {
        digest(bytes)
    }

    /// Checks, compiles (or finds compiled) and describes a module. Takes a tenth of a second for a small policy and
    /// blocks: never call it on a request's path.
    pub fn load(self: &Arc<Self>, bytes: &[u8]) -> Result<Arc<Module>, LoadError> {
        check_header(bytes)?;
        let digest = digest(bytes);
        let started = Instant::now();
        let (component, compile_ms) = match self.artifacts.as_ref().and_then(|a| a.get(&digest, &self.engine)) {
            Some(component) => (component, 0),
            None => {
                let component = compile(&self.engine, self.compiler.as_ref(), bytes)?;
                if let Some(artifacts) = &self.artifacts {
                    artifacts.put(&digest, &component);
                }
                (component, started.elapsed().as_millis().max(1) as u64)
            }
        };
        let imports: Vec<String> = component.component_type().imports(&self.engine).map(|(name, _)| name.to_owned()).collect();
        imports::known(&imports)?;
        let world = world(self, &component)?;
        let held = self.apart.as_ref().map(|apart| apart.hold(component.clone(), world));
        let metadata = match &held {
            Some(held) => held.describe()?,
            None => describe(self, &component, world)?,
        };
        check_metadata(&metadata, world, &imports).map_err(LoadError::Metadata)?;
        let (runtime, shown, bytes) = (self.clone(), Shown::of(&metadata, &imports), bytes.len());
        Ok(Arc::new(Module { runtime, component, held, world, metadata, shown, digest, imports, bytes, compile_ms }))
    }

    /// A module that another process of the same program has loaded, compiled and looked at.
    pub(crate) fn adopt(self: &Arc<Self>, code: &[u8], world: World) -> Result<Arc<Module>, LoadError> {
        let component =
            trusted(&self.engine, code).ok_or_else(|| LoadError::Compiler("what it made cannot be read".to_owned()))?;
        let imports: Vec<String> = component.component_type().imports(&self.engine).map(|(name, _)| name.to_owned()).collect();
        let metadata = describe(self, &component, world)?;
        let (runtime, shown, digest) = (self.clone(), Shown::of(&metadata, &imports), String::new());
        Ok(Arc::new(Module { runtime, component, held: None, world, metadata, shown, digest, imports, bytes: 0, compile_ms: 0 }))
    }
}

/// Text would be compiled from text, and compiled code would be run unchecked: only a binary component is let in.
fn check_header(bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.len() > MODULE_BYTES_MAX {
        return Err(LoadError::TooLarge { bytes: bytes.len(), max: MODULE_BYTES_MAX });
    }
    match bytes {
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', ..] => Err(LoadError::NotAComponent("it is a core module".to_owned())),
        [0x7f, b'E', b'L', b'F', ..] => Err(LoadError::NotAComponent("it is compiled code".to_owned())),
        _ => Err(LoadError::NotAComponent("it does not begin as wasm does".to_owned())),
    }
}

fn world(runtime: &Runtime, component: &Component) -> Result<World, LoadError> {
    let exports: Vec<String> = component.component_type().exports(&runtime.engine).map(|(name, _)| name.to_owned()).collect();
    match (exports.iter().any(|e| e == VALIDATION), exports.iter().any(|e| e == MUTATION)) {
        (true, false) => Ok(World::Validator),
        (false, true) => Ok(World::Mutator),
        (true, true) => Err(LoadError::NoWorld("it has both, and must be one of them".to_owned())),
        (false, false) => Err(LoadError::NoWorld(format!("it exports {}", list(&exports)))),
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Asks with every import linked: nothing is granted by that, because `describe` has nothing to tell and nobody listens.
fn describe(runtime: &Runtime, component: &Component, world: World) -> Result<Metadata, LoadError> {
    let linker = imports::linker(runtime, component, imports::Grant::ALL).map_err(LoadError::Compile)?;
    // The names of what it imports and exports are the contract's by now: what does not fit are the types behind them.
    let pre = linker.instantiate_pre(component).map_err(other_state)?;
    let exports = Exports::of(&pre, world).map_err(other_state)?;
    let _running = runtime.ticker.running();
    let mut store = guest::store(runtime, Time::DESCRIBE, wasi::State::default(), reach::nothing());
    let failed = |error, store: &Store<Guest>| LoadError::Describe(failure(error, store.data()));
    let instance = pre.instantiate(&mut store).map_err(|error| failed(error, &store))?;
    exports.fit(&mut store, &instance).map_err(other_state)?;
    exports.describe(&mut store, &instance).map_err(|error| failed(error, &store))
}

/// Of wasmtime's chain the last link: which type differs.
fn other_state(error: wasmtime::Error) -> LoadError {
    LoadError::OtherState(error.root_cause().to_string())
}

fn check_metadata(metadata: &Metadata, world: World, imports: &[String]) -> Result<(), String> {
    if metadata.name.is_empty() || metadata.name.len() > 63 {
        return Err("`name` must have 1 to 63 characters".to_owned());
    }
    if world == World::Validator && !metadata.writes.is_empty() {
        return Err("a validator cannot declare `writes`".to_owned());
    }
    if world == World::Mutator && metadata.writes.is_empty() {
        return Err("a mutator must declare what it `writes`".to_owned());
    }
    if !metadata.reads_request.contains(&RequestPart::User) {
        if metadata.needs_user {
            return Err("`needs-user` without `user` in `reads-request`".to_owned());
        }
        if Grant::Authorizer.is_needed(imports) {
            return Err("an import of the authorizer without `user` in `reads-request`".to_owned());
        }
    }
    if !metadata.settings_schema.is_empty() {
        let schema: serde_json::Value =
            serde_json::from_str(&metadata.settings_schema).map_err(|error| format!("`settings-schema` is not JSON: {error}"))?;
        if !schema.is_object() {
            return Err("`settings-schema` is not a JSON object".to_owned());
        }
    }
    Ok(())
}
