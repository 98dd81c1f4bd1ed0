//! Lists: of JSON with a declaration, or made by an expression. How they concatenate follows `x-kubernetes-list-type`.

use std::sync::Arc;

use model::json::Value as Json;

use super::{Members, Outcome, Value, convert, equal};
use crate::decl::{Decl, Kind, ListKind};
use crate::program::Error;

/// A list.
#[derive(Clone, Debug)]
pub enum List<'a> {
    /// JSON, with the declaration of the list.
    Json(&'a [Json], &'a Decl),
    /// Made by an expression.
    Made(Arc<Vec<Value<'a>>>),
}

impl<'a> List<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json(items, _) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<Outcome<'a>> {
        match self {
            Self::Json(items, decl) => items.get(at).map(|item| convert::declared(item, items_of(decl))),
            Self::Made(items) => items.get(at).map(|item| Ok(item.clone())),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Outcome<'a>> + '_ {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// All items.
    pub(crate) fn items(&self) -> Result<Vec<Value<'a>>, Error> {
        self.iter().collect()
    }

    pub(crate) fn kind(&self) -> &ListKind {
        match self {
            Self::Json(_, decl) => match decl.kind() {
                Kind::List(_, kind) => kind,
                _ => &ListKind::Atomic,
            },
            Self::Made(_) => &ListKind::Atomic,
        }
    }

    /// Whether an item equals a value.
    pub(crate) fn contains(&self, value: &Value<'a>) -> Result<bool, Error> {
        let mut failed = None;
        for item in self.iter() {
            match item.and_then(|item| equal::equal(&item, value)) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(false), Err)
    }

    /// `self + other`
    pub(crate) fn concat(&self, other: &List<'a>) -> Outcome<'a> {
        let mut items = self.items()?;
        match self.kind() {
            ListKind::Atomic => items.extend(other.items()?),
            ListKind::Set => {
                let other = other.items()?;
                let more = missing(&items, &other)?;
                items.extend(more);
            }
            ListKind::Map(keys) => {
                let mut places = equal::Places::of(&items, keys);
                for item in other.items()? {
                    match places.find(&items, &item) {
                        Some(at) => items[at] = item,
                        None => {
                            places.add(&item, items.len());
                            items.push(item);
                        }
                    }
                }
            }
        }
        Ok(Value::list(items))
    }
}

/// What of the second is not in the first, each once.
fn missing<'a>(items: &[Value<'a>], other: &[Value<'a>]) -> Result<Vec<Value<'a>>, Error> {
    let mut known = Members::of(items);
    let mut more = Vec::new();
    if known.all_marked() && other.iter().all(Members::finds_at_once) {
        for item in other {
            if !known.holds(item) {
                known.add(item);
                more.push(item.clone());
            }
        }
        return Ok(more);
    }
    for item in other {
        let same: Result<Vec<bool>, _> = items.iter().chain(&more).map(|known| equal::equal(known, item)).collect();
        if !same?.contains(&true) {
            more.push(item.clone());
        }
    }
    Ok(more)
}

/// The declaration of a list's items; data without a declaration has none further down either.
pub(crate) fn items_of(decl: &Decl) -> &Decl {
    match decl.kind() {
        Kind::List(items, _) => items,
        _ => decl,
    }
}
