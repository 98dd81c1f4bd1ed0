//! Advances the engine's epoch each millisecond while guests run on, looks now and then whether one does, and sleeps when there
//! was none for a while. Does not decide when a guest has had enough (`guest`).

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, Thread};

use wasmtime::Engine;

use crate::limits::{LOOK, TICK};

/// Looks without any guest after which the thread sleeps: an idle server must not wake a processor all the time, and a busy
/// one must not pay for waking the thread.
const IDLE_LOOKS: u32 = 250;

/// The clock of running guests.
pub(crate) struct Ticker {
    running: AtomicU32,
    asleep: AtomicBool,
    thread: std::sync::OnceLock<Thread>,
}

/// While it lives, the clock ticks.
pub(crate) struct Running<'a>(&'a Ticker);

impl Ticker {
    pub(crate) fn start(engine: Engine) -> io::Result<Arc<Self>> {
        let ticker =
            Arc::new(Self { running: AtomicU32::new(0), asleep: AtomicBool::new(false), thread: std::sync::OnceLock::new() });
        let weak = Arc::downgrade(&ticker);
        let handle = thread::Builder::new().name("wasm-ticker".to_owned()).spawn(move || tick(&engine, &weak))?;
        let _ = ticker.thread.set(handle.thread().clone());
        Ok(ticker)
    }

    pub(crate) fn running(&self) -> Running<'_> {
        self.running.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
        Running(self)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

fn tick(engine: &Engine, ticker: &Weak<Ticker>) {
    let (mut idle, mut pause) = (0, LOOK);
    loop {
        thread::sleep(pause);
        let Some(alive) = ticker.upgrade() else { return };
        if alive.running.load(Ordering::SeqCst) > 0 {
            engine.increment_epoch();
            (idle, pause) = (0, TICK);
            continue;
        }
        (idle, pause) = (idle + 1, LOOK);
        if idle < IDLE_LOOKS {
            continue;
        }
        // Whoever starts a guest after this store sees it; whoever started one before is seen by the load.
        alive.asleep.store(true, Ordering::SeqCst);
        let still_idle = alive.running.load(Ordering::SeqCst) == 0;
        drop(alive);
        if still_idle {
            thread::park();
        }
        let Some(alive) = ticker.upgrade() else { return };
        alive.asleep.store(false, Ordering::SeqCst);
        idle = 0;
    }
}
