//! What a Table shows of a resource: its columns and the cells of a row. Does not build the Table (`codec`).

use std::sync::Arc;

use catalog::custom::column;
use catalog::{Cells, columns};
use codec::shape;
use jiff::Timestamp;
use model::clock::rfc3339;
use model::json::json;
use model::{Value, meta};
use store::Entry;

use super::Row;

impl Row {
    /// Columns of a Table.
    pub fn columns(&self) -> Vec<shape::Column> {
        let column = |column: &catalog::Column| shape::Column {
            name: column.name.to_string(),
            type_name: column.kind.to_string(),
            format: column.format.to_string(),
            description: column.description.to_string(),
            priority: column.priority,
        };
        let own = self.sub().and_then(|sub| sub.table.as_ref()).map(|(columns, _)| columns);
        own.unwrap_or(&self.resource.columns).iter().map(column).collect()
    }

    /// Whether one object of a list is marked.
    pub fn marks(&self) -> bool {
        columns::mark(&self.resource.gvk.group, &self.resource.gvk.kind).is_some()
    }

    /// The name of the object of a list whose name a Table shows with a mark.
    pub fn marked(&self, entries: &[Arc<Entry>]) -> Option<String> {
        let mark = columns::mark(&self.resource.gvk.group, &self.resource.gvk.kind)?;
        let objects: Vec<Value> = entries.iter().filter_map(|entry| self.request_value(entry).ok()).collect();
        mark(&objects)
    }

    /// Conditions of a Table's row, null for none.
    pub fn conditions(&self, object: &Value) -> Value {
        let gvk = &self.resource.gvk;
        columns::conditions(&gvk.group, &gvk.kind).map_or(Value::Null, |conditions| conditions(object))
    }

    /// Cells of a Table's row. Of kinds that are served in several versions they are made of the stored one.
    pub fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let own = self.sub().and_then(|sub| sub.table.as_ref());
        match (own.map_or(self.resource.cells, |(_, cells)| Cells::Own(*cells)), self.custom()) {
            (Cells::Own(cells), _) if self.conversion.is_some() => match self.to_storage(object.clone()) {
                Ok(stored) => cells(&stored, now),
                Err(_) => cells(object, now),
            },
            (Cells::Own(cells), _) => cells(object, now),
            (Cells::Custom, Some(custom)) => column::row(&custom.cells, object, now),
            _ => vec![json!(meta::name(object)), json!(created(object, now))],
        }
    }
}

/// Creation time, as upstream shows it for kinds without columns of their own.
fn created(object: &Value, _now: Timestamp) -> String {
    match meta::text(object, "creationTimestamp").parse::<Timestamp>() {
        Ok(at) => rfc3339(at),
        Err(_) => "<unknown>".to_owned(),
    }
}
