//! How stored objects get into the version of a request, or into the part that a subresource shows, and back. Bytes are `row`'s.

use std::borrow::Cow;
use std::sync::Arc;

use catalog::columns;
use codec::partial::Fields;
use model::{Status, Value, meta};
use store::Entry;

use super::{Row, form, unreadable};
use crate::conversion;
use crate::gate::Gate;

impl Row {
    /// The object of an entry as writes handle it, with `apiVersion` and `kind`: of built-in kinds in the storage version, of
    /// custom resources in that of the request.
    pub async fn stored_value(&self, gate: &Gate, entry: &Arc<Entry>) -> Result<Value, Status> {
        if !self.asks_converter() {
            return self.parse(entry);
        }
        let converted = conversion::entries(gate, self, vec![entry.clone()]).await?;
        converted.first().map_or_else(|| self.parse(entry), |entry| self.of_converted().parse(entry))
    }

    /// The same, where nobody must be asked to convert.
    pub(crate) fn parse(&self, entry: &Entry) -> Result<Value, Status> {
        if let Some(custom) = self.custom() {
            return self.revived(custom, entry);
        }
        let mut value: Value = serde_json::from_slice(&entry.body).map_err(|error| unreadable(entry, &error))?;
        let kind = self.storage().map_or(&self.resource.gvk, |storage| &storage.gvk);
        form::say_kind(&mut value, kind);
        Ok(value)
    }

    /// Whether some fields of an entry can be read without the rest: where nothing is converted.
    pub(crate) fn shows_fields(&self) -> bool {
        self.custom().is_none() && self.conversion.is_none() && self.facet.is_none()
    }

    /// Some fields of an entry of such a row, besides what it is.
    pub(crate) fn read_fields(&self, entry: &Entry, fields: &Fields) -> Result<Value, Status> {
        let mut value = fields.read(&entry.body).map_err(|error| unreadable(entry, &error))?;
        form::say_kind(&mut value, self.kind());
        Ok(value)
    }

    /// What the cells and conditions of an entry are made of.
    pub fn table_value(&self, entry: &Entry) -> Result<Value, Status> {
        let reads = columns::reads(&self.resource.gvk.group, &self.resource.gvk.kind);
        match reads.is_whole() || !self.shows_fields() || self.sub().is_some() {
            true => self.request_value(entry),
            false => reads.read(&entry.body).map_err(|error| unreadable(entry, &error)),
        }
    }

    /// The object of an entry as the request sees it.
    pub fn request_value(&self, entry: &Entry) -> Result<Value, Status> {
        self.shown(self.parse(entry)?)
    }

    /// A stored object as the request sees it: in its version, or the part that a subresource shows. Most requests see
    /// what is stored.
    pub fn view<'a>(&self, stored: &'a Value) -> Result<Cow<'a, Value>, Status> {
        if let Some(facet) = self.facet {
            return (facet.view)(&self.resource, stored).map(Cow::Owned);
        }
        if self.is_seen_as_stored(stored) {
            return Ok(Cow::Borrowed(stored));
        }
        self.shown(stored.clone()).map(Cow::Owned)
    }

    /// The same of an object that nobody else needs.
    pub fn shown(&self, mut stored: Value) -> Result<Value, Status> {
        if let Some(facet) = self.facet {
            return (facet.view)(&self.resource, &stored);
        }
        if !self.is_seen_as_stored(&stored) {
            if let Some(conversion) = self.conversion {
                (conversion.from_storage)(&mut stored);
            }
            form::say_kind(&mut stored, self.kind());
        }
        Ok(stored)
    }

    fn is_seen_as_stored(&self, stored: &Value) -> bool {
        self.custom().is_some() || self.conversion.is_none() && form::says_kind(stored, self.kind())
    }

    /// A stored object as a write of the request begins from it: with owners where its view shows none.
    pub(crate) fn draft_view<'a>(&self, stored: &'a Value) -> Result<Cow<'a, Value>, Status> {
        let mut view = self.view(stored)?;
        if let Some(owners) = self.facet.and_then(|facet| facet.managers).and_then(|managers| managers(&self.resource, stored)) {
            meta::set(view.to_mut(), "managedFields", owners);
        }
        Ok(view)
    }

    /// What the request made of its view, as an object of the storage version.
    pub fn merge(&self, object: Value, current: &Value) -> Result<Value, Status> {
        match self.facet {
            Some(facet) => (facet.merge)(&self.resource, object, current),
            None => self.to_storage(object),
        }
    }

    /// An object of the request in the storage version.
    pub fn to_storage(&self, mut object: Value) -> Result<Value, Status> {
        let Some(storage) = self.storage().filter(|_| self.custom().is_none()) else { return Ok(object) };
        if let Some(conversion) = self.conversion {
            (conversion.to_storage)(&mut object);
            form::say_kind(&mut object, &storage.gvk);
            storage.shape.decode(self.form.types(), &mut object, &mut Vec::new()).map_err(Status::bad_request)?;
            self.form.fill_in(&storage.shape, &mut object);
            if let Some(default) = self.hooks().default {
                default(&mut object);
            }
        }
        form::say_kind(&mut object, &storage.gvk);
        Ok(object)
    }
}
