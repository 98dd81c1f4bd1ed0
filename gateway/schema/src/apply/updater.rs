//! Who owns what after an update or an apply, and what an apply makes of the object.
//! Follows `merge/update.go` of structured-merge-diff. Knows nothing of metadata, times or the API server's habits.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use model::json::Value;

use super::managers::{Entry, Manager, Managers};
use super::typed::{Comparison, reconcile, with_named_fields};
use super::{Conflicts, Filter, Set, Typed, value};

/// Why an object cannot be had in another version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The version does not exist; who owns fields in it owns them no more.
    Version,
    /// The conversion failed.
    Failed(String),
}

/// Brings an object into another version.
pub type Convert<'a> = dyn Fn(&Value, &str) -> Result<Typed<'a>, Missing> + 'a;

/// Why an apply or update cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Others own what it would change.
    Conflicts(Conflicts),
    /// An object is not of its type, or no version converts.
    Failed(String),
}

/// Computes owners.
pub struct Updater<'a> {
    /// Brings objects into the versions of owners.
    pub convert: &'a Convert<'a>,
    /// Which fields count in which version.
    pub filter: Box<dyn Fn(&str) -> &'a Filter + 'a>,
}

fn failed(step: &str) -> impl Fn(String) -> Failure + '_ {
    move |why| Failure::Failed(format!("{step}: {why}"))
}

impl<'a> Updater<'a> {
    /// An object in a version; one that is in it already is not converted.
    fn versioned<'b>(&self, object: &Typed<'b>, version: &str) -> Result<Typed<'b>, Missing>
    where
        'a: 'b,
    {
        if object.value.get("apiVersion").and_then(Value::as_str) == Some(version) {
            return Ok(object.clone());
        }
        (self.convert)(&object.value, version)
    }

    /// Owners after a write made `new` of `live`: the writer owns what it changed.
    pub fn update(
        &self,
        live: &Typed<'_>,
        new: &Typed<'_>,
        version: &str,
        managers: &mut Managers,
        manager: &Manager,
    ) -> Result<(), Failure> {
        let changed = self.changes(live, new, version)?;
        self.update_by(live, new, version, changed, managers, manager)
    }

    /// What a write changed of the fields that count.
    pub(super) fn changes(&self, live: &Typed<'_>, new: &Typed<'_>, version: &str) -> Result<Comparison, Failure> {
        let compared = live.compare(new).map_err(failed("failed to compare objects"))?;
        Ok(filtered(compared, (self.filter)(version)))
    }

    /// [`Updater::update`] when it is known already what changed.
    pub(super) fn update_by(
        &self,
        live: &Typed<'_>,
        new: &Typed<'_>,
        version: &str,
        changed: Comparison,
        managers: &mut Managers,
        manager: &Manager,
    ) -> Result<(), Failure> {
        self.reconcile(live, managers)?;
        self.settle(live, new, version, &changed, managers, manager, Force::Yes)?;
        let (set, time) = managers.take(manager).map(|entry| (entry.set, entry.time)).unwrap_or_default();
        let set = set.difference(&changed.removed).union(changed.modified).union(changed.added);
        let set = (self.filter)(version).apply(set);
        if !set.is_empty() {
            managers.put(Entry::new(manager.clone(), version, false, set).at(time));
        }
        Ok(())
    }

    /// The object after an apply of `config`, nothing when that is the live one, and its owners.
    pub fn apply<'b>(
        &self,
        live: &Typed<'b>,
        config: &Typed<'b>,
        version: &str,
        managers: &mut Managers,
        manager: &Manager,
        force: Force,
    ) -> Result<Option<Value>, Failure>
    where
        'a: 'b,
    {
        self.reconcile(live, managers)?;
        let merged = live.merge(config).map_err(failed("failed to merge config"))?;
        let last = managers.take(manager);
        let set = (self.filter)(version).apply(config.field_set());
        let time = last.as_ref().and_then(|entry| entry.time.clone());
        managers.put(Entry::new(manager.clone(), version, true, set).at(time));
        let pruned = self.prune(merged, managers, version, last.as_ref()).map_err(failed("failed to prune fields"))?;
        let changed = self.changes(live, &pruned, version)?;
        self.settle(live, &pruned, version, &changed, managers, manager, force)?;
        Ok((!value::equal(&live.value, &pruned.value)).then(|| pruned.value.into_owned()))
    }

    /// Takes from others what changed, or says that it would; forgets what was removed.
    #[allow(clippy::too_many_arguments, reason = "as many facts as upstream's function of the same meaning takes")]
    fn settle(
        &self,
        live: &Typed<'_>,
        new: &Typed<'_>,
        version: &str,
        changed: &Comparison,
        managers: &mut Managers,
        manager: &Manager,
        force: Force,
    ) -> Result<(), Failure> {
        let mut versions: BTreeMap<String, Option<Cow<'_, Comparison>>> = BTreeMap::new();
        versions.insert(version.to_owned(), Some(Cow::Borrowed(changed)));
        let mut lost: Vec<(Manager, Set)> = Vec::new();
        for entry in managers.entries.iter().filter(|entry| entry.manager != *manager) {
            if !versions.contains_key(&entry.version) {
                let changed = self.changes_in(live, new, &entry.version)?;
                versions.insert(entry.version.clone(), changed.map(Cow::Owned));
            }
            let Some(compared) = versions.get(&entry.version).and_then(Option::as_ref) else { continue };
            let taken = entry.set.intersection(&compared.modified).union(entry.set.intersection(&compared.added));
            if !taken.is_empty() {
                lost.push((entry.manager.clone(), taken));
            }
        }
        if force == Force::No && !lost.is_empty() {
            return Err(Failure::Conflicts(Conflicts::of(lost)));
        }
        let lost: HashMap<Manager, Set> = lost.into_iter().collect();
        managers.entries.retain_mut(|entry| {
            if entry.manager == *manager {
                return !entry.set.is_empty();
            }
            // The version does not exist any more, so neither do its owners.
            let Some(compared) = versions.get(&entry.version).and_then(Option::as_ref) else { return false };
            if let Some(taken) = lost.get(&entry.manager) {
                let set = std::mem::take(&mut entry.set);
                entry.own(set.difference(taken));
            }
            if entry.set.intersects(&compared.removed) {
                let set = std::mem::take(&mut entry.set);
                entry.own(set.difference(&compared.removed));
            }
            !entry.set.is_empty()
        });
        Ok(())
    }

    /// What changed as another version sees it; nothing when that does not exist.
    fn changes_in(&self, live: &Typed<'_>, new: &Typed<'_>, version: &str) -> Result<Option<Comparison>, Failure> {
        let side = |object: &Typed<'_>, step: &str| match (self.convert)(&object.value, version) {
            Ok(converted) => Ok(Some(converted)),
            Err(Missing::Version) => Ok(None),
            Err(Missing::Failed(why)) => Err(Failure::Failed(format!("{step}: {why}"))),
        };
        let (Some(live), Some(new)) = (side(live, "failed to convert old object")?, side(new, "failed to convert new object")?)
        else {
            return Ok(None);
        };
        self.changes(&live, &new, version).map(Some)
    }

    /// Drops what the applier named last time, does not name now, and nobody else claims.
    fn prune<'b>(&self, merged: Typed<'b>, managers: &Managers, version: &str, last: Option<&Entry>) -> Result<Typed<'b>, String>
    where
        'a: 'b,
    {
        let Some(last) = last.filter(|last| !last.set.is_empty()) else { return Ok(merged) };
        let in_last = match self.plain(&merged, &last.version) {
            Ok(converted) => converted,
            Err(Missing::Version) => return Ok(merged),
            Err(Missing::Failed(why)) => return Err(format!("failed to convert merged object to last applied version: {why}")),
        };
        let named = |object: &Typed<'_>, set: &Set| with_named_fields(object.atoms, object.root, set);
        let pruned = in_last.without(&named(&in_last, &last.set));
        let pruned = self.add_back_owned(&in_last, pruned, &last.version, managers)?;
        let pruned = match self.plain(&pruned, &last.version) {
            Ok(pruned) => {
                // What the applier did not own it does not take along: items of lists and maps that others put there.
                let (before, after) = (named(&in_last, &in_last.field_set()), named(&in_last, &pruned.field_set()));
                in_last.without(&before.difference(&after).intersection(&named(&in_last, &last.set)))
            }
            Err(Missing::Version) => in_last,
            Err(Missing::Failed(why)) => return Err(format!("failed to convert pruned object to last applied version: {why}")),
        };
        self.plain(&pruned, version).map_err(|missing| match missing {
            Missing::Version => format!("no version {version}"),
            Missing::Failed(why) => why,
        })
    }

    /// Puts back what others claim, or the applier's new configuration. The version of the last apply comes first, because
    /// fields that are missing may be what conversion needs.
    fn add_back_owned<'b>(
        &self,
        merged: &Typed<'b>,
        pruned: Typed<'b>,
        first: &str,
        managers: &Managers,
    ) -> Result<Typed<'b>, String>
    where
        'a: 'b,
    {
        let mut by_version: BTreeMap<&str, Set> = BTreeMap::new();
        for entry in managers.iter() {
            let set = by_version.entry(&entry.version).or_default();
            *set = std::mem::take(set).union(entry.set.clone());
        }
        let mut owned: Vec<(&str, Set)> = by_version.into_iter().collect();
        owned.sort_by_key(|(version, _)| (*version != first, *version));
        let (mut merged, mut pruned) = (merged.clone(), pruned);
        for (version, set) in owned {
            merged = match self.plain(&merged, version) {
                Ok(converted) => converted,
                Err(Missing::Version) => continue,
                Err(Missing::Failed(why)) => return Err(format!("failed to convert merged object at version {version}: {why}")),
            };
            pruned = match self.plain(&pruned, version) {
                Ok(converted) => converted,
                Err(Missing::Version) => continue,
                Err(Missing::Failed(why)) => return Err(format!("failed to convert pruned object at version {version}: {why}")),
            };
            let named = |set: &Set| with_named_fields(merged.atoms, merged.root, set);
            let kept = named(&pruned.field_set()).union(named(&set));
            pruned = merged.without(&named(&merged.field_set()).difference(&kept));
        }
        Ok(pruned)
    }

    /// An object in a version, as what it says.
    fn plain<'b>(&self, object: &Typed<'b>, version: &str) -> Result<Typed<'b>, Missing>
    where
        'a: 'b,
    {
        self.versioned(object, version).map(Typed::written_out)
    }

    /// Brings the sets into the shape of today's types.
    fn reconcile(&self, live: &Typed<'_>, managers: &mut Managers) -> Result<(), Failure> {
        let mut roots: BTreeMap<String, Option<Typed<'_>>> = BTreeMap::new();
        for entry in &mut managers.entries {
            if !roots.contains_key(&entry.version) {
                let converted = match self.versioned(live, &entry.version) {
                    Ok(converted) => Some(converted),
                    // Owners in versions that are gone go by themselves.
                    Err(Missing::Version) => None,
                    Err(Missing::Failed(why)) => return Err(Failure::Failed(why)),
                };
                roots.insert(entry.version.clone(), converted);
            }
            let typed = roots.get(&entry.version).and_then(Option::as_ref);
            if let Some(set) = typed.and_then(|typed| reconcile(typed.atoms, typed.root, &entry.set)) {
                entry.own(set);
            }
        }
        managers.entries.retain(|entry| roots.get(&entry.version).is_some_and(Option::is_some));
        Ok(())
    }
}

/// Whether an apply takes what others own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// It does.
    Yes,
    /// It is refused.
    No,
}

fn filtered(compared: Comparison, filter: &Filter) -> Comparison {
    match filter {
        Filter::All => compared,
        filter => Comparison {
            removed: filter.apply(compared.removed),
            modified: filter.apply(compared.modified),
            added: filter.apply(compared.added),
        },
    }
}
