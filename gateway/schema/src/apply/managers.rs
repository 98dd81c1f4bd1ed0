//! The entries of `metadata.managedFields`: read, written in order, the oldest put together when there are many.
//! Follows `managedfields/internal/{managedfields,capmanagers}.go`. Does not say who owns what (`updater`).

use std::cmp::Ordering;
use std::collections::{HashMap, hash_map};

use model::json::{Map, Value};

use super::{Set, fields};

/// How many entries of updates are kept apart, as upstream.
const UPDATES_MAX: usize = 10;
/// Who the oldest updates are put down to.
const ANCIENT: &str = "ancient-changes";
/// What upstream's entries are made of.
const FIELDS_TYPE: &str = "FieldsV1";

/// How fields came to be owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// By an apply patch.
    Apply,
    /// By any other write.
    Update,
}

/// Who owns fields: what tells an entry apart from the others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Manager {
    /// `manager`
    pub name: String,
    /// `operation`
    pub operation: Operation,
    /// `apiVersion` of an update; empty for an apply, which has one entry whatever its version.
    pub api_version: String,
    /// `subresource`
    pub subresource: String,
}

/// One owner and its fields.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who.
    pub manager: Manager,
    /// The version in which the fields are spelt.
    pub version: String,
    /// Whether an apply patch set them.
    pub applied: bool,
    /// The fields.
    pub set: Set,
    /// When they were last set.
    pub time: Option<String>,
    /// The set as it was read, while it is still the same.
    read: Option<Value>,
}

/// All owners of an object's fields.
#[derive(Clone, Debug, Default)]
pub struct Managers {
    pub(super) entries: Vec<Entry>,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

impl Manager {
    /// An owner by an apply patch.
    pub fn applier(name: &str, subresource: &str) -> Self {
        Self {
            name: name.to_owned(),
            operation: Operation::Apply,
            api_version: String::new(),
            subresource: subresource.to_owned(),
        }
    }

    /// An owner by other writes.
    pub fn updater(name: &str, api_version: &str, subresource: &str) -> Self {
        Self {
            name: name.to_owned(),
            operation: Operation::Update,
            api_version: api_version.to_owned(),
            subresource: subresource.to_owned(),
        }
    }

    /// The order of upstream's identifiers, which are JSON texts of these fields.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let key = |manager: &Self| {
            let name = manager.name.bytes().chain([b'"']).collect::<Vec<_>>();
            (name, manager.operation, manager.api_version.clone(), manager.subresource.clone())
        };
        key(self).cmp(&key(other))
    }
}

impl Entry {
    /// An owner of a set.
    pub fn new(manager: Manager, version: &str, applied: bool, set: Set) -> Self {
        Self { manager, version: version.to_owned(), applied, set, time: None, read: None }
    }

    /// The same, set at a time.
    #[must_use]
    pub(super) fn at(self, time: Option<String>) -> Self {
        Self { time, ..self }
    }

    /// Replaces the set.
    pub(super) fn own(&mut self, set: Set) {
        self.set = set;
        self.read = None;
    }

    fn read(entry: &Value, at: usize) -> Result<Self, String> {
        let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or("");
        let operation = match text("operation") {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return Err("operation must be `Apply` or `Update`".to_owned()),
        };
        let version = text("apiVersion");
        if version.is_empty() {
            return Err("apiVersion must not be empty".to_owned());
        }
        match text("fieldsType") {
            FIELDS_TYPE => {}
            "" => return Err(format!("missing fieldsType in managed fields entry {at}")),
            other => return Err(format!("invalid fieldsType {} in managed fields entry {at}", model::field::quote(other))),
        }
        let fields = entry.get("fieldsV1");
        let set = fields::read(fields.unwrap_or(&Value::Null))
            .map_err(|why| format!("error decoding versioned set from {entry}: error decoding set: {why}"))?;
        let applied = operation == Operation::Apply;
        let manager = Manager {
            name: text("manager").to_owned(),
            operation,
            api_version: if applied { String::new() } else { version.to_owned() },
            subresource: text("subresource").to_owned(),
        };
        let time = entry.get("time").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { manager, version: version.to_owned(), applied, set, time, read: fields.cloned() })
    }

    fn write(self) -> Value {
        let mut entry = Map::with_capacity(7);
        let mut put = |field: &str, value: Value| drop(entry.insert(field.to_owned(), value));
        if !self.manager.name.is_empty() {
            put("manager", self.manager.name.into());
        }
        put("operation", self.manager.operation.as_str().into());
        put("apiVersion", self.version.into());
        if let Some(time) = self.time {
            put("time", time.into());
        }
        put("fieldsType", FIELDS_TYPE.into());
        put("fieldsV1", self.read.unwrap_or_else(|| fields::write(&self.set)));
        if !self.manager.subresource.is_empty() {
            put("subresource", self.manager.subresource.into());
        }
        Value::Object(entry)
    }

    fn order(&self, other: &Self) -> Ordering {
        let key = |entry: &Self| (entry.manager.operation, entry.time.clone());
        let names = |entry: &Self| (entry.manager.name.clone(), entry.version.clone(), entry.manager.subresource.clone());
        key(self).cmp(&key(other)).then_with(|| names(self).cmp(&names(other)))
    }
}

/// Whether the value of `metadata.managedFields` can be read.
///
/// # Errors
/// Why not.
pub fn check(managed: Option<&Value>) -> Result<(), String> {
    Managers::read(managed).map(drop)
}

impl Managers {
    /// Reads the value of `metadata.managedFields`; of two entries of one owner the last counts.
    ///
    /// # Errors
    /// What is malformed.
    pub fn read(managed: Option<&Value>) -> Result<Self, String> {
        let (mut managers, mut places) = (Self::default(), HashMap::new());
        for (at, entry) in managed.and_then(Value::as_array).into_iter().flatten().enumerate() {
            let entry = Entry::read(entry, at)?;
            match places.entry(entry.manager.clone()) {
                hash_map::Entry::Occupied(place) => managers.entries[*place.get()] = entry,
                hash_map::Entry::Vacant(place) => {
                    place.insert(managers.entries.len());
                    managers.entries.push(entry);
                }
            }
        }
        Ok(managers)
    }

    /// The value of `metadata.managedFields`; nothing when there are no owners.
    pub fn write(mut self) -> Option<Value> {
        if self.entries.is_empty() {
            return None;
        }
        self.entries.sort_by(Entry::order);
        Some(self.entries.into_iter().map(Entry::write).collect())
    }

    /// Forgets how the sets were spelt when they were read.
    #[must_use]
    pub(super) fn respelt(mut self) -> Self {
        self.entries.iter_mut().for_each(|entry| entry.read = None);
        self
    }

    /// Whether nobody owns anything.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every entry, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The entry of an owner.
    pub fn get(&self, manager: &Manager) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.manager == *manager)
    }

    pub(super) fn get_mut(&mut self, manager: &Manager) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.manager == *manager)
    }

    /// Sets the entry of an owner.
    pub fn put(&mut self, entry: Entry) {
        match self.get_mut(&entry.manager) {
            Some(slot) => *slot = entry,
            None => self.entries.push(entry),
        }
    }

    /// Removes the entry of an owner.
    pub fn take(&mut self, manager: &Manager) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.manager == *manager)?;
        Some(self.entries.remove(at))
    }

    /// Puts the oldest updates of each version together while there are too many of them.
    pub(super) fn cap(&mut self) {
        self.cap_at(UPDATES_MAX);
    }

    /// The same with another bound, as upstream's tests have it.
    pub(super) fn cap_at(&mut self, most: usize) {
        let mut updates: Vec<(Option<String>, Manager)> =
            self.entries.iter().filter(|entry| !entry.applied).map(|entry| (entry.time.clone(), entry.manager.clone())).collect();
        let mut count = updates.len();
        if count <= most {
            return;
        }
        updates.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.order(&b.1)));
        let mut first_of_version: Vec<Manager> = Vec::new();
        for (_, manager) in updates {
            if count <= most {
                return;
            }
            let Some(first) = first_of_version.iter().find(|first| first.api_version == manager.api_version).cloned() else {
                first_of_version.push(manager);
                continue;
            };
            self.merge_ancient(&first, &manager);
            count -= 1;
        }
    }

    fn merge_ancient(&mut self, first: &Manager, manager: &Manager) {
        let bucket = Manager::updater(ANCIENT, &manager.api_version, "");
        if self.get(&bucket).is_none()
            && let Some(entry) = self.take(first)
        {
            self.put(Entry { manager: bucket.clone(), ..entry });
        }
        let Some(merged) = self.take(manager) else { return };
        match self.get_mut(&bucket) {
            Some(entry) => {
                let former = std::mem::take(&mut entry.set);
                entry.own(merged.set.union(former));
                // The merged one is the more recent.
                entry.time = merged.time;
            }
            None => self.put(Entry { manager: bucket, read: None, ..merged }),
        }
    }
}
