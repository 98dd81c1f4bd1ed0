//! The process that runs guests: holds what it is told to hold, runs one call at a time, and asks the server what its guest
//! asks. Decides nothing.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::frame::{self, FROM_CHILD_BYTES_MAX, TO_CHILD_BYTES_MAX};
use super::message::{Answered, Called, FromChild, Outcome, Question, Refusal, ToChild, Told, What, numbered};
use crate::GroupVersionResource;
use crate::engine::{Options, Runtime};
use crate::error::{BindError, Failure, LoadError};
use crate::module::{Module, World};
use crate::policy::{Answer, Binding, Call, Policy};
use crate::reach::{Attributes, Decision, Place, Reach, Read as ReadOf, ReadError, Subject};

/// Runs guests for whoever is at the other end, until that closes it.
///
/// # Errors
/// The engine cannot start, or the socket does not say what it should.
pub fn serve(socket: UnixStream) -> io::Result<()> {
    let runtime = Runtime::start(&Options { threads: 1, ..Options::default() }).map_err(io::Error::other)?;
    let mut process =
        Process { socket: Arc::new(Socket(Mutex::new(socket))), runtime, modules: HashMap::new(), policies: HashMap::new() };
    while let Some(message) = process.socket.hear()? {
        process.take(message)?;
    }
    Ok(())
}

struct Process {
    socket: Arc<Socket>,
    runtime: Arc<Runtime>,
    modules: HashMap<u64, Arc<Module>>,
    policies: HashMap<u64, Policy>,
}

impl Process {
    fn take(&mut self, message: ToChild<'_>) -> io::Result<()> {
        match message {
            ToChild::Load { number, world, code } => {
                let described = self.load(number, world, &code);
                self.socket.tell(&FromChild::Described(described))
            }
            ToChild::Bind { number, module, settings, grants, deadline } => {
                let binding = Binding { settings: settings.into_owned(), grants: grants.into_owned(), deadline };
                let bound = self.bind(number, module, binding);
                self.socket.tell(&FromChild::Bound(bound))
            }
            ToChild::Call(called) => {
                let Called { number, what, request, object, old, params } = *called;
                let reach: Arc<dyn Reach> = self.socket.clone();
                let [object, old, params] = [object, old, params].map(|part| part.map(Cow::into_owned));
                let (object, old, params) = (object.as_ref(), old.as_ref(), params.as_ref());
                let answered = self.call(number, what, &Call { request: &request, object, old, params, reach, briefly: false });
                self.socket.tell(&FromChild::Answered(Box::new(answered)))
            }
            ToChild::Forget { numbers } => {
                for number in numbers {
                    self.policies.remove(&number);
                    self.modules.remove(&number);
                }
                Ok(())
            }
            ToChild::Told(_) => Err(io::Error::other("an answer to no question")),
        }
    }

    fn load(&mut self, number: u64, world: World, code: &[u8]) -> Result<crate::Metadata, Refusal> {
        let module = self.runtime.adopt(code, world).map_err(|error| match error {
            LoadError::Describe(failure) => Refusal::Failed(failure),
            LoadError::OtherState(why) => Refusal::OtherState(why),
            other => Refusal::Link(other.to_string()),
        })?;
        let metadata = module.metadata.clone();
        self.modules.insert(number, module);
        Ok(metadata)
    }

    fn bind(&mut self, number: u64, module: u64, binding: Binding) -> Result<(), Refusal> {
        let module = self.modules.get(&module).ok_or_else(|| Refusal::Link("its module is not here".to_owned()))?;
        let policy = module.bind(binding).map_err(|error| match error {
            BindError::Settings(violations) => Refusal::Settings(violations),
            BindError::Failed(failure) => Refusal::Failed(failure),
            other => Refusal::Link(other.to_string()),
        })?;
        self.policies.insert(number, policy);
        Ok(())
    }

    fn call(&self, number: u64, what: What, call: &Call<'_>) -> Answered {
        let Some(policy) = self.policies.get(&number) else {
            return Answered::failed(Failure::Process("its binding is not here".to_owned()));
        };
        match what {
            What::Validate => answered(policy.validate(call), Outcome::Verdict),
            What::Mutate => answered(policy.mutate(call), Outcome::Mutation),
            What::Configure => answered(policy.configure(call), |()| Outcome::Configured),
        }
    }
}

fn answered<T>(answer: Answer<T>, outcome: impl FnOnce(T) -> Outcome) -> Answered {
    let Answer { outcome: told, log, fuel, needs_user, .. } = answer;
    Answered { outcome: told.map(outcome), log: numbered(log), fuel, needs_user }
}

/// The way to the server. One call runs at a time, so that what comes after a question is its answer.
struct Socket(Mutex<UnixStream>);

impl Socket {
    fn tell(&self, message: &FromChild) -> io::Result<()> {
        let bytes = frame::pack(message)?;
        if bytes.len() > FROM_CHILD_BYTES_MAX {
            return Err(io::Error::other("an answer that nobody would read"));
        }
        self.0.lock().write_all(&bytes)
    }

    /// The next message; nothing when the server closed the socket.
    fn hear(&self) -> io::Result<Option<ToChild<'static>>> {
        let mut socket = self.0.lock();
        let mut length = [0; 4];
        match socket.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let length = u32::from_le_bytes(length) as usize;
        if length > TO_CHILD_BYTES_MAX {
            return Err(io::Error::other("a message that is too large"));
        }
        let mut bytes = vec![0; length];
        socket.read_exact(&mut bytes)?;
        frame::unpack(&bytes).map(Some)
    }

    fn ask(&self, question: Question) -> Option<Told> {
        self.tell(&FromChild::Asked(question)).ok()?;
        match self.hear() {
            Ok(Some(ToChild::Told(told))) => Some(told),
            _ => None,
        }
    }
}

const NOBODY: &str = "the server does not answer";

impl Reach for Socket {
    fn get(&self, of: &GroupVersionResource, place: Place<'_>, fields: &[String], _: Duration) -> ReadOf<Option<Vec<u8>>> {
        let (namespace, selected) = (place.namespace.to_owned(), place.selected.to_owned());
        match self.ask(Question::Get { of: of.clone(), namespace, selected, fields: fields.to_vec() }) {
            Some(Told::Object(answer)) => answer,
            _ => Err(ReadError::Unavailable(NOBODY.to_owned())),
        }
    }

    fn list(&self, of: &GroupVersionResource, place: Place<'_>, fields: &[String], _: Duration) -> ReadOf<Vec<Vec<u8>>> {
        let (namespace, selected) = (place.namespace.to_owned(), place.selected.to_owned());
        match self.ask(Question::List { of: of.clone(), namespace, selected, fields: fields.to_vec() }) {
            Some(Told::Objects(answer)) => answer,
            _ => Err(ReadError::Unavailable(NOBODY.to_owned())),
        }
    }

    fn check(&self, who: &Subject, what: &Attributes, _: Duration) -> Result<Decision, String> {
        match self.ask(Question::Check { who: who.clone(), what: what.clone() }) {
            Some(Told::Decision(answer)) => answer,
            _ => Err(NOBODY.to_owned()),
        }
    }
}
