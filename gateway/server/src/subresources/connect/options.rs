//! The options of a connection, which upstream makes of the query and of what follows the subresource in the path.
//! Follows `getRequestOptions` in `apiserver/pkg/endpoints/handlers` and the conversions of `url.Values` in apimachinery.
//! Does not judge them.

use model::field::quote;
use model::{Map, Query, RequestInfo, Value};
use schema::types::{Field, Kind};

use crate::row::Form;

/// Segments of a path before what a proxy passes on: the resource, the name and the subresource.
const SEGMENTS_BEFORE: usize = 3;
/// The field that takes what a proxy passes on.
const PATH: &str = "path";

/// Reads the options as an object in normal form. Fails with upstream's words for a number that is none.
pub(super) fn read(form: &Form, query: &Query, info: &RequestInfo) -> Result<Value, String> {
    let mut options = Map::new();
    let fields = form.shape().struct_type().map_or(&[][..], |ty| &form.types()[ty].fields);
    for field in fields.iter().filter(|field| !matches!(field.json, "kind" | "apiVersion")) {
        let value = if field.json == PATH { Some(passed_on(info).into()) } else { said(field, query)? };
        value.map(|value| options.insert(field.json, value));
    }
    let mut options = Value::Object(options);
    form.normalize(&mut options).map_err(|status| status.message)?;
    Ok(options)
}

fn said(field: &Field, query: &Query) -> Result<Option<Value>, String> {
    let given = || query.all(field.json);
    let several = |all: Vec<Value>| (!all.is_empty()).then_some(Value::Array(all));
    Ok(match &field.kind {
        Kind::Bool => query.flag(field.json).map(Value::from),
        Kind::List(inner) if **inner == Kind::Int32 => {
            several(given().flat_map(|value| value.split(',')).map(port).collect::<Result<Vec<Value>, String>>()?)
        }
        Kind::List(_) => several(given().map(Value::from).collect()),
        _ => query.get(field.json).map(Value::from),
    })
}

fn port(text: &str) -> Result<Value, String> {
    let why = match text.parse::<u16>() {
        Ok(port) if text.bytes().all(|byte| byte.is_ascii_digit()) => return Ok(port.into()),
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => "value out of range",
        _ => "invalid syntax",
    };
    Err(format!("cannot convert to []int32: strconv.ParseUint: parsing {}: {why}", quote(text)))
}

/// What a proxy passes on, with a slash in front, and behind where the request's path ends with one.
fn passed_on(info: &RequestInfo) -> String {
    let mut path = info.parts.get(SEGMENTS_BEFORE..).unwrap_or_default().join("/");
    if !path.is_empty() && !path.starts_with('/') {
        path.insert(0, '/');
    }
    if info.path.ends_with('/') && !path.ends_with('/') {
        path.push('/');
    }
    path
}

#[cfg(test)]
mod tests {
    use catalog::Catalog;
    use model::json::json;
    use std::sync::Arc;

    use super::*;
    use crate::row::Row;

    fn read_of(path: &str, query: &str) -> Result<Value, String> {
        let catalog = Arc::new(Catalog::builtin().expect("tables"));
        let query = Query::parse(query);
        let info = RequestInfo::parse("GET", path, &query).expect("a path");
        read(Row::find(&catalog, &info).expect("a row").form(), &query, &info)
    }

    #[test]
    fn options_are_read_off_query_and_path() {
        let pod = "/api/v1/namespaces/a/pods/p";
        for (path, query, options) in [
            (
                format!("{pod}/exec"),
                "stdin=&stdout=FALSE&tty=true&container=c&container=d&command=sh&command=-c",
                json!({"stdin": true, "tty": true, "container": "c", "command": ["sh", "-c"], "kind": "PodExecOptions"}),
            ),
            (format!("{pod}/attach"), "", json!({"kind": "PodAttachOptions"})),
            (
                format!("{pod}/portforward"),
                "ports=80,81&ports=82",
                json!({"ports": [80, 81, 82], "kind": "PodPortForwardOptions"}),
            ),
            (format!("{pod}/proxy/a/b/"), "path=x", json!({"path": "/a/b/", "kind": "PodProxyOptions"})),
            (format!("{pod}/proxy"), "", json!({"kind": "PodProxyOptions"})),
            ("/api/v1/nodes/n/proxy/logs".to_owned(), "", json!({"path": "/logs", "kind": "NodeProxyOptions"})),
        ] {
            let mut wanted = options;
            wanted["apiVersion"] = "v1".into();
            assert_eq!(read_of(&path, query).expect(query), wanted, "{path}?{query}");
        }
    }

    #[test]
    fn ports_are_numbers() {
        for (given, why) in
            [("x", "\"x\": invalid syntax"), ("70000", "\"70000\": value out of range"), ("", "\"\": invalid syntax")]
        {
            let told = format!("cannot convert to []int32: strconv.ParseUint: parsing {why}");
            assert_eq!(read_of("/api/v1/namespaces/a/pods/p/portforward", &format!("ports={given}")), Err(told));
        }
    }
}
