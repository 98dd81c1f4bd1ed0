//! A fixed number of threads that run guests, so that no guest ever holds an I/O worker.
//! Does not know what a job is.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};

use crate::error::Failure;
use crate::limits::{QUEUE_MAX, THREAD_STACK_BYTES};

type Job = Box<dyn FnOnce() + Send>;

/// The threads and what waits for them.
pub struct Pool {
    queue: Arc<Queue>,
    threads: usize,
}

struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Pool {
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        let state = State { jobs: VecDeque::new(), closed: false };
        let pool = Self { queue: Arc::new(Queue { state: Mutex::new(state), arrived: Condvar::new() }), threads };
        for n in 0..threads {
            let queue = pool.queue.clone();
            thread::Builder::new().name(format!("wasm-{n}")).stack_size(THREAD_STACK_BYTES).spawn(move || work(&queue))?;
        }
        Ok(pool)
    }

    /// How many jobs run at once.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Queues a job. Fails at once with [`Failure::Busy`] when [`QUEUE_MAX`] wait already.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let mut state = self.queue.state.lock();
        if state.closed || state.jobs.len() >= QUEUE_MAX {
            return Err(Failure::Busy);
        }
        state.jobs.push_back(Box::new(job));
        drop(state);
        self.queue.arrived.notify_one();
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.state.lock().closed = true;
        self.queue.arrived.notify_all();
    }
}

fn work(queue: &Queue) {
    loop {
        let mut state = queue.state.lock();
        let job = loop {
            match state.jobs.pop_front() {
                Some(job) => break job,
                None if state.closed => return,
                None => queue.arrived.wait(&mut state),
            }
        };
        drop(state);
        // A panic of ours must not take the thread from all later requests; whoever waits sees its channel closed.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a job on a wasm thread panicked");
        }
    }
}
