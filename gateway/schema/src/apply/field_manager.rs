//! The API server's habits around [`Updater`]: where the owners of a write are read from, whose name it goes under, when
//! times move, what nobody owns. Follows the chain of managers in `managedfields/internal`, from `fieldmanager.go` inwards.

use std::borrow::Cow;
use std::sync::LazyLock;

use model::{GroupVersionKind, Map, Status, Value, meta};

use super::managers::{Entry, Manager, Managers};
use super::typed::Comparison;
use super::updater::{Convert, Failure, Force, Updater};
use super::{AtomId, Atoms, Filter, Set, Typed, last_applied};

/// Who owned an object's fields before somebody first applied to it.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
/// Who writes without saying who they are.
const UNKNOWN: &str = "unknown";

/// What nobody comes to own.
static STRIPPED: LazyLock<Set> = LazyLock::new(|| {
    const PATHS: [&str; 12] = [
        "apiVersion",
        "kind",
        "metadata",
        "metadata.name",
        "metadata.namespace",
        "metadata.creationTimestamp",
        "metadata.selfLink",
        "metadata.uid",
        "metadata.clusterName",
        "metadata.generation",
        "metadata.managedFields",
        "metadata.resourceVersion",
    ];
    PATHS.into_iter().fold(Set::default(), |all, path| all.union(Set::of_fields(path)))
});

/// Keeps `managedFields` for one kind and subresource.
pub struct FieldManager<'a> {
    /// The kind and version of the objects.
    pub kind: &'a GroupVersionKind,
    /// The subresource that is written, or empty.
    pub subresource: &'a str,
    /// The types of the objects.
    pub atoms: &'a Atoms,
    /// Which of them the objects are.
    pub root: AtomId,
    /// Whether they are held in Go structs.
    pub in_structs: bool,
    /// Brings an object into another version.
    pub convert: &'a Convert<'a>,
    /// What a write here never sets.
    pub filter: &'a Filter,
}

/// Why an apply is refused.
#[derive(Clone, Debug)]
pub enum Refused {
    /// With this answer.
    Status(Status),
    /// For a reason of the server's own.
    Failed(String),
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Status(status) => status,
            Refused::Failed(why) => Self::new(500, "", why),
        }
    }
}

/// A client empties `managedFields` by an empty list or one empty entry. Decoding drops an empty list, so before it the
/// one is made the other.
pub fn keep_reset(object: &mut Value) {
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(managed) = metadata.and_then(|metadata| metadata.get_mut("managedFields"))
        && managed.as_array().is_some_and(Vec::is_empty)
    {
        *managed = Value::Array(vec![Value::Object(Map::new())]);
    }
}

fn is_reset(managed: Option<&Value>) -> bool {
    match managed.and_then(Value::as_array).map(Vec::as_slice) {
        Some([]) => true,
        Some([one]) => one.as_object().is_some_and(Map::is_empty),
        _ => false,
    }
}

impl<'a> FieldManager<'a> {
    /// Writes the owners after a write into the new object. A failure leaves those of the live object, as upstream.
    pub fn update(&self, live: Option<&Value>, new: &mut Value, manager: &str, now: &str) {
        let sent = meta::remove(new, "managedFields").filter(|sent| !sent.is_null());
        let kept = live.and_then(managed_of);
        let owners = self.updated(live, new, sent.as_ref(), manager, now).unwrap_or_else(|_| kept.cloned());
        if let Some(owners) = owners {
            meta::set(new, "managedFields", owners);
        }
    }

    /// The value of `managedFields` after an update; `new` has none.
    fn updated(
        &self,
        live: Option<&Value>,
        new: &Value,
        sent: Option<&Value>,
        manager: &str,
        now: &str,
    ) -> Result<Option<Value>, Failure> {
        let kept = live.and_then(managed_of);
        let said = if self.subresource.is_empty() { sent } else { None };
        let is_create = live.is_none_or(|live| meta::uid(live).is_empty());
        if is_reset(said) && !is_create {
            return Ok(None);
        }
        let source = said.filter(|_| !is_reset(said));
        if kept.is_none() && source.is_none() && !is_create {
            // Whose owners were never kept, or emptied by a client, has none until somebody applies.
            return Ok(None);
        }
        let (old, wanted) = (self.live(live), self.typed(new));
        if !self.in_structs {
            wanted.fits().map_err(Failure::Failed)?;
            old.fits().map_err(Failure::Failed)?;
        }
        let updater = self.updater();
        let version = self.kind.api_version();
        let changed = updater.changes(&old, &wanted, &version)?;
        if changed.is_same_but(&STRIPPED) && kept.is_some() && source.is_none_or(|source| Some(source) == kept) {
            return Ok(kept.cloned());
        }
        let mut managers = match source.map(|source| Managers::read(Some(source))) {
            // How a client spelt the sets does not stay.
            Some(Ok(managers)) if !managers.is_empty() => {
                if source == kept {
                    managers
                } else {
                    managers.respelt()
                }
            }
            _ => Managers::read(kept).unwrap_or_default(),
        };
        if managers.is_empty() && !is_create {
            return Ok(None);
        }
        self.own_changes(&updater, (&old, &wanted), changed, &mut managers, manager, now)?;
        Ok(managers.write())
    }

    /// Gives the writer what changed.
    fn own_changes(
        &self,
        updater: &Updater<'_>,
        (old, new): (&Typed<'_>, &Typed<'_>),
        changed: Comparison,
        managers: &mut Managers,
        manager: &str,
        now: &str,
    ) -> Result<(), Failure> {
        let version = self.kind.api_version();
        // Its former entry counts as another's, so that one can see whether this write changed anything.
        let this_write = Manager::updater("current-operation", "", "");
        updater.update_by(old, new, &version, changed, managers, &this_write)?;
        if let Some(entry) = managers.take(&this_write) {
            let set = entry.set.difference(&STRIPPED);
            if !set.is_empty() {
                let writer = Manager::updater(name_or_unknown(manager), &version, self.subresource);
                let set = match managers.take(&writer) {
                    Some(former) => set.union(former.set),
                    None => set,
                };
                managers.put(Entry::new(writer, &version, false, set).at(Some(now.to_owned())));
            }
        }
        managers.cap();
        Ok(())
    }

    /// The object that an apply of `patch` makes of the live one, with its owners; types and defaults are the caller's.
    ///
    /// # Errors
    /// Conflicts, and patches that cannot be applied.
    pub fn apply(&self, live: Option<&Value>, patch: &Value, manager: &str, force: Force, now: &str) -> Result<Value, Refused> {
        self.check_version(patch)?;
        let mut managers = Managers::read(live.and_then(managed_of))
            .map_err(|why| Refused::Failed(format!("failed to decode managed fields: {why}")))?;
        if managers.is_empty() && live.is_some() {
            managers = self.before_first_apply(live, now)?;
        }
        if has_managed(patch) {
            return Err(Status::bad_request("metadata.managedFields must be nil").into());
        }
        let config = Typed { in_structs: false, ..self.typed(patch) };
        let object = described(patch, self.kind);
        config.validate().map_err(|why| Refused::Failed(format!("failed to create typed patch object ({object}): {why}")))?;
        let old = self.live(live).written_out();
        let (mut applied, mut managers) = self.merge(&old, &config, managers, manager, force)?;
        self.settle_times(&mut managers, &mut applied, manager, now);
        let mut new = applied.unwrap_or_else(|| self.live_value(live).into_owned());
        if manager == last_applied::KUBECTL {
            last_applied::refresh(&mut new, patch);
        }
        meta::remove(&mut new, "managedFields");
        if let Some(owners) = managers.write() {
            meta::set(&mut new, "managedFields", owners);
        }
        Ok(new)
    }

    /// Merges. kubectl may take what it set itself by client-side applies before.
    fn merge(
        &self,
        old: &Typed<'_>,
        config: &Typed<'_>,
        managers: Managers,
        manager: &str,
        force: Force,
    ) -> Result<(Option<Value>, Managers), Refused> {
        let (updater, version) = (self.updater(), self.kind.api_version());
        let applier = Manager::applier(name_or_unknown(manager), self.subresource);
        let mut tried = managers.clone();
        let conflicts = match updater.apply(old, config, &version, &mut tried, &applier, force) {
            Ok(applied) => return Ok((applied, tried)),
            Err(Failure::Conflicts(conflicts)) => conflicts,
            Err(Failure::Failed(why)) => return Err(Refused::Failed(why)),
        };
        let allowed = if manager == last_applied::KUBECTL { self.last_applied(old, &version) } else { None };
        let Some(allowed) = allowed else { return Err(conflicts.to_status().into()) };
        let left = conflicts.outside(&allowed);
        if !left.0.is_empty() {
            return Err(left.to_status().into());
        }
        let mut managers = managers;
        let applied = updater.apply(old, config, &version, &mut managers, &applier, Force::Yes).map_err(refused)?;
        Ok((applied, managers))
    }

    /// The fields that are as the last client-side apply left them.
    fn last_applied(&self, old: &Typed<'_>, version: &str) -> Option<Set> {
        let config = last_applied::read(&old.value, version)?;
        let config = Typed { in_structs: false, value: Cow::Owned(config), ..old.clone() };
        config.validate().ok()?;
        last_applied::unchanged(&config, old)
    }

    fn settle_times(&self, managers: &mut Managers, applied: &mut Option<Value>, manager: &str, now: &str) {
        let applier = Manager::applier(name_or_unknown(manager), self.subresource);
        let Some(entry) = managers.get_mut(&applier) else { return };
        let set = std::mem::take(&mut entry.set).difference(&STRIPPED);
        if set.is_empty() {
            managers.take(&applier);
            return;
        }
        entry.own(set);
        if applied.is_some() {
            entry.time = Some(now.to_owned());
        }
    }

    /// Owners of an object that had none.
    fn before_first_apply(&self, live: Option<&Value>, now: &str) -> Result<Managers, Refused> {
        let mut managers = Managers::default();
        let (empty, old) = (self.live(None), self.live(live));
        let updater = self.updater();
        let changed = updater.changes(&empty, &old, &self.kind.api_version()).map_err(refused)?;
        self.own_changes(&updater, (&empty, &old), changed, &mut managers, BEFORE_FIRST_APPLY, now)
            .map_err(|failure| Refused::Failed(format!("failed to create manager for existing fields: {}", why(failure))))?;
        Ok(managers)
    }

    fn check_version(&self, patch: &Value) -> Result<(), Status> {
        let text = |field: &str| patch.get(field).and_then(Value::as_str).unwrap_or("");
        let said = match text("apiVersion") {
            // Upstream cannot tell what that is, nor then of which kind.
            odd if odd.matches('/').count() > 1 => GroupVersionKind::new("", "", ""),
            version => GroupVersionKind::from_api_version(version, text("kind")),
        };
        if said == *self.kind {
            return Ok(());
        }
        Err(Status::bad_request(format!("invalid object type: {}", full_kind(&said))))
    }

    fn updater(&self) -> Updater<'a> {
        let filter = self.filter;
        Updater { convert: self.convert, filter: Box::new(move |_| filter) }
    }

    fn live_value<'v>(&self, live: Option<&'v Value>) -> Cow<'v, Value> {
        live.map_or_else(
            || Cow::Owned(model::json::json!({"apiVersion": self.kind.api_version(), "kind": &*self.kind.kind})),
            Cow::Borrowed,
        )
    }

    /// The live object, or an empty one.
    fn live<'v>(&'v self, live: Option<&'v Value>) -> Typed<'v> {
        Typed { atoms: self.atoms, root: self.root, value: self.live_value(live), in_structs: self.in_structs }
    }

    /// An object, which is in the version of this manager.
    fn typed<'v>(&'v self, object: &'v Value) -> Typed<'v> {
        Typed { atoms: self.atoms, root: self.root, value: Cow::Borrowed(object), in_structs: self.in_structs }
    }
}

/// Whether a configuration says who manages what; upstream does not see what is no list of entries.
fn has_managed(patch: &Value) -> bool {
    let managed = patch.get("metadata").and_then(|metadata| metadata.get("managedFields")).and_then(Value::as_array);
    managed.is_some_and(|entries| entries.iter().all(Value::is_object))
}

fn managed_of(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get("managedFields").filter(|managed| managed.as_array().is_some_and(|entries| !entries.is_empty()))
}

fn name_or_unknown(manager: &str) -> &str {
    if manager.is_empty() { UNKNOWN } else { manager }
}

fn why(failure: Failure) -> String {
    match failure {
        Failure::Conflicts(conflicts) => conflicts.to_status().message,
        Failure::Failed(why) => why,
    }
}

fn refused(failure: Failure) -> Refused {
    match failure {
        Failure::Conflicts(conflicts) => conflicts.to_status().into(),
        Failure::Failed(why) => Refused::Failed(why),
    }
}

/// `default/web; apps/v1, Kind=Deployment`, as upstream's errors name an object.
fn described(object: &Value, kind: &GroupVersionKind) -> String {
    format!("{}/{}; {}", meta::namespace(object), meta::name(object), full_kind(kind))
}

/// `apps/v1, Kind=Deployment`; the core group is empty before the slash.
fn full_kind(kind: &GroupVersionKind) -> String {
    format!("{}/{}, Kind={}", kind.group, kind.version, kind.kind)
}
