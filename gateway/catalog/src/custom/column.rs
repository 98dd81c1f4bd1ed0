//! The columns of a custom resource's Table: the name, then what its definition asks for.
//! Follows `apiextensions-apiserver/pkg/registry/customresource/tableconvertor`. Does not build the Table (`codec`).

use std::sync::Arc;

use jiff::Timestamp;
use model::{Value, meta};

use super::jsonpath::{self, Path};
use crate::columns;
use crate::read::default_columns;
use crate::resource::Column;

/// Where the value of a column is, and what type it is shown as.
#[derive(Clone, Debug)]
pub struct Cell {
    path: Path,
    kind: Arc<str>,
}

/// The columns of a version, from its `additionalPrinterColumns`; the age where it names none. A path that cannot be read
/// ends the list, as upstream.
pub fn columns(definitions: &[Value]) -> (Arc<[Column]>, Vec<Cell>) {
    let plain = default_columns();
    let [name, created] = &plain[..] else { return (plain, Vec::new()) };
    let (mut all, mut cells) = (vec![name.clone()], Vec::new());
    if definitions.is_empty() {
        let age = Column { name: "Age".into(), ..created.clone() };
        if let Ok(path) = Path::parse(".metadata.creationTimestamp") {
            cells.push(Cell { path, kind: age.kind.clone() });
        }
        all.push(age);
    }
    for definition in definitions {
        let text = |field: &str| definition.get(field).and_then(Value::as_str).unwrap_or("");
        let Ok(path) = Path::parse(text("jsonPath")) else { break };
        let description = match text("description") {
            "" => format!("Custom resource definition column (in JSONPath format): {}", text("jsonPath")).into(),
            own => own.into(),
        };
        let priority = definition.get("priority").and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok()).unwrap_or(0);
        let kind: Arc<str> = text("type").into();
        all.push(Column { name: text("name").into(), kind: kind.clone(), format: text("format").into(), description, priority });
        cells.push(Cell { path, kind });
    }
    (all.into(), cells)
}

/// The cells of an object's row.
pub fn row(cells: &[Cell], object: &Value, now: Timestamp) -> Vec<Value> {
    let values = cells.iter().map(|cell| {
        let found = cell.path.find(object).unwrap_or_default();
        found.first().map_or(Value::Null, |value| show(&cell.kind, value, now))
    });
    std::iter::once(Value::from(meta::name(object))).chain(values).collect()
}

fn show(kind: &str, value: &Value, now: Timestamp) -> Value {
    match (kind, value) {
        ("string", value) => jsonpath::print(value).into(),
        ("integer", Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            // Go cuts the fraction off.
            (None, Some(float)) => (float as i64).into(),
            (None, None) => Value::Null,
        },
        ("number", Value::Number(number)) => number.as_f64().map_or(Value::Null, Value::from),
        ("boolean", Value::Bool(_)) => value.clone(),
        ("date", Value::String(at)) => match at.parse::<Timestamp>() {
            Ok(_) => columns::since(at, now).into(),
            Err(_) if at.is_empty() || at == "null" => columns::since("", now).into(),
            Err(_) => "<invalid>".into(),
        },
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn values_are_shown_as_their_columns_say() {
        let definitions = [
            json!({"name": "Spec", "type": "string", "jsonPath": ".spec.text"}),
            json!({"name": "Map", "type": "string", "jsonPath": ".spec.map", "priority": 1, "description": "a map"}),
            json!({"name": "N", "type": "integer", "jsonPath": ".spec.n"}),
            json!({"name": "F", "type": "number", "jsonPath": ".spec.n"}),
            json!({"name": "B", "type": "boolean", "jsonPath": ".spec.b"}),
            json!({"name": "Wrong", "type": "boolean", "jsonPath": ".spec.n"}),
            json!({"name": "Old", "type": "date", "jsonPath": ".metadata.creationTimestamp"}),
            json!({"name": "Bad", "type": "date", "jsonPath": ".spec.text"}),
        ];
        let (columns, cells) = columns(&definitions);
        assert_eq!((&*columns[0].name, &*columns[0].format, columns[2].priority), ("Name", "name", 1));
        assert_eq!(&*columns[2].description, "a map");
        assert_eq!(&*columns[1].description, "Custom resource definition column (in JSONPath format): .spec.text");
        let object = json!({"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"text": "x", "map": {"a": 1}, "n": 3.5, "b": true}});
        let now = "2026-01-01T00:05:00Z".parse().expect("a time");
        assert_eq!(Value::from(row(&cells, &object, now)), json!(["a", "x", "{\"a\":1}", 3, 3.5, true, null, "5m", "<invalid>"]));
    }

    #[test]
    fn the_age_is_shown_where_nothing_else_is_asked_for() {
        let (columns, cells) = columns(&[]);
        assert_eq!(columns.iter().map(|c| &*c.name).collect::<Vec<_>>(), ["Name", "Age"]);
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        assert_eq!(row(&cells, &json!({"metadata": {"name": "a"}}), now), [json!("a"), Value::Null]);
    }
}
