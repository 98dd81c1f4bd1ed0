//! Guests in processes of their own, where a program for it is given: whatever a guest could do to the process that runs it,
//! it does to one that holds nothing but policies, and one call at a time. Answers are those of guests that run here.
//! Does not run guests itself (`child`), and grants nothing that the binding does not.

mod child;
mod frame;
mod message;

use std::borrow::Cow;
use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use wasmtime::component::Component;

use crate::bindings::validator::gatehouse::policy::types::{Metadata, Mutation, Verdict};
use crate::error::{BindError, Failure, LoadError};
use crate::imports::Grant;
use crate::limits::{DESCRIBE_DEADLINE, QUESTIONS_MAX, READ_BYTES_MAX, WALL_FACTOR};
use crate::module::World;
use crate::policy::{Answer, Binding, Call};
use crate::reach::{Asked, Place, ReadError, Subject};
pub use child::serve;
use message::{Answered, Called, FromChild, Outcome, Question, Refusal, ToChild, Told, What};

/// What a process may take beyond the time that it grants its guest: it ends the guest itself, and only where it does not is
/// it ended.
const SLACK: Duration = Duration::from_secs(2);

/// How long a process that closed its socket is waited for.
const ENDING: Duration = Duration::from_millis(500);

/// A program that runs guests: it hands its standard input, which is a socket, to [`serve`].
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// The processes.
pub(crate) struct Apart {
    program: Program,
    /// Those that run no guest now; as many as ran guests at once.
    idle: Mutex<Vec<Child>>,
    /// What processes may be told of: modules and bindings that somebody still has.
    live: Mutex<HashSet<u64>>,
    /// Counts what went out of `live`.
    gone: AtomicU64,
    next: AtomicU64,
}

/// A number of a module or a binding, as long as somebody has it.
struct Ticket {
    apart: Arc<Apart>,
    number: u64,
}

/// A module that processes hold.
pub(crate) struct Held {
    ticket: Ticket,
    component: Component,
    world: World,
}

/// A module with its settings, likewise.
pub(crate) struct Bound {
    ticket: Ticket,
    module: Arc<Held>,
    binding: Binding,
}

/// Why a conversation ended early.
enum Broken {
    /// The process is at fault, whatever its guest did.
    Process(io::Error),
    /// It did not answer in time.
    Late,
}

impl Apart {
    pub(crate) fn new(program: Program) -> Arc<Self> {
        let (idle, live) = (Mutex::default(), Mutex::default());
        Arc::new(Self { program, idle, live, gone: AtomicU64::new(0), next: AtomicU64::new(0) })
    }

    /// A module that processes are to hold. Nothing is sent before somebody asks it something.
    pub(crate) fn hold(self: &Arc<Self>, component: Component, world: World) -> Arc<Held> {
        Arc::new(Held { ticket: self.ticket(), component, world })
    }

    fn ticket(self: &Arc<Self>) -> Ticket {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.live.lock().insert(number);
        Ticket { apart: self.clone(), number }
    }

    /// A process that lives and runs no guest.
    fn child(&self) -> io::Result<Child> {
        loop {
            let Some(mut child) = self.idle.lock().pop() else { return Child::start(&self.program) };
            // One that ended while it had nothing to do is nobody's fault.
            if matches!(child.process.try_wait(), Ok(None)) {
                return Ok(child);
            }
        }
    }

    /// Talks with a process. One that fails, or is late, is ended; the next call has another.
    fn with<T>(&self, limit: Duration, talk: impl FnOnce(&mut Talk<'_>) -> Result<T, Broken>) -> Result<T, Failure> {
        let mut child = self.child().map_err(|error| Failure::Process(error.to_string()))?;
        let mut talk_with = Talk { apart: self, child: &mut child, started: Instant::now(), limit };
        let outcome = talk_with.forget_gone().and_then(|()| talk(&mut talk_with));
        match outcome {
            Ok(value) => {
                self.idle.lock().push(child);
                Ok(value)
            }
            Err(Broken::Late) => Err(Failure::WallTimeout { limit }),
            Err(Broken::Process(error)) => Err(Failure::Process(child.end(&error))),
        }
    }
}

#[cfg(test)]
impl Apart {
    /// Ends the processes that run nothing, as somebody outside would; how many.
    pub(crate) fn kill(&self) -> usize {
        let mut idle = self.idle.lock();
        for child in idle.iter_mut() {
            child.process.kill().unwrap();
            child.process.wait().unwrap();
        }
        idle.len()
    }

    /// How much each of them holds.
    pub(crate) fn held(&self) -> Vec<usize> {
        self.idle.lock().iter().map(|child| child.held.len()).collect()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.apart.live.lock().remove(&self.number);
        self.apart.gone.fetch_add(1, Ordering::Relaxed);
    }
}

impl Held {
    /// What the module says of itself.
    pub(crate) fn describe(&self) -> Result<Metadata, LoadError> {
        let described = self.ticket.apart.with(DESCRIBE_DEADLINE * WALL_FACTOR + SLACK, |talk| talk.load(self));
        described.map_err(LoadError::Describe)?.map_err(|refusal| match refusal {
            Refusal::OtherState(why) => LoadError::OtherState(why),
            Refusal::Link(why) => LoadError::Compile(wasmtime::Error::msg(why)),
            Refusal::Failed(failure) => LoadError::Describe(failure),
            Refusal::Settings(_) => LoadError::Compiler("a module that is described has no settings".to_owned()),
        })
    }

    /// Binds the module.
    pub(crate) fn bind(self: &Arc<Self>, binding: Binding) -> Result<Bound, BindError> {
        let apart = &self.ticket.apart;
        let bound = Bound { ticket: apart.ticket(), module: self.clone(), binding };
        let answer = apart.with(DESCRIBE_DEADLINE * WALL_FACTOR + SLACK, |talk| talk.bind(&bound));
        match answer.map_err(BindError::Failed)? {
            Ok(()) => Ok(bound),
            Err(Refusal::Settings(violations)) => Err(BindError::Settings(violations)),
            Err(Refusal::Failed(failure)) => Err(BindError::Failed(failure)),
            Err(Refusal::OtherState(why) | Refusal::Link(why)) => Err(BindError::Link(wasmtime::Error::msg(why))),
        }
    }
}

impl Bound {
    pub(crate) fn validate(&self, call: &Call<'_>) -> Answer<Verdict> {
        self.call(call, What::Validate, |outcome| match outcome {
            Outcome::Verdict(verdict) => Some(verdict),
            _ => None,
        })
    }

    pub(crate) fn mutate(&self, call: &Call<'_>) -> Answer<Mutation> {
        self.call(call, What::Mutate, |outcome| match outcome {
            Outcome::Mutation(mutation) => Some(mutation),
            _ => None,
        })
    }

    pub(crate) fn configure(&self, call: &Call<'_>) -> Answer<()> {
        self.call(call, What::Configure, |outcome| matches!(outcome, Outcome::Configured).then_some(()))
    }

    fn call<T>(&self, call: &Call<'_>, what: What, wanted: impl FnOnce(Outcome) -> Option<T>) -> Answer<T> {
        let started = Instant::now();
        let limit = self.binding.deadline * WALL_FACTOR + SLACK;
        let answered = self.ticket.apart.with(limit, |talk| talk.call(self, call, what));
        let Answered { outcome, log, fuel, needs_user } = answered.unwrap_or_else(Answered::failed);
        let mixed = || Failure::BadAnswer("it answers what was not asked".to_owned());
        let outcome = outcome.and_then(|outcome| wanted(outcome).ok_or_else(mixed));
        Answer { outcome, took: started.elapsed(), log: message::lines(log), fuel, needs_user }
    }
}

/// One process.
struct Child {
    process: std::process::Child,
    socket: UnixStream,
    /// Numbers of what it holds.
    held: HashSet<u64>,
    /// How much had gone when it was last told what to forget.
    gone: u64,
}

impl Child {
    fn start(program: &Program) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let mut command = Command::new(&program.program);
        // It needs nothing of what the server has: no variables, no folder, no output but complaints.
        command.args(&program.arguments).env_clear().current_dir("/").stdout(Stdio::null());
        let process = command.stdin(Stdio::from(OwnedFd::from(theirs))).spawn()?;
        Ok(Self { process, socket, held: HashSet::new(), gone: 0 })
    }

    /// Ends the process; says how it ended, where it did so by itself.
    fn end(mut self, error: &io::Error) -> String {
        // One that closed its socket is about to end, and its status says why.
        let is_closing = error.kind() == io::ErrorKind::UnexpectedEof || error.kind() == io::ErrorKind::BrokenPipe;
        let until = Instant::now() + if is_closing { ENDING } else { Duration::ZERO };
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return status.to_string(),
                Ok(None) if Instant::now() < until => std::thread::sleep(ENDING / 100),
                _ => return error.to_string(),
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A conversation with one process, which must end in time.
struct Talk<'a> {
    apart: &'a Apart,
    child: &'a mut Child,
    started: Instant,
    limit: Duration,
}

impl Talk<'_> {
    fn left(&self) -> Result<Duration, Broken> {
        Some(self.limit.saturating_sub(self.started.elapsed())).filter(|left| !left.is_zero()).ok_or(Broken::Late)
    }

    fn tell(&mut self, message: &ToChild<'_>) -> Result<(), Broken> {
        let bytes = frame::pack(message).map_err(Broken::Process)?;
        frame::write(&self.child.socket, &bytes, || self.left())
    }

    fn hear(&mut self) -> Result<FromChild, Broken> {
        let bytes = frame::read(&self.child.socket, || self.left())?;
        frame::unpack(&bytes).map_err(Broken::Process)
    }

    /// Lets the process forget what nobody has any more.
    fn forget_gone(&mut self) -> Result<(), Broken> {
        let gone = self.apart.gone.load(Ordering::Relaxed);
        if self.child.gone == gone {
            return Ok(());
        }
        self.child.gone = gone;
        let numbers: Vec<u64> = {
            let live = self.apart.live.lock();
            self.child.held.iter().copied().filter(|number| !live.contains(number)).collect()
        };
        if numbers.is_empty() {
            return Ok(());
        }
        self.child.held.retain(|number| !numbers.contains(number));
        self.tell(&ToChild::Forget { numbers })
    }

    fn load(&mut self, held: &Held) -> Result<Result<Metadata, Refusal>, Broken> {
        let code = held.component.serialize().map_err(|error| Broken::Process(io::Error::other(error.to_string())))?;
        self.tell(&ToChild::Load { number: held.ticket.number, world: held.world, code })?;
        match self.hear()? {
            FromChild::Described(described) => {
                self.child.held.insert(held.ticket.number);
                Ok(described)
            }
            other => Err(unexpected(&other)),
        }
    }

    fn bind(&mut self, bound: &Bound) -> Result<Result<(), Refusal>, Broken> {
        if !self.child.held.contains(&bound.module.ticket.number)
            && let Err(refusal) = self.load(&bound.module)?
        {
            return Ok(Err(refusal));
        }
        let Binding { settings, grants, deadline } = &bound.binding;
        self.tell(&ToChild::Bind {
            number: bound.ticket.number,
            module: bound.module.ticket.number,
            settings: settings.into(),
            grants: grants.into(),
            deadline: *deadline,
        })?;
        match self.hear()? {
            FromChild::Bound(answer) => {
                self.child.held.insert(bound.ticket.number);
                Ok(answer)
            }
            other => Err(unexpected(&other)),
        }
    }

    fn call(&mut self, bound: &Bound, call: &Call<'_>, what: What) -> Result<Answered, Broken> {
        if !self.child.held.contains(&bound.ticket.number) && self.bind(bound)?.is_err() {
            return Ok(Answered::failed(Failure::Refused("it refuses the settings that it accepted before".to_owned())));
        }
        self.tell(&ToChild::Call(Box::new(Called {
            number: bound.ticket.number,
            what,
            request: Cow::Borrowed(call.request),
            object: call.object.map(Cow::from),
            old: call.old.map(Cow::from),
            params: call.params.map(Cow::from),
        })))?;
        // Counted here too: who asks is a process that may no longer be what was started.
        let (mut asked, grants) = (Asked::default(), &bound.binding.grants);
        loop {
            match self.hear()? {
                FromChild::Answered(answered) => return Ok(*answered),
                FromChild::Asked(question) => {
                    let told = answer(&question, grants, &mut asked, call, self.left()?);
                    self.tell(&ToChild::Told(told))?;
                }
                other => return Err(unexpected(&other)),
            }
        }
    }
}

/// Answers a guest's question as far as its binding goes.
fn answer(question: &Question, grants: &[Grant], asked: &mut Asked, call: &Call<'_>, within: Duration) -> Told {
    let is_granted = grants.contains(&question.grant());
    let is_few = asked.another();
    match question {
        Question::Get { of, namespace, selected, fields } => {
            let place = Place { namespace, selected };
            let ask = || call.reach.get(of, place, fields, within);
            Told::Object(read(is_granted, is_few, ask, |object| asked.took(object.as_ref().map_or(0, Vec::len))))
        }
        Question::List { of, namespace, selected, fields } => {
            let place = Place { namespace, selected };
            let ask = || call.reach.list(of, place, fields, within);
            Told::Objects(read(is_granted, is_few, ask, |objects| asked.took(objects.iter().map(Vec::len).sum())))
        }
        Question::Check { who, .. } if matches!(who, Subject::Requester) && call.request.user.is_none() => {
            Told::Decision(Err("nobody makes this request".to_owned()))
        }
        Question::Check { .. } if !is_granted || !is_few => {
            Told::Decision(Err(format!("a call may ask {QUESTIONS_MAX} times, and what is granted")))
        }
        Question::Check { who, what } => Told::Decision(call.reach.check(who, what, within)),
    }
}

fn read<T>(
    is_granted: bool,
    is_few: bool,
    ask: impl FnOnce() -> Result<T, ReadError>,
    took: impl FnOnce(&T) -> bool,
) -> Result<T, ReadError> {
    if !is_granted {
        return Err(ReadError::Forbidden("it is not granted".to_owned()));
    }
    if !is_few {
        return Err(ReadError::TooMuch);
    }
    let found = ask()?;
    // What lies beyond the bound of one answer does not go through the socket either.
    if took(&found) { Ok(found) } else { Err(ReadError::TooMuch) }
}

fn unexpected(message: &FromChild) -> Broken {
    Broken::Process(io::Error::other(format!("it says {} where it should not", message.name())))
}

const _: () = assert!(READ_BYTES_MAX < frame::TO_CHILD_BYTES_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(script: &str) -> Arc<Apart> {
        Apart::new(Program { program: "/bin/sh".into(), arguments: vec!["-c".to_owned(), script.to_owned()] })
    }

    fn hear(apart: &Apart, limit: Duration) -> Failure {
        apart.with(limit, |talk| talk.hear().map(|_| ())).unwrap_err()
    }

    #[test]
    fn a_process_that_does_not_answer_is_ended() {
        let apart = apart("exec sleep 600");
        assert_eq!(hear(&apart, Duration::from_millis(50)).reason(), "timeout");
        assert!(apart.idle.lock().is_empty(), "nobody talks with it again");
    }

    #[test]
    fn how_a_process_ended_is_told() {
        for (script, expected) in [("exit 3", "exit status: 3"), ("kill -KILL $$", "signal: 9")] {
            let told = hear(&apart(script), Duration::from_secs(60)).to_string();
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn what_is_no_message_ends_the_conversation() {
        let garbage = "printf '\\001\\000\\000\\000\\377' >&0; exec sleep 600";
        assert_eq!(hear(&apart(garbage), Duration::from_secs(60)).reason(), "process");
        let endless = "printf '\\377\\377\\377\\377' >&0; exec sleep 600";
        let told = hear(&apart(endless), Duration::from_secs(60)).to_string();
        assert!(told.contains("it says 4294967295 bytes at once"), "{told}");
    }
}
