//! WASI for guests whose language brings it: everything is there, and nothing is in it.
//! No files, no network, no environment; the clock stands at the request's time; random follows from the request.

use wasmtime::StoreContextMut;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, Resource, Val};

use crate::bindings::validator::gatehouse::policy::types::Request;
use crate::guest::Guest;

/// What the stubs answer from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    /// The request's time.
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
    /// Where the random sequence stands.
    seed: u64,
}

/// The guest called `exit`.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("it called exit")]
pub(crate) struct Exit;

impl State {
    /// The state for one request: the same request sees the same time and the same random numbers.
    pub(crate) fn of(request: &Request) -> Self {
        let seed = request
            .uid
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self { seconds: request.time.seconds, nanoseconds: request.time.nanoseconds, seed }
    }

    /// The next random number (splitmix64): enough to seed hash tables, and nothing to keep secrets with.
    pub(crate) fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The WASI packages that languages bring along. Sockets and HTTP are not among them: who imports those means to use them.
const PACKAGES: [&str; 5] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/"];

/// Bytes that a guest gets from one call for random ones.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// What every stream to nowhere says it can take.
const STREAM_BYTES: u64 = 64 << 10;

/// Whether an import is one that is linked as a stub.
pub(crate) fn stubbed(import: &str) -> bool {
    import.contains("@0.2.") && PACKAGES.iter().any(|package| import.starts_with(package))
}

/// Links what a component imports of WASI: what languages call at their start answers, the rest traps.
pub(crate) fn link(linker: &mut Linker<Guest>, component: &Component) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    for (name, item) in component.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
        if !stubbed(name) {
            continue;
        }
        let mut instance = linker.instance(name)?;
        for (function, _) in interface.exports(&engine) {
            if let Some(stub) = stub(name, function) {
                instance.func_new(function, move |context, _, parameters, results| stub(context, parameters, results))?;
            }
        }
    }
    linker.define_unknown_imports_as_traps(component)
}

type Stub = fn(StoreContextMut<'_, Guest>, &[Val], &mut [Val]) -> wasmtime::Result<()>;

fn stub(interface: &str, function: &str) -> Option<Stub> {
    Some(match function {
        "get-environment" | "get-arguments" | "get-directories" => |_, _, results| answer(results, Val::List(Vec::new())),
        "initial-cwd" | "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr" => {
            |_, _, results| answer(results, Val::Option(None))
        }
        "exit" | "exit-with-code" => |_, _, _| Err(wasmtime::Error::new(Exit)),
        "get-random-bytes" | "get-insecure-random-bytes" => random_bytes,
        "get-random-u64" | "get-insecure-random-u64" => |mut context, _, results| {
            let random = context.data_mut().wasi.random();
            answer(results, Val::U64(random))
        },
        "insecure-seed" => |mut context, _, results| {
            let state = &mut context.data_mut().wasi;
            answer(results, Val::Tuple(vec![Val::U64(state.random()), Val::U64(state.random())]))
        },
        // Both clocks stand still.
        "now" | "resolution" if interface.starts_with("wasi:clocks/wall-clock@") => wall_clock,
        "now" | "resolution" => |_, _, results| answer(results, Val::U64(0)),
        "get-stdout" | "get-stderr" => |context, _, results| {
            let stream = Resource::<()>::new_own(1).try_into_resource_any(context)?;
            answer(results, Val::Resource(stream))
        },
        "[method]output-stream.check-write" => |context, parameters, results| {
            give_back(context, parameters)?;
            answer(results, Val::Result(Ok(Some(Box::new(Val::U64(STREAM_BYTES))))))
        },
        "[method]output-stream.write"
        | "[method]output-stream.blocking-write-and-flush"
        | "[method]output-stream.flush"
        | "[method]output-stream.blocking-flush" => |context, parameters, results| {
            give_back(context, parameters)?;
            answer(results, Val::Result(Ok(None)))
        },
        _ => return None,
    })
}

/// Ends the host's hold on a stream that it was lent.
fn give_back(mut context: StoreContextMut<'_, Guest>, parameters: &[Val]) -> wasmtime::Result<()> {
    match parameters {
        [Val::Resource(stream), ..] => stream.resource_drop(&mut context),
        _ => Ok(()),
    }
}

fn answer(results: &mut [Val], value: Val) -> wasmtime::Result<()> {
    match results {
        [result] => {
            *result = value;
            Ok(())
        }
        _ => Err(wasmtime::Error::msg("this WASI function has no result here")),
    }
}

fn random_bytes(mut context: StoreContextMut<'_, Guest>, parameters: &[Val], results: &mut [Val]) -> wasmtime::Result<()> {
    let length = match parameters {
        [Val::U64(length)] if *length <= RANDOM_BYTES_MAX => *length,
        _ => return Err(wasmtime::Error::msg("too many random bytes at once")),
    };
    let state = &mut context.data_mut().wasi;
    let bytes = (0..length).map(|_| Val::U8(state.random() as u8)).collect();
    answer(results, Val::List(bytes))
}

fn wall_clock(context: StoreContextMut<'_, Guest>, _: &[Val], results: &mut [Val]) -> wasmtime::Result<()> {
    let State { seconds, nanoseconds, .. } = context.data().wasi;
    let seconds = Val::U64(u64::try_from(seconds).unwrap_or(0));
    answer(results, Val::Record(vec![("seconds".to_owned(), seconds), ("nanoseconds".to_owned(), Val::U32(nanoseconds))]))
}
