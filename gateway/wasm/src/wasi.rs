//! WASI for guests whose language brings it: everything is there, and nothing is in it.
//! No files, no network, no environment; the clock stands at the request's time; random follows from the request.

use wasmtime::component::Linker;

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

pub(crate) fn stubbed(_import: &str) -> bool {
    false
}

pub(crate) fn link(_linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    Ok(())
}
