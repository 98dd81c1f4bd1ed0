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
    /// Done when none of the others waits.
    aside: VecDeque<Job>,
    closed: bool,
}

impl Pool {
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        let state = State { jobs: VecDeque::new(), aside: VecDeque::new(), closed: false };
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

    /// Queues a job for which nobody waits: it is begun when no other waits for a thread. A long one steps back when it
    /// [must](Self::is_wanted).
    pub fn spawn_aside(&self, job: impl FnOnce() + Send + 'static) {
        self.queue.state.lock().aside.push_back(Box::new(job));
        self.queue.arrived.notify_one();
    }

    /// Whether a job waits for a thread.
    pub fn is_wanted(&self) -> bool {
        !self.queue.state.lock().jobs.is_empty()
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
            let next = state.jobs.pop_front();
            match next.or_else(|| state.aside.pop_front()) {
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn jobs_aside_wait_for_all_others_and_hear_that_they_are_wanted() {
        let pool = Arc::new(Pool::start(1).unwrap());
        let (told, order) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        pool.spawn(move || gate.recv().unwrap()).unwrap();
        let (of_aside, tell) = (pool.clone(), told.clone());
        pool.spawn_aside(move || tell.send(("aside", of_aside.is_wanted())).unwrap());
        for name in ["first", "second"] {
            let (of_job, tell) = (pool.clone(), told.clone());
            pool.spawn(move || tell.send((name, of_job.is_wanted())).unwrap()).unwrap();
        }
        go.send(()).unwrap();
        let order: Vec<_> = order.iter().take(3).collect();
        assert_eq!(order, [("first", true), ("second", false), ("aside", false)]);
    }
}
