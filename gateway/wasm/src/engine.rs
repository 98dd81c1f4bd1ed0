//! The engine that all modules share, with its pool of memories, its ticking clock and its threads.
//! Does not know any module.

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures};

use crate::apart::{Apart, Program};
use crate::artifacts::Artifacts;
use crate::compile::Compiler;
use crate::error::StartError;
use crate::limits;
use crate::pool::Pool;
use crate::ticker::Ticker;

/// What guests may be made of: what the languages of the SDKs compile to, and no more. Threads and shared memory would let a
/// guest outlive its call, relaxed SIMD computes otherwise on another processor, and of what nobody compiles to nobody has
/// seen that it holds.
const FEATURES: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    // What components inside of one hand to each other is copied by modules that the engine makes, between two memories. A
    // guest's module still has one of its own, as the pool has it.
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// How the runtime is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where compiled modules are kept; nothing is kept without it.
    pub artifacts: Option<PathBuf>,
    /// Threads that run guests; one for each processor when 0.
    pub threads: usize,
    /// Compiles modules in a process of its own; this one does where there is none.
    pub compiler: Option<Compiler>,
    /// Runs guests in processes of their own; this one does where there is none.
    pub guests: Option<Program>,
    /// Count the instructions of guests. It costs time, so that a server never does.
    pub count_fuel: bool,
}

/// Everything that running policies needs. One per process.
pub struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) counts_fuel: bool,
    pub(crate) artifacts: Option<Artifacts>,
    pub(crate) compiler: Option<Compiler>,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) pool: Pool,
    pub(crate) apart: Option<Arc<Apart>>,
}

impl Runtime {
    /// Starts the engine and its threads. Fails when memory for the pool cannot be reserved or the directory for
    /// compiled modules cannot be used.
    pub fn start(options: &Options) -> Result<Arc<Self>, StartError> {
        let engine = Engine::new(config().consume_fuel(options.count_fuel)).map_err(StartError::Engine)?;
        let artifacts = options.artifacts.as_deref().map(|path| Artifacts::open(path, &engine)).transpose()?;
        let ticker = Ticker::start(engine.clone()).map_err(StartError::Thread)?;
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            threads => threads,
        };
        let pool = Pool::start(threads).map_err(StartError::Thread)?;
        let (counts_fuel, compiler) = (options.count_fuel, options.compiler.clone());
        let apart = options.guests.clone().map(Apart::new);
        Ok(Arc::new(Self { engine, counts_fuel, artifacts, compiler, ticker, pool, apart }))
    }

    /// The threads that run guests.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

/// The configuration that code is compiled for and run with.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.wasm_features(FEATURES.complement(), false);
    config.epoch_interruption(true);
    config.max_wasm_stack(limits::STACK_BYTES_MAX);
    config.memory_init_cow(true);
    // A trap's message is enough: walking the stack costs more than the call.
    config.wasm_backtrace_max_frames(None);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling()));
    config
}

fn pooling() -> PoolingAllocationConfig {
    let mut pooling = PoolingAllocationConfig::new();
    pooling
        .total_component_instances(limits::GUESTS_MAX)
        .total_core_instances(limits::GUESTS_MAX * limits::CORE_INSTANCES_MAX)
        .total_memories(limits::GUESTS_MAX * 2)
        .total_tables(limits::GUESTS_MAX * limits::TABLES_MAX)
        .max_tables_per_component(limits::TABLES_MAX)
        .max_core_instances_per_component(limits::CORE_INSTANCES_MAX)
        .max_memories_per_component(limits::MEMORIES_MAX)
        .max_memory_size(limits::MEMORY_BYTES_MAX)
        .table_elements(limits::TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(limits::MEMORY_KEEP_RESIDENT_BYTES)
        .table_keep_resident(16 << 10)
        // The kernel says which pages were written, so that only those are reset.
        .pagemap_scan(Enabled::Auto);
    pooling
}
