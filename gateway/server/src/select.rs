//! Which objects a list, a watch or a delete of many is about, judged by what the cache knows without parsing.
//! Follows `k8s.io/apiserver/pkg/storage/selection_predicate.go`.

use std::sync::Arc;

use model::Status;
use store::{Entry, Interest};

use crate::options::list::ListOptions;
use crate::row::Row;

const NAME: &str = "metadata.name";
const NAMESPACE: &str = "metadata.namespace";
const NODE_NAME: &str = "spec.nodeName";

/// What is selected.
#[derive(Clone)]
pub struct Selection {
    /// Where to look and what to look for.
    pub interest: Interest,
    /// The prefix of every key that can match.
    pub under: String,
    /// Whether nothing but the prefix narrows it: then what is left of a list can be counted.
    pub everything: bool,
}

impl Selection {
    /// From the namespace of the path (empty for all) and the selectors, whose fields are converted to stored ones.
    /// Fails with upstream's 400 for a field that the kind does not select by.
    pub fn new(row: &Row, namespace: &str, options: &mut ListOptions) -> Result<Self, Status> {
        model::name::path_parameter("Namespace", namespace)?;
        options.convert_fields(|field| row.stored_field(field))?;
        let exact = |field: &str| options.fields.exact(field).map(str::to_owned);
        let namespace = match namespace {
            "" if row.is_namespaced() => exact(NAMESPACE).unwrap_or_default(),
            _ if row.is_namespaced() => namespace.to_owned(),
            _ => String::new(),
        };
        let under = if namespace.is_empty() { row.prefix().to_owned() } else { format!("{}{namespace}/", row.prefix()) };
        let interest = Interest {
            namespace: (!namespace.is_empty()).then(|| namespace.into()),
            name: exact(NAME).map(Into::into),
            node: exact(NODE_NAME).map(Into::into),
            selector: selector(row, options),
        };
        let everything = options.labels.is_empty() && options.fields.is_empty();
        Ok(Self { interest, under, everything })
    }

    /// Whether an object is selected.
    pub fn matches(&self, entry: &Entry) -> bool {
        self.interest.matches(entry)
    }
}

fn selector(row: &Row, options: &ListOptions) -> Option<store::Selector> {
    if options.labels.is_empty() && options.fields.is_empty() {
        return None;
    }
    let (labels, fields) = (options.labels.clone(), options.fields.clone());
    let custom = (row.custom().is_some() && !fields.is_empty()).then(|| row.clone());
    Some(Arc::new(move |entry: &Entry| {
        let own = custom.as_ref().and_then(|row| row.fields_of(entry));
        let value = |field: &str| match (&own, field) {
            (_, NAME | NAMESPACE) | (None, _) => value_of(entry, field),
            // The header may be older than the definition.
            (Some(own), _) => own.get(field).map_or("", String::as_str),
        };
        labels.matches(|key| entry.header.labels.get(key)) && fields.matches(value)
    }))
}

fn value_of<'a>(entry: &'a Entry, field: &str) -> &'a str {
    match field {
        NAME => entry.key.name(),
        NAMESPACE => entry.key.namespace().unwrap_or(""),
        _ => entry.header.fields.get(field).unwrap_or(""),
    }
}
