//! Who owns whom, as the watches tell it: what an event makes worth looking at. May lag behind the store and decides
//! nothing by itself.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use model::{GroupVersionResource, Value, meta};

use super::{FOREGROUND, ORPHAN};

type Uid = Box<str>;

/// An object by its place and uid.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Item {
    pub(super) resource: GroupVersionResource,
    pub(super) namespace: Box<str>,
    pub(super) name: Box<str>,
    pub(super) uid: Uid,
}

/// One owner reference.
#[derive(Clone, Debug, PartialEq)]
struct Owner {
    uid: Uid,
    group: Box<str>,
    kind: Box<str>,
    name: Box<str>,
    blocks: bool,
}

#[derive(Debug)]
struct Node {
    item: Arc<Item>,
    owners: Vec<Owner>,
}

/// The graph. Every object is in it, for its uid tells whether an owner exists.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: HashMap<Uid, Node>,
    /// Uids of dependents by the uid of their owner, whether that is known or not.
    dependents: HashMap<Uid, BTreeSet<Uid>>,
    /// Owners that are being deleted and wait for their dependents.
    ending: HashSet<Uid>,
    /// What objects of a resource say that they are.
    kinds: HashMap<GroupVersionResource, Box<str>>,
    /// Owners in another namespace by the uid of what names them, until somebody tells of it.
    misplaced: HashMap<Uid, Vec<Uid>>,
}

impl Graph {
    /// Takes in an object that is there; gives what is worth looking at now.
    pub(super) fn saw(&mut self, resource: &GroupVersionResource, object: &Value) -> Vec<Arc<Item>> {
        let (uid, owners) = (meta::uid(object), owners(object));
        let item = match self.nodes.get(uid) {
            Some(node) => node.item.clone(),
            None => Arc::new(Item {
                resource: resource.clone(),
                namespace: meta::namespace(object).into(),
                name: meta::name(object).into(),
                uid: uid.into(),
            }),
        };
        if !self.kinds.contains_key(resource)
            && let Some(kind) = object.get("kind").and_then(Value::as_str)
        {
            self.kinds.insert(resource.clone(), kind.into());
        }
        let before = self.nodes.insert(uid.into(), Node { item: item.clone(), owners: owners.clone() }).map(|node| node.owners);
        let is_new = before.is_none();
        let mut suspects = Vec::new();
        let before = before.unwrap_or_default();
        if before != owners {
            suspects.extend(self.rewire(uid, &before, &owners));
            let added = owners.iter().filter(|new| !before.iter().any(|old| old.uid == new.uid));
            let misplaced = added.filter(|new| self.nodes.get(&new.uid).is_some_and(|node| is_elsewhere(&node.item, &item)));
            self.misplaced(&item, misplaced.map(|owner| owner.uid.clone()).collect());
            if owners.iter().any(|owner| !self.is_known(owner, &item)) {
                suspects.push(item.clone());
            }
        }
        if is_new {
            // Dependents that were seen before their owner may have named it wrongly.
            let misled = self.misled(&item);
            for dependent in misled.iter().filter(|dependent| is_elsewhere(&item, dependent)) {
                self.misplaced(dependent, vec![item.uid.clone()]);
            }
            suspects.extend(misled);
        }
        suspects.extend(self.transition(&item, object));
        suspects
    }

    /// Forgets an object; gives what is worth looking at now.
    pub(super) fn gone(&mut self, uid: &str) -> Vec<Arc<Item>> {
        self.ending.remove(uid);
        self.misplaced.remove(uid);
        let Some(node) = self.nodes.remove(uid) else { return Vec::new() };
        for owner in &node.owners {
            self.unlink(&owner.uid, uid);
        }
        let waiting = node.owners.iter().filter(|owner| self.ending.contains(&owner.uid));
        let mut suspects: Vec<Arc<Item>> = waiting.filter_map(|owner| self.item(&owner.uid)).collect();
        suspects.extend(self.items_of(uid));
        suspects
    }

    /// The owners in another namespace that an object names, each told once.
    pub(super) fn take_misplaced(&mut self, uid: &str) -> Vec<Uid> {
        self.misplaced.remove(uid).unwrap_or_default()
    }

    fn misplaced(&mut self, dependent: &Item, owners: Vec<Uid>) {
        if !owners.is_empty() {
            self.misplaced.entry(dependent.uid.clone()).or_default().extend(owners);
        }
    }

    /// After the first lists: what refers to an owner that was not among them.
    pub(super) fn suspects(&self) -> Vec<Arc<Item>> {
        let lost = self.nodes.values().filter(|node| node.owners.iter().any(|owner| !self.is_known(owner, &node.item)));
        lost.map(|node| node.item.clone()).collect()
    }

    /// The dependents of an owner, and whether any of them blocks its end.
    pub(super) fn dependents(&self, owner: &str) -> (Vec<Arc<Item>>, bool) {
        let blocks = |uid: &Uid| self.nodes.get(uid).is_some_and(|node| node.owners.iter().any(|o| &*o.uid == owner && o.blocks));
        let blocked = self.dependents.get(owner).is_some_and(|dependents| dependents.iter().any(blocks));
        (self.items_of(owner), blocked)
    }

    /// Whether an object owns others, and whether one of those itself waits for its dependents.
    pub(super) fn has_dependents(&self, owner: &str) -> (bool, bool) {
        let Some(dependents) = self.dependents.get(owner) else { return (false, false) };
        (!dependents.is_empty(), dependents.iter().any(|uid| self.ending.contains(uid)))
    }

    /// Changes the links of a dependent; gives owners that it does not block any more.
    fn rewire(&mut self, uid: &str, before: &[Owner], after: &[Owner]) -> Vec<Arc<Item>> {
        for owner in before.iter().filter(|old| !after.iter().any(|new| new.uid == old.uid)) {
            self.unlink(&owner.uid, uid);
        }
        for owner in after {
            self.dependents.entry(owner.uid.clone()).or_default().insert(uid.into());
        }
        let freed = before.iter().filter(|old| old.blocks && !after.iter().any(|new| new.uid == old.uid && new.blocks));
        freed.filter_map(|owner| self.item(&owner.uid)).collect()
    }

    fn transition(&mut self, item: &Arc<Item>, object: &Value) -> Vec<Arc<Item>> {
        let finalizers = meta::finalizers(object);
        let deleted = meta::deletion_timestamp(object).is_some();
        if !(deleted && finalizers.contains(&FOREGROUND)) {
            self.ending.remove(&item.uid);
        } else {
            self.ending.insert(item.uid.clone());
        }
        let concerned = deleted && (finalizers.contains(&FOREGROUND) || finalizers.contains(&ORPHAN));
        if concerned { vec![item.clone()] } else { Vec::new() }
    }

    fn unlink(&mut self, owner: &str, dependent: &str) {
        let Some(dependents) = self.dependents.get_mut(owner) else { return };
        dependents.remove(dependent);
        if dependents.is_empty() {
            self.dependents.remove(owner);
        }
    }

    fn item(&self, uid: &str) -> Option<Arc<Item>> {
        self.nodes.get(uid).map(|node| node.item.clone())
    }

    fn items_of(&self, owner: &str) -> Vec<Arc<Item>> {
        self.dependents.get(owner).into_iter().flatten().filter_map(|uid| self.item(uid)).collect()
    }

    /// Whether the owner was seen, as what the reference says that it is and where the dependent may refer to.
    fn is_known(&self, owner: &Owner, dependent: &Item) -> bool {
        self.nodes.get(&owner.uid).is_some_and(|node| self.may_own(&node.item, owner, dependent))
    }

    fn may_own(&self, owner: &Item, reference: &Owner, dependent: &Item) -> bool {
        let kind = self.kinds.get(&owner.resource);
        owner.name == reference.name
            && !is_elsewhere(owner, dependent)
            && kind.is_none_or(|kind| *kind == reference.kind && *owner.resource.group == *reference.group)
    }

    fn misled(&self, owner: &Item) -> Vec<Arc<Item>> {
        let wrong = |item: &Arc<Item>| {
            let references = self.nodes.get(&item.uid).map_or(&[][..], |node| &node.owners);
            references.iter().any(|reference| reference.uid == owner.uid && !self.may_own(owner, reference, item))
        };
        self.items_of(&owner.uid).into_iter().filter(wrong).collect()
    }
}

#[cfg(test)]
impl Graph {
    pub(super) fn everything(&self) -> Vec<Arc<Item>> {
        self.nodes.values().map(|node| node.item.clone()).collect()
    }

    pub(super) fn is_ending(&self, uid: &str) -> bool {
        self.ending.contains(uid)
    }
}

/// Whether an owner lives in a namespace that the dependent is not in.
fn is_elsewhere(owner: &Item, dependent: &Item) -> bool {
    !owner.namespace.is_empty() && owner.namespace != dependent.namespace
}

fn owners(object: &Value) -> Vec<Owner> {
    let text = |reference: &Value, field: &str| -> Box<str> { reference.get(field).and_then(Value::as_str).unwrap_or("").into() };
    let one = |reference: &Value| Owner {
        uid: text(reference, "uid"),
        group: model::gvk::split_api_version(&text(reference, "apiVersion")).0.into(),
        kind: text(reference, "kind"),
        name: text(reference, "name"),
        blocks: reference.get("blockOwnerDeletion").and_then(Value::as_bool) == Some(true),
    };
    meta::owner_references(object).iter().map(one).collect()
}
