//! Starts the runtime of a language ahead of time: a module of WASI's first preview is started once, when it is built, and what
//! its memory and its globals hold then becomes the module. So no call starts it again. Knows no language.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use wasmtime::{Caller, Engine, ExternType, Func, Instance, Linker, Memory, Module, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

/// What starts a reactor, and is not there any more when it has started.
const START: &str = "_initialize";
const WASI: &str = "wasi_snapshot_preview1";
const MEMORY: &str = "memory";
/// What a runtime says when it cannot go on.
const SAYS: &str = "fd_write";
/// So much of that is kept.
const SAID_BYTES_MAX: usize = 4 << 10;

/// A module could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartedError {
    /// It has no such form.
    #[error("make ready to start it: {0:#}")]
    Prepare(wasmtime::Error),
    /// It ended. With what it said.
    #[error("{said}")]
    Ended {
        /// Its words, or the reason where it had none.
        said: String,
    },
}

/// What the module's imports have in common.
#[derive(Default)]
struct Host {
    /// Functions that stand for WASI, once they are there: they need the module's memory, and it needs them.
    functions: HashMap<String, Func>,
    memory: Option<Memory>,
    said: Vec<u8>,
    random: u64,
}

/// The module as it is when it has started. `stand_in` is core wasm that answers what it asks of WASI, over its memory; of the
/// host that asks the time, which is the beginning of 1970, and random numbers, which follow from the module: the same source
/// makes the same bytes. Whatever else the module imports must not be called while it starts.
pub fn started(module: &[u8], stand_in: &[u8]) -> Result<Vec<u8>, StartedError> {
    let mut wizer = Wizer::new();
    wizer.init_func(START);
    let (context, instrumented) = wizer.instrument(module).map_err(StartedError::Prepare)?;
    let seed = Sha256::digest(module);
    let random = seed.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte));
    let mut store = Store::new(&Engine::default(), Host { random, ..Host::default() });
    let instance = instance(&mut store, &instrumented, stand_in).map_err(StartedError::Prepare)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, START).map_err(StartedError::Prepare)?;
    if let Err(trap) = start.call(&mut store, ()) {
        let said = String::from_utf8_lossy(&store.data().said).trim().to_owned();
        return Err(StartedError::Ended { said: if said.is_empty() { format!("{trap:#}") } else { said } });
    }
    let mut state = State { store, instance };
    let snapshot = wizer.snapshot(&context, &mut state);
    finished(snapshot).map_err(StartedError::Prepare)
}

fn instance(store: &mut Store<Host>, module: &[u8], stand_in: &[u8]) -> wasmtime::Result<Instance> {
    let engine = store.engine().clone();
    let module = Module::new(&engine, module)?;
    let mut linker = Linker::new(&engine);
    // Go imports a function once for each package that calls it.
    linker.allow_shadowing(true);
    for import in module.imports().filter(|import| import.module() == WASI) {
        let (ExternType::Func(ty), name) = (import.ty(), import.name().to_owned()) else { continue };
        linker.func_new(WASI, import.name(), ty, move |mut caller, arguments, results| {
            if name == SAYS {
                hear(&mut caller, arguments);
            }
            let function = caller.data().functions.get(&name).copied();
            function.ok_or_else(|| wasmtime::format_err!("there is no {name}"))?.call(&mut caller, arguments, results)
        })?;
    }
    linker.define_unknown_imports_as_traps(&module)?;
    let instance = linker.instantiate(&mut *store, &module)?;
    let memory = instance.get_memory(&mut *store, MEMORY).ok_or_else(|| wasmtime::format_err!("it exports no memory"))?;
    store.data_mut().memory = Some(memory);

    let stand_in = Module::new(&engine, stand_in)?;
    let mut linker = Linker::new(&engine);
    linker.define(&mut *store, "env", MEMORY, memory)?;
    linker.func_wrap("wasi:clocks/wall-clock@0.2.0", "now", |_: i32| {})?;
    linker.func_wrap("wasi:random/random@0.2.0", "get-random-u64", |mut caller: Caller<'_, Host>| {
        next(&mut caller.data_mut().random)
    })?;
    let answers = linker.instantiate(&mut *store, &stand_in)?;
    let functions: Vec<(String, Func)> =
        answers.exports(&mut *store).filter_map(|export| Some((export.name().to_owned(), export.into_func()?))).collect();
    store.data_mut().functions = functions.into_iter().collect();
    Ok(instance)
}

/// Keeps what is written: to whom does not matter.
fn hear(caller: &mut Caller<'_, Host>, arguments: &[Val]) {
    let Some(memory) = caller.data().memory else { return };
    let (bytes, host) = memory.data_and_store_mut(&mut *caller);
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let argument = |n: usize| arguments.get(n).and_then(Val::i32).unwrap_or_default() as u32 as usize;
    let (pieces, count) = (argument(1), argument(2));
    for piece in (0..count).map(|n| pieces + 8 * n) {
        let (Some(at), Some(length)) = (word(piece), word(piece + 4)) else { return };
        let room = SAID_BYTES_MAX.saturating_sub(host.said.len());
        host.said.extend_from_slice(bytes.get(at..at + length.min(room)).unwrap_or_default());
    }
}

/// Splitmix64: numbers that differ, for a runtime that seeds hashes with them.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What is read of the instance.
struct State {
    store: Store<Host>,
    instance: Instance,
}

impl InstanceState for State {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut self.store, name);
        match global.expect("wizer exports each global that it reads").get(&mut self.store) {
            Val::I32(value) => SnapshotVal::I32(value),
            Val::I64(value) => SnapshotVal::I64(value),
            Val::F32(bits) => SnapshotVal::F32(bits),
            Val::F64(bits) => SnapshotVal::F64(bits),
            Val::V128(value) => SnapshotVal::V128(value.as_u128()),
            other => unreachable!("wizer refuses modules with a global such as {other:?}"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let memory = self.instance.get_memory(&mut self.store, name);
        contents(memory.expect("wizer exports each memory that it reads").data(&self.store));
    }
}

/// Runs what waits for nothing.
fn finished<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAND_IN: &str = r#"(module
      (import "env" "memory" (memory 0))
      (import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))
      (func (export "random_get") (param $at i32) (param i32) (result i32)
        (i64.store (local.get $at) (call $random)) (i32.const 0))
      (func (export "fd_write") (param i32 i32 i32 i32) (result i32) (i32.const 0)))"#;

    fn module(start: &str) -> Vec<u8> {
        let text = format!(
            r#"(module
              (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
              (import "gatehouse:policy/log@1.0.0" "write" (func $log (param i32 i32 i32)))
              (memory (export "memory") 1)
              (data (i32.const 64) "\48\00\00\00\03\00\00\00bad")
              (global $calls (mut i32) (i32.const 0))
              (func (export "_initialize") {start})
              (func (export "calls") (result i32) (global.get $calls))
              (func (export "seed") (result i64) (i64.load (i32.const 16))))"#
        );
        wat::parse_str(text).unwrap()
    }

    fn start(module: &[u8]) -> Result<Vec<u8>, StartedError> {
        started(module, &wat::parse_str(STAND_IN).unwrap())
    }

    #[test]
    fn what_has_started_begins_where_it_was() {
        let source = module("(global.set $calls (i32.const 7)) (drop (call $random (i32.const 16) (i32.const 8)))");
        let module = start(&source).unwrap();
        assert_eq!(module, start(&source).unwrap(), "the same source, the same bytes");
        let engine = Engine::default();
        let module = Module::new(&engine, module).unwrap();
        assert!(module.get_export(START).is_none());
        let (mut store, mut linker) = (Store::new(&engine, ()), Linker::new(&engine));
        linker.define_unknown_imports_as_traps(&module).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let calls = instance.get_typed_func::<(), i32>(&mut store, "calls").unwrap();
        assert_eq!(calls.call(&mut store, ()).unwrap(), 7);
        let seed = instance.get_typed_func::<(), i64>(&mut store, "seed").unwrap();
        assert_ne!(seed.call(&mut store, ()).unwrap(), 0);
    }

    #[test]
    fn what_ends_tells_why() {
        let says = "(drop (call $write (i32.const 2) (i32.const 64) (i32.const 1) (i32.const 0))) unreachable";
        assert_eq!(start(&module(says)).unwrap_err().to_string(), "bad");
        let asks = "(call $log (i32.const 0) (i32.const 0) (i32.const 0))";
        assert!(start(&module(asks)).unwrap_err().to_string().contains("gatehouse:policy/log@1.0.0"));
        let none = wat::parse_str("(module (memory (export \"memory\") 1))").unwrap();
        assert!(matches!(start(&none), Err(StartedError::Prepare(_))));
    }
}
