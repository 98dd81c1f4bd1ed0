//! A fair seat for each request: at most so many at once, and no user in the way of the others.
//! Follows the limits and words of `k8s.io/apiserver/pkg/server/filters/maxinflight.go`; the queues stand for API Priority
//! and Fairness until its objects take effect. Of those objects only what is exempt does (`schemas`).

mod schemas;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
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

/// How much a request may be made to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Not at all: probes, whose sender would end a busy server, and the `system:masters`, who may have to repair it.
    Exempt,
    /// Until there is a seat.
    Limited,
}

impl Priority {
    /// By where a request belongs; as long as there are no flow schemas, by the one that upstream then makes up.
    pub fn of(flow: Option<&Flow>, user: &User) -> Self {
        match flow {
            Some(flow) => flow.priority,
            None if user.in_group(MASTERS) => Self::Exempt,
            None => Self::Limited,
        }
    }
}

/// The seats of a server.
pub struct Seats {
    read_only: Arc<Pool>,
    mutating: Arc<Pool>,
    refused: AtomicU64,
}

/// A seat; dropped, it goes to whoever is next.
#[must_use = "the seat is free again as soon as this is dropped"]
pub struct Seat(Option<(Arc<Pool>, Holder)>);

/// Who sits on a seat.
#[derive(Clone, Copy)]
enum Holder {
    /// Somebody who would be let in beside all seats: it is none of them.
    Exempt,
    /// A user, by the hash of the name.
    User(u64),
}

struct Pool {
    /// 0 means no limit.
    seats: usize,
    names: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    exempt: usize,
    waiting: usize,
    /// How many seats each user holds.
    held: HashMap<u64, usize>,
    /// One queue a user, the next user to be served first.
    queues: VecDeque<Queue>,
}

struct Queue {
    user: u64,
    turns: VecDeque<oneshot::Sender<Seat>>,
}

impl Seats {
    /// So many read-only and mutating requests at once (`--max-requests-inflight`, `--max-mutating-requests-inflight`);
    /// 0 means no limit.
    pub fn new(read_only: usize, mutating: usize) -> Self {
        let pool = |seats| Arc::new(Pool { seats, names: RandomState::new(), state: Mutex::default() });
        Self { read_only: pool(read_only), mutating: pool(mutating), refused: AtomicU64::new(0) }
    }

    /// Waits for a seat. 429 when too many wait already or the wait takes too long.
    pub async fn acquire(&self, class: Class, priority: Priority, user: &User) -> Result<Seat, Status> {
        let pool = match class {
            Class::ReadOnly => &self.read_only,
            Class::Mutating => &self.mutating,
            Class::LongRunning => return Ok(Seat(None)),
        };
        if pool.seats == 0 {
            return Ok(Seat(None));
        }
        if priority == Priority::Exempt {
            pool.state.lock().exempt += 1;
            return Ok(Seat(Some((pool.clone(), Holder::Exempt))));
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

    /// Requests that are served now, with a seat or beside them: read-only, mutating.
    pub fn taken(&self) -> (usize, usize) {
        let served = |pool: &Pool| {
            let state = pool.state.lock();
            state.taken + state.exempt
        };
        (served(&self.read_only), served(&self.mutating))
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
    /// How many seats one user may hold. A seat is held until a slow client has read its answer: whoever held all would shut
    /// everybody else out.
    fn held_max(&self) -> usize {
        (self.seats * 3).div_ceil(4)
    }

    fn enter(self: &Arc<Self>, user: &User) -> Entry {
        let user = self.names.hash_one(&user.name);
        let mut state = self.state.lock();
        if state.taken < self.seats && state.holds(user) < self.held_max() {
            state.seat(user);
            return Entry::Seated(Seat(Some((self.clone(), Holder::User(user)))));
        }
        state.forget_gone();
        if state.waiting >= WAITING_MAX {
            return Entry::Full;
        }
        let index = state.queues.iter().position(|queue| queue.user == user).unwrap_or_else(|| {
            state.queues.push_back(Queue { user, turns: VecDeque::new() });
            state.queues.len() - 1
        });
        let turns = &mut state.queues[index].turns;
        if turns.len() >= WAITING_PER_USER_MAX {
            return Entry::Full;
        }
        let (turn, waiting) = oneshot::channel();
        turns.push_back(turn);
        state.waiting += 1;
        Entry::Waiting(waiting)
    }

    /// Hands a free seat to the next user in the round, or puts it back.
    fn leave(self: &Arc<Self>, holder: Holder) {
        let mut state = self.state.lock();
        match holder {
            Holder::Exempt => return state.exempt -= 1,
            Holder::User(user) => state.unseat(user),
        }
        while state.taken < self.seats {
            let Some((user, turn)) = state.next(self.held_max()) else { return };
            // The seat must not come back here while the lock is held, so it is counted only once it has been taken.
            match turn.send(Seat(Some((self.clone(), Holder::User(user))))) {
                Ok(()) => state.seat(user),
                Err(mut unused) => unused.0 = None,
            }
        }
    }
}

impl State {
    fn holds(&self, user: u64) -> usize {
        self.held.get(&user).copied().unwrap_or(0)
    }

    fn seat(&mut self, user: u64) {
        self.taken += 1;
        *self.held.entry(user).or_default() += 1;
    }

    fn unseat(&mut self, user: u64) {
        self.taken -= 1;
        match self.held.get_mut(&user) {
            Some(held) if *held > 1 => *held -= 1,
            _ => drop(self.held.remove(&user)),
        }
    }

    /// Whose turn it is; passes over who holds as many seats as a user may.
    fn next(&mut self, held_max: usize) -> Option<(u64, oneshot::Sender<Seat>)> {
        let at = self.queues.iter().position(|queue| self.holds(queue.user) < held_max)?;
        let Queue { user, mut turns } = self.queues.remove(at)?;
        let turn = turns.pop_front();
        if !turns.is_empty() {
            self.queues.push_back(Queue { user, turns });
        }
        self.waiting -= usize::from(turn.is_some());
        turn.map(|turn| (user, turn))
    }

    /// Drops those who stopped waiting, so that they do not count against the living.
    fn forget_gone(&mut self) {
        for queue in &mut self.queues {
            queue.turns.retain(|turn| !turn.is_closed());
        }
        self.queues.retain(|queue| !queue.turns.is_empty());
        self.waiting = self.queues.iter().map(|queue| queue.turns.len()).sum();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some((pool, holder)) = self.0.take() {
            pool.leave(holder);
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
        let first = seats.acquire(Class::ReadOnly, Priority::Limited, &user("a")).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for name in ["greedy", "greedy", "greedy", "modest"] {
            let (seats, order) = (seats.clone(), order.clone());
            waiting.push(tokio::spawn(async move {
                let seat = seats.acquire(Class::ReadOnly, Priority::Limited, &user(name)).await.unwrap();
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
    async fn who_is_exempt_and_long_running_requests_take_no_seat() {
        let seats = Seats::new(1, 1);
        let admin = seats.acquire(Class::Mutating, Priority::Exempt, &user("root")).await.unwrap();
        let taken = seats.acquire(Class::Mutating, Priority::Limited, &user("a")).await.unwrap();
        let _watch = seats.acquire(Class::LongRunning, Priority::Limited, &user("a")).await.unwrap();
        let _second = seats.acquire(Class::Mutating, Priority::Exempt, &user("root")).await.unwrap();
        assert_eq!(seats.taken(), (0, 3));
        drop((admin, taken));
        assert_eq!(seats.taken(), (0, 1));
        assert_eq!(Priority::of(None, &User::new("root", &[MASTERS])), Priority::Exempt);
        assert_eq!(Priority::of(None, &user("a")), Priority::Limited);
    }

    #[tokio::test]
    async fn nobody_holds_all_the_seats() {
        let seats = Seats::new(4, 1);
        let acquire = async |name: &str| seats.acquire(Class::ReadOnly, Priority::Limited, &user(name)).await;
        let mut greedy = Vec::new();
        for _ in 0..3 {
            greedy.push(acquire("greedy").await.unwrap());
        }
        let Entry::Waiting(mut fourth) = seats.read_only.enter(&user("greedy")) else { panic!("must wait") };
        let modest = acquire("modest").await.unwrap();
        let Entry::Waiting(mut second) = seats.read_only.enter(&user("modest")) else { panic!("all seats are taken") };
        drop(modest);
        assert!(fourth.try_recv().is_err(), "the free seat is not for who has three");
        let modest = second.try_recv().unwrap();
        drop(greedy.pop());
        let held = fourth.try_recv().unwrap();
        drop((greedy, held, modest));
        assert_eq!(seats.taken(), (0, 0));
        assert!(seats.read_only.state.lock().held.is_empty());
    }

    #[tokio::test]
    async fn a_user_with_too_many_waiting_is_refused_and_others_are_not() {
        let seats = Arc::new(Seats::new(1, 1));
        let held = seats.acquire(Class::ReadOnly, Priority::Limited, &user("a")).await.unwrap();
        let queued: Vec<_> = (0..WAITING_PER_USER_MAX)
            .map(|_| match seats.read_only.enter(&user("greedy")) {
                Entry::Waiting(turn) => turn,
                Entry::Seated(_) | Entry::Full => panic!("must wait"),
            })
            .collect();
        let status = seats.acquire(Class::ReadOnly, Priority::Limited, &user("greedy")).await.err().unwrap();
        assert_eq!((status.code, status.message.as_str()), (429, "Too many requests, please try again later."));
        assert_eq!(status.retry_after_seconds(), Some(1));
        assert!(matches!(seats.read_only.enter(&user("modest")), Entry::Waiting(_)));
        drop(queued);
        assert!(matches!(seats.read_only.enter(&user("greedy")), Entry::Waiting(_)), "those who left make room");
        drop(held);
        assert_eq!(seats.taken(), (0, 0));
    }
}
