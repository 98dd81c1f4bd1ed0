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
        let before = self.nodes.insert(uid.into(), Node { item: item.clone(), owners: owners.clone() }).map(|node| node.owners);
        let is_new = before.is_none();
        let mut suspects = Vec::new();
        let before = before.unwrap_or_default();
        if before != owners {
            suspects.extend(self.rewire(uid, &before, &owners));
            if owners.iter().any(|owner| !self.is_known(owner, &item)) {
                suspects.push(item.clone());
            }
        }
        if is_new {
            // Dependents that were seen before their owner may have named it wrongly.
            suspects.extend(self.misled(&item));
        }
        suspects.extend(self.transition(&item, object));
        suspects
    }

    /// Forgets an object; gives what is worth looking at now.
    pub(super) fn gone(&mut self, uid: &str) -> Vec<Arc<Item>> {
        self.ending.remove(uid);
        let Some(node) = self.nodes.remove(uid) else { return Vec::new() };
        for owner in &node.owners {
            self.unlink(&owner.uid, uid);
        }
        let waiting = node.owners.iter().filter(|owner| self.ending.contains(&owner.uid));
        let mut suspects: Vec<Arc<Item>> = waiting.filter_map(|owner| self.item(&owner.uid)).collect();
        suspects.extend(self.items_of(uid));
        suspects
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

    /// Whether the owner was seen, under the name that the reference gives it and where the dependent may refer to.
    fn is_known(&self, owner: &Owner, dependent: &Item) -> bool {
        self.nodes.get(&owner.uid).is_some_and(|node| may_own(&node.item, owner, dependent))
    }

    fn misled(&self, owner: &Item) -> Vec<Arc<Item>> {
        let wrong = |item: &Arc<Item>| {
            let references = self.nodes.get(&item.uid).map_or(&[][..], |node| &node.owners);
            references.iter().any(|reference| reference.uid == owner.uid && !may_own(owner, reference, item))
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

fn may_own(owner: &Item, reference: &Owner, dependent: &Item) -> bool {
    owner.name == reference.name && (owner.namespace.is_empty() || owner.namespace == dependent.namespace)
}

fn owners(object: &Value) -> Vec<Owner> {
    let text = |reference: &Value, field: &str| -> Box<str> { reference.get(field).and_then(Value::as_str).unwrap_or("").into() };
    let one = |reference: &Value| Owner {
        uid: text(reference, "uid"),
        name: text(reference, "name"),
        blocks: reference.get("blockOwnerDeletion").and_then(Value::as_bool) == Some(true),
    };
    meta::owner_references(object).iter().map(one).collect()
}
