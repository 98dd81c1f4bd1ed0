//! A fair seat for each request: at most so many at once, and no user in the way of the others.
//! Follows the limits and words of `k8s.io/apiserver/pkg/server/filters/maxinflight.go`; the queues stand for API Priority
//! and Fairness until its objects take effect. Flow schemas are only told of (`schemas`).

mod schemas;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::user::MASTERS;
use model::{Status, User};
use parking_lot::Mutex;
use tokio::sync::oneshot;

pub use schemas::{Flow, Schemas};

/// Requests of one user that wait; a client that has more in flight than this is told to slow down.
pub const WAITING_PER_USER_MAX: usize = 50;
/// Requests that wait in all; beyond this waiting would outlast the clients' patience.
pub const WAITING_MAX: usize = 1000;
/// How long a request waits for a seat: a quarter of the default request timeout, as upstream's queues allow.
pub const WAIT_MAX: Duration = Duration::from_secs(15);
/// Seconds after which a refused client may try again, as upstream says.
const RETRY_AFTER_S: i32 = 1;

/// What a request does, as far as seats are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// get and list.
    ReadOnly,
    /// Everything that changes something.
    Mutating,
    /// watch, exec, logs that are followed and the like: they take no seat.
    LongRunning,
}

/// The seats of a server.
pub struct Seats {
    read_only: Arc<Pool>,
    mutating: Arc<Pool>,
    refused: AtomicU64,
}

/// A seat; dropped, it goes to whoever is next.
#[must_use = "the seat is free again as soon as this is dropped"]
pub struct Seat(Option<Arc<Pool>>);

struct Pool {
    /// 0 means no limit.
    seats: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    waiting: usize,
    /// One queue a user, the next user to be served first.
    queues: VecDeque<(String, VecDeque<oneshot::Sender<Seat>>)>,
}

impl Seats {
    /// So many read-only and mutating requests at once (`--max-requests-inflight`, `--max-mutating-requests-inflight`);
    /// 0 means no limit.
    pub fn new(read_only: usize, mutating: usize) -> Self {
        let pool = |seats| Arc::new(Pool { seats, state: Mutex::default() });
        Self { read_only: pool(read_only), mutating: pool(mutating), refused: AtomicU64::new(0) }
    }

    /// Waits for a seat. 429 when too many wait already or the wait takes too long. The `system:masters` never wait:
    /// whoever has to repair an overloaded server must reach it.
    pub async fn acquire(&self, class: Class, user: &User) -> Result<Seat, Status> {
        let pool = match class {
            Class::ReadOnly => &self.read_only,
            Class::Mutating => &self.mutating,
            Class::LongRunning => return Ok(Seat(None)),
        };
        if pool.seats == 0 {
            return Ok(Seat(None));
        }
        let turn = match pool.enter(user) {
            Entry::Seated(seat) => return Ok(seat),
            Entry::Waiting(turn) => turn,
            Entry::Full => return Err(self.refuse()),
        };
        match tokio::time::timeout(WAIT_MAX, turn).await {
            Ok(Ok(seat)) => Ok(seat),
            // A sender is only dropped with the whole pool, which outlives its requests.
            Ok(Err(_)) | Err(_) => Err(self.refuse()),
        }
    }

    /// Seats taken now: read-only, mutating.
    pub fn taken(&self) -> (usize, usize) {
        (self.read_only.state.lock().taken, self.mutating.state.lock().taken)
    }

    /// Requests refused so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn refuse(&self) -> Status {
        self.refused.fetch_add(1, Ordering::Relaxed);
        Status::too_many_requests("Too many requests, please try again later.", RETRY_AFTER_S)
    }
}

enum Entry {
    Seated(Seat),
    Waiting(oneshot::Receiver<Seat>),
    Full,
}

impl Pool {
    fn enter(self: &Arc<Self>, user: &User) -> Entry {
        let mut state = self.state.lock();
        if state.taken < self.seats || user.in_group(MASTERS) {
            state.taken += 1;
            return Entry::Seated(Seat(Some(self.clone())));
        }
        state.forget_gone();
        if state.waiting >= WAITING_MAX {
            return Entry::Full;
        }
        let index = state.queues.iter().position(|(name, _)| *name == user.name).unwrap_or_else(|| {
            state.queues.push_back((user.name.clone(), VecDeque::new()));
            state.queues.len() - 1
        });
        let queue = &mut state.queues[index].1;
        if queue.len() >= WAITING_PER_USER_MAX {
            return Entry::Full;
        }
        let (turn, waiting) = oneshot::channel();
        queue.push_back(turn);
        state.waiting += 1;
        Entry::Waiting(waiting)
    }

    /// Hands a free seat to the next user in the round, or puts it back.
    fn leave(self: &Arc<Self>) {
        let mut state = self.state.lock();
        state.taken -= 1;
        while state.taken < self.seats {
            let Some(turn) = state.next() else { return };
            // The seat must not come back here while the lock is held, so it is counted only once it has been taken.
            match turn.send(Seat(Some(self.clone()))) {
                Ok(()) => state.taken += 1,
                Err(mut unused) => unused.0 = None,
            }
        }
    }
}

impl State {
    fn next(&mut self) -> Option<oneshot::Sender<Seat>> {
        let (user, mut queue) = self.queues.pop_front()?;
        let turn = queue.pop_front();
        if !queue.is_empty() {
            self.queues.push_back((user, queue));
        }
        self.waiting -= usize::from(turn.is_some());
        turn
    }

    /// Drops those who stopped waiting, so that they do not count against the living.
    fn forget_gone(&mut self) {
        for (_, queue) in &mut self.queues {
            queue.retain(|turn| !turn.is_closed());
        }
        self.queues.retain(|(_, queue)| !queue.is_empty());
        self.waiting = self.queues.iter().map(|(_, queue)| queue.len()).sum();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(pool) = self.0.take() {
            pool.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> User {
        User::new(name, &[])
    }

    #[tokio::test]
    async fn a_seat_given_back_goes_to_the_next_user_in_the_round() {
        let seats = Arc::new(Seats::new(1, 1));
        let first = seats.acquire(Class::ReadOnly, &user("a")).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for name in ["greedy", "greedy", "greedy", "modest"] {
            let (seats, order) = (seats.clone(), order.clone());
            waiting.push(tokio::spawn(async move {
                let seat = seats.acquire(Class::ReadOnly, &user(name)).await.unwrap();
                order.lock().push(name);
                drop(seat);
            }));
            tokio::task::yield_now().await;
        }
        drop(first);
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(*order.lock(), ["greedy", "modest", "greedy", "greedy"]);
        assert_eq!(seats.taken(), (0, 0));
    }

    #[tokio::test]
    async fn masters_and_long_running_requests_never_wait() {
        let seats = Seats::new(1, 1);
        let _taken = seats.acquire(Class::Mutating, &user("a")).await.unwrap();
        let _watch = seats.acquire(Class::LongRunning, &user("a")).await.unwrap();
        let _admin = seats.acquire(Class::Mutating, &User::new("root", &[MASTERS])).await.unwrap();
        assert_eq!(seats.taken(), (0, 2));
    }

    #[tokio::test]
    async fn a_user_with_too_many_waiting_is_refused_and_others_are_not() {
        let seats = Arc::new(Seats::new(1, 1));
        let held = seats.acquire(Class::ReadOnly, &user("a")).await.unwrap();
        let queued: Vec<_> = (0..WAITING_PER_USER_MAX)
            .map(|_| match seats.read_only.enter(&user("greedy")) {
                Entry::Waiting(turn) => turn,
                Entry::Seated(_) | Entry::Full => panic!("must wait"),
            })
            .collect();
        let status = seats.acquire(Class::ReadOnly, &user("greedy")).await.err().unwrap();
        assert_eq!((status.code, status.message.as_str()), (429, "Too many requests, please try again later."));
        assert_eq!(status.retry_after_seconds(), Some(1));
        assert!(matches!(seats.read_only.enter(&user("modest")), Entry::Waiting(_)));
        drop(queued);
        assert!(matches!(seats.read_only.enter(&user("greedy")), Entry::Waiting(_)), "those who left make room");
        drop(held);
        assert_eq!(seats.taken(), (0, 0));
    }
}
