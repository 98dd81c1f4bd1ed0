//! What the host keeps for one guest while it lives: its limits, its clock, its log lines.
//! A guest serves one call and is never used again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use crate::bindings::validator::gatehouse::policy::{log, types};
use crate::engine::Runtime;
use crate::limits;
use crate::reach::{Asked, Reach};
use crate::wasi;

/// One line that a policy wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// The text, cut to [`limits::LOG_LINE_BYTES_MAX`].
    pub message: String,
}

/// Why the clock ended a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Expired {
    #[error("running time used up")]
    Running,
    #[error("wall time used up")]
    Wall,
    #[error("not over in a moment")]
    NotBrief,
}

/// The data of a guest's store.
pub(crate) struct Guest {
    pub(crate) deadline: Duration,
    /// It is to end within a moment.
    brief: bool,
    started: Instant,
    /// The thread's processor time at the first tick that the guest saw; most calls end before one and never ask.
    processor: Option<ThreadTime>,
    pub(crate) memory: Memory,
    pub(crate) log: Vec<LogLine>,
    pub(crate) reach: Arc<dyn Reach>,
    pub(crate) asked: Asked,
    /// Somebody makes the request.
    pub(crate) has_user: bool,
    pub(crate) wasi: wasi::State,
}

/// Refuses growth beyond the limits and remembers that it did.
#[derive(Default)]
pub(crate) struct Memory {
    /// Bytes of all its memories.
    bytes: usize,
    /// Elements of all its tables.
    elements: usize,
    pub(crate) refused: bool,
}

/// How long a guest may run.
#[derive(Clone, Copy)]
pub(crate) struct Time {
    /// Its own running time.
    pub(crate) deadline: Duration,
    /// Whether it is ended at the clock's second tick.
    pub(crate) brief: bool,
}

impl Time {
    /// What describing itself and checking settings may take.
    pub(crate) const DESCRIBE: Self = Self { deadline: limits::DESCRIBE_DEADLINE, brief: false };
}

/// A store for one call. Its clock starts now.
pub(crate) fn store(runtime: &Runtime, time: Time, wasi: wasi::State, reach: Arc<dyn Reach>) -> Store<Guest> {
    let Time { deadline, brief } = time;
    let guest = Guest {
        deadline,
        brief,
        started: Instant::now(),
        processor: None,
        memory: Memory::default(),
        log: Vec::new(),
        reach,
        asked: Asked::default(),
        has_user: false,
        wasi,
    };
    let mut store = Store::new(&runtime.engine, guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_hostcall_fuel(limits::ANSWER_BYTES_MAX);
    store.set_max_component_handles(limits::HANDLES_MAX);
    if runtime.counts_fuel {
        // Refused only by an engine that does not count.
        let _ = store.set_fuel(u64::MAX);
    }
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        context.data_mut().tick().map_err(wasmtime::Error::new)?;
        Ok(UpdateDeadline::Continue(1))
    });
    store
}

impl Guest {
    /// Ends the guest when it ran for its deadline, in processor time so that a busy machine does not end the innocent.
    fn tick(&mut self) -> Result<(), Expired> {
        // The first tick may come as soon as the guest began.
        if self.brief && self.processor.is_some() {
            return Err(Expired::NotBrief);
        }
        let since = *self.processor.get_or_insert_with(ThreadTime::now);
        if since.elapsed() >= self.deadline {
            return Err(Expired::Running);
        }
        if self.started.elapsed() >= self.deadline * limits::WALL_FACTOR {
            return Err(Expired::Wall);
        }
        Ok(())
    }

    /// Wall time until the clock would end the guest.
    pub(crate) fn time_left(&self) -> Duration {
        (self.deadline * limits::WALL_FACTOR).saturating_sub(self.started.elapsed())
    }
}

impl ResourceLimiter for Memory {
    /// Asked for each memory that comes to be, too, with nothing as `current`.
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(grow(&mut self.bytes, limits::MEMORY_BYTES_MAX, desired.saturating_sub(current), &mut self.refused))
    }

    /// Likewise.
    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(grow(&mut self.elements, limits::TABLE_ELEMENTS_MAX, desired.saturating_sub(current), &mut self.refused))
    }
}

fn grow(sum: &mut usize, most: usize, more: usize, refused: &mut bool) -> bool {
    let grown = sum.saturating_add(more);
    let allowed = grown <= most;
    if allowed {
        *sum = grown;
    }
    *refused |= !allowed;
    allowed
}

/// What a line may weigh, in the order of the contract.
pub(crate) const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];

impl types::Host for Guest {}

impl log::Host for Guest {
    fn write(&mut self, level: log::Level, mut message: String) {
        if self.log.len() >= limits::LOG_LINES_MAX {
            return;
        }
        message.truncate(message.floor_char_boundary(limits::LOG_LINE_BYTES_MAX));
        let level = match level {
            log::Level::Debug => LEVELS[0],
            log::Level::Info => LEVELS[1],
            log::Level::Warn => LEVELS[2],
            log::Level::Error => LEVELS[3],
        };
        self.log.push(LogLine { level, message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_of_a_guest_share_one_limit() {
        let most = limits::MEMORY_BYTES_MAX;
        let mut memory = Memory::default();
        let mut grow = |current, desired| memory.memory_growing(current, desired, None).unwrap();
        assert!(grow(0, most / 2) && grow(0, most / 4) && grow(most / 4, most / 2), "two halves");
        assert!(!grow(0, 1), "a third memory");
        assert!(grow(most / 2, most / 2), "no growth");
        assert!(memory.refused);
    }

    #[test]
    fn all_tables_of_a_guest_share_one_limit() {
        let most = limits::TABLE_ELEMENTS_MAX;
        let mut memory = Memory::default();
        let mut grow = |current, desired| memory.table_growing(current, desired, None).unwrap();
        assert!(grow(0, most - 1) && grow(0, 1));
        assert!(!grow(1, 2), "one more");
        assert!(memory.refused);
    }
}
