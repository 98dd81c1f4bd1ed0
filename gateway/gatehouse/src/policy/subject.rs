//! The policies that a command is about: a folder, which is built, a component that was built before, or a policy in CEL;
//! and what judges by them, which is the server's own evaluator in each case.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use admission::policy::binding::Binding;
use admission::policy::exception::Exception;
use admission::policy::set::{Entry, Unfit};
use admission::policy::trial::{self, Given, Trial};
use jiff::Timestamp;
use model::json::{Value, json};
use model::meta;
use wasm::{Failure, Module, Runtime};

use super::arguments::Arguments;
use super::build::{self, Built};
use super::cel::{self, Cel};
use super::fake::Fake;
use super::{document, manifest};

/// A policy before anything is set.
pub(super) enum Policy {
    /// A component.
    Component(Built),
    /// A policy in CEL.
    Cel(Cel),
}

/// What judges.
pub(super) enum Bound {
    /// A component as its binding.yaml binds it.
    Component {
        /// Bound.
        entry: Box<Entry>,
        /// binding.yaml.
        binding: Value,
    },
    /// A policy in CEL with its bindings.
    Cel(Box<Cel>),
}

/// One request, and what is around it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) request: &'a wasm::Request,
    pub(super) object: Option<&'a Value>,
    pub(super) old: Option<&'a Value>,
    /// The object of the binding's parameters.
    pub(super) params: Option<&'a Value>,
    /// What the cluster holds.
    pub(super) cluster: &'a [Value],
    /// Who may do what.
    pub(super) allowed: &'a Value,
}

impl Policy {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Component(built) => &built.name,
            Self::Cel(cel) => &cel.name,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Component(built) => &built.folder,
            Self::Cel(cel) => &cel.folder,
        }
    }

    /// What somebody has to send to a server, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Component(built) => built.module.bytes,
            Self::Cel(cel) => cel.policy.to_string().len(),
        }
    }

    /// What it does with objects, in a word.
    pub(super) fn world(&self) -> String {
        match self {
            Self::Component(built) => built.module.world.as_str().to_owned(),
            Self::Cel(cel) => format!("{} in CEL", cel.world().as_str()),
        }
    }

    /// With its own settings, or with others where `--settings` says so.
    pub(super) fn bind(self, arguments: &Arguments) -> Result<Bound, String> {
        match self {
            Self::Component(built) => {
                let entry = Box::new(bound(arguments, &built)?);
                Ok(Bound::Component { entry, binding: manifest::binding(&built.folder)? })
            }
            Self::Cel(cel) => {
                let settings = arguments.option("settings").map(document::one).transpose()?;
                Ok(Bound::Cel(Box::new(cel.with(settings))))
            }
        }
    }
}

impl Bound {
    /// What it is known by.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Component { entry, .. } => &entry.binding.name,
            Self::Cel(cel) => &cel.name,
        }
    }

    /// The object whose `spec.matchConstraints` says what is judged.
    pub(super) fn rules(&self) -> &Value {
        match self {
            Self::Component { binding, .. } => binding,
            Self::Cel(cel) => &cel.policy,
        }
    }

    /// Whether it asks who makes a request, which in a scan nobody does.
    pub(super) fn needs_user(&self) -> bool {
        match self {
            Self::Component { entry, .. } => {
                entry.binding.conditions.needs_user()
                    || entry.policy.as_ref().is_ok_and(|policy| policy.module.metadata.needs_user)
            }
            Self::Cel(cel) => cel.needs_user(),
        }
    }

    /// The request that would write an object.
    pub(super) fn request(&self, said: &Value, about: &Value) -> Result<wasm::Request, String> {
        match self {
            Self::Component { .. } => trial::request(said, about),
            Self::Cel(cel) => cel.request(said, about),
        }
    }

    /// The match field that leaves a request out.
    pub(super) fn unmatched(&self, asked: &Asked<'_>) -> Option<&'static str> {
        match self {
            Self::Component { entry, .. } => unmatched(entry, asked),
            Self::Cel(cel) => (!cel.concerns(asked)).then_some("spec.matchConstraints"),
        }
    }

    /// The exceptions of these that cover a request at a time. They name bindings of policies in wasm; nothing excepts from CEL.
    pub(super) fn covering(&self, asked: &Asked<'_>, exceptions: &[Arc<Exception>], now: Timestamp) -> Vec<Arc<Exception>> {
        match self {
            Self::Component { entry, .. } => {
                trial::covering(exceptions, &entry.binding, asked.request, (asked.object, asked.old), now)
            }
            Self::Cel(_) => Vec::new(),
        }
    }

    /// Judges a request.
    pub(super) fn judge(&self, asked: &Asked<'_>) -> Result<Trial, String> {
        match self {
            Self::Component { entry, .. } => judge(entry, asked),
            Self::Cel(cel) => cel.judge(asked),
        }
    }
}

/// The match field, or what else, leaves a request out.
pub(super) fn unmatched(entry: &Entry, asked: &Asked<'_>) -> Option<&'static str> {
    let Asked { request, object, old, cluster, .. } = *asked;
    let namespace = cluster.iter().find(|one| one["kind"] == "Namespace" && meta::name(one) == request.namespace);
    let spared = || trial::is_spared(entry, request, object, old).then_some("an update that only lets the object go");
    trial::unmatched(&entry.binding, request, object, old, namespace).or_else(spared)
}

/// Judges a request by a component.
pub(super) fn judge(entry: &Entry, asked: &Asked<'_>) -> Result<Trial, String> {
    let reach = Fake::of(asked.cluster.to_vec(), asked.allowed, &entry.binding)?;
    Ok(trial::run_with(entry, asked.request, asked.object, asked.old, Given { params: asked.params, reach }))
}

/// Why there is no verdict, for people.
pub(super) fn told(failure: &Failure) -> String {
    match failure {
        Failure::Refused(why) => format!("it could not judge: {why}"),
        // What a panic of Rust says does not leave wasm; the other languages' SDKs tell it.
        Failure::Trap(why) if why.contains("`unreachable`") => {
            format!("{failure}; a panic in Rust ends so, and `cargo test` in the policy's folder shows its words")
        }
        failure => failure.to_string(),
    }
}

/// Every policy at a place, in whatever language; at least one, or it fails.
pub(super) fn policies(runtime: &Arc<Runtime>, place: &Path) -> Result<Vec<Policy>, String> {
    if !place.exists() {
        return Err(format!("{}: there is no such folder or file", place.display()));
    }
    if !build::is_package(place)
        && let Some(found) = cel::read(place)?
    {
        return Ok(found.into_iter().map(Policy::Cel).collect());
    }
    Ok(all(runtime, place)?.into_iter().map(Policy::Component).collect())
}

/// The only policy at a place.
pub(super) fn policy(runtime: &Arc<Runtime>, place: &Path) -> Result<Policy, String> {
    only(policies(runtime, place)?, place)
}

/// How many compiled components are kept for the next command; the oldest give way.
const KEPT_MAX: usize = 24;

/// Where components are kept as they are compiled, so that only the first command about one waits for that: a folder of the
/// user's. Without one, or where it cannot be used, each command compiles anew.
fn kept() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    let folder = cache.join("gatehouse/policies");
    // What cannot be read or removed stays.
    let files = fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<_> = files.filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path()))).collect();
    files.retain(|(_, path)| path.file_name().is_some_and(|name| name.len() == KEPT_NAME_BYTES));
    files.sort_unstable_by(|a, b| b.cmp(a));
    files.iter().skip(KEPT_MAX).for_each(|(_, path)| drop(fs::remove_file(path)));
    Some(folder)
}

/// Names of compiled components are hashes in hex; the key beside them is kept.
const KEPT_NAME_BYTES: usize = 64;

/// A runtime.
pub(super) fn runtime() -> Result<Arc<Runtime>, String> {
    start(false)
}

/// One that counts instructions besides, which costs time.
pub(super) fn counting() -> Result<Arc<Runtime>, String> {
    start(true)
}

fn start(count_fuel: bool) -> Result<Arc<Runtime>, String> {
    let options = wasm::Options { threads: 1, count_fuel, artifacts: kept(), ..wasm::Options::default() };
    let without = || Runtime::start(&wasm::Options { artifacts: None, ..options.clone() });
    Runtime::start(&options).or_else(|_| without()).map_err(|error| error.to_string())
}

/// Every policy at a place; at least one, or it fails.
pub(super) fn all(runtime: &Arc<Runtime>, place: &Path) -> Result<Vec<Built>, String> {
    if place.extension().is_some_and(|extension| extension == "wasm") {
        return component(runtime, place).map(|built| vec![built]);
    }
    build::all(runtime, place)
}

/// The only policy at a place.
pub(super) fn one(runtime: &Arc<Runtime>, place: &Path) -> Result<Built, String> {
    only(all(runtime, place)?, place)
}

fn only<T>(mut all: Vec<T>, place: &Path) -> Result<T, String> {
    match (all.pop(), all.is_empty()) {
        (Some(built), true) => Ok(built),
        _ => Err(format!("{} has several policies; name the folder of one", place.display())),
    }
}

fn component(runtime: &Arc<Runtime>, file: &Path) -> Result<Built, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let component = fs::read(file).map_err(|error| failed(&error))?;
    let module = runtime.load(&component).map_err(|error| failed(&error))?;
    Ok(Built { name: module.metadata.name.clone(), folder: around(file), component, module })
}

/// Where a component's binding and cases lie: beside it, or in the folder of the policy where `build` left it.
fn around(file: &Path) -> PathBuf {
    let beside = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = beside.canonicalize().unwrap_or_else(|_| beside.to_owned());
    let policy = beside.ends_with(build::OUT).then(|| beside.ancestors().nth(Path::new(build::OUT).components().count()));
    policy.flatten().filter(|folder| build::is_package(folder)).map_or(beside.clone(), Path::to_owned)
}

/// The policy as its binding.yaml binds it, with other settings where `--settings` says so.
pub(super) fn bound(arguments: &Arguments, built: &Built) -> Result<Entry, String> {
    let mut object = manifest::binding(&built.folder)?;
    if let Some(file) = arguments.option("settings") {
        object["spec"]["settings"] = document::one(file)?;
    }
    let is_alone = object.is_null();
    bind(&built.module, &object, wasm::limits::DEADLINE_MAX).map_err(|unfit| match unfit {
        Unfit::Spec(_) if is_alone => format!("{unfit}; no binding.yaml lies beside it: say --settings FILE"),
        unfit => unfit.to_string(),
    })
}

/// A policy as a ClusterPolicyBinding binds it, but for the deadline: a slow machine must not fail an author.
pub(super) fn bind(module: &Arc<Module>, object: &Value, deadline: std::time::Duration) -> Result<Entry, Unfit> {
    let mut object = object.clone();
    if object["metadata"]["name"].is_null() {
        object["metadata"] = json!({"name": module.metadata.name});
    }
    let mut binding = Binding::from_object(&object).map_err(Unfit::Module)?;
    binding.deadline = deadline;
    Entry::bind(binding, module)
}
