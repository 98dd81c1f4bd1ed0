//! A cluster made of files, for policies that read one: the objects of a case, and what its author says somebody may do.
//! Refuses what the binding does not name, as the server does.

use std::sync::Arc;
use std::time::Duration;

use admission::policy::binding::Binding;
use admission::policy::fields::Fields;
use admission::policy::trial;
use model::selector::label::Selector;
use model::{Value, meta};
use wasm::GroupVersionResource;
use wasm::reach::{Attributes, Decision, Place, Reach, Read, ReadError, Subject};

/// What rules call whoever makes the request.
pub(super) const REQUESTER: &str = "requester";

/// The cluster.
pub(super) struct Fake {
    /// Says how far the policy may look.
    binding: Binding,
    objects: Vec<(GroupVersionResource, Value)>,
    /// What is allowed: `verb`, `group`, `resource`, `namespace`, `name`, `user`; what is left out is any.
    allowed: Vec<Value>,
}

impl Fake {
    /// A cluster that holds these, as a binding reaches it.
    pub(super) fn of(objects: Vec<Value>, allowed: &Value, binding: &Binding) -> Result<Arc<dyn Reach>, String> {
        let of = |object: Value| {
            let request = trial::request(&Value::Null, &object).map_err(|why| format!("an object of the cluster: {why}"))?;
            Ok((request.resource, object))
        };
        let objects = objects.into_iter().map(of).collect::<Result<_, String>>()?;
        let binding = binding.clone();
        Ok(Arc::new(Self { binding, objects, allowed: allowed.as_array().cloned().unwrap_or_default() }))
    }

    fn found<'a>(&'a self, of: &'a GroupVersionResource, namespace: &'a str) -> impl Iterator<Item = &'a Value> {
        let same = move |resource: &GroupVersionResource| resource.group == of.group && resource.resource == of.resource;
        let inside = move |object: &Value| namespace.is_empty() || meta::namespace(object) == namespace;
        self.objects.iter().filter(move |(resource, object)| same(resource) && inside(object)).map(|(_, object)| object)
    }
}

impl Reach for Fake {
    fn get(&self, of: &GroupVersionResource, place: Place<'_>, paths: &[String], _: Duration) -> Read<Option<Vec<u8>>> {
        self.binding.may_read(&of.group, &of.resource, place.namespace).map_err(ReadError::Forbidden)?;
        let fields = Fields::handed(paths).map_err(ReadError::Invalid)?;
        let object = self.found(of, place.namespace).find(|object| meta::name(object) == place.selected);
        Ok(object.map(|object| fields.project(object)))
    }

    fn list(&self, of: &GroupVersionResource, place: Place<'_>, paths: &[String], _: Duration) -> Read<Vec<Vec<u8>>> {
        self.binding.may_read(&of.group, &of.resource, place.namespace).map_err(ReadError::Forbidden)?;
        let fields = Fields::handed(paths).map_err(ReadError::Invalid)?;
        let selector = Selector::parse(place.selected).map_err(|why| ReadError::Invalid(why.to_string()))?;
        let mut objects: Vec<&Value> = self.found(of, place.namespace).filter(|object| selector.matches_object(object)).collect();
        objects.sort_by_key(|object| (meta::namespace(object), meta::name(object)));
        Ok(objects.into_iter().map(|object| fields.project(object)).collect())
    }

    fn check(&self, who: &Subject, what: &Attributes, _: Duration) -> Result<Decision, String> {
        let user = match who {
            Subject::Requester => REQUESTER.to_owned(),
            Subject::ServiceAccount((namespace, name)) => format!("system:serviceaccount:{namespace}:{name}"),
        };
        let asked = [
            ("user", user.as_str()),
            ("verb", &what.verb),
            ("group", &what.group),
            ("resource", &what.resource),
            ("subresource", &what.subresource),
            ("namespace", &what.namespace),
            ("name", &what.name),
        ];
        Ok(Decision { allowed: allows(&self.allowed, &asked), reason: String::new() })
    }
}

/// Whether one of an author's rules allows something: each field is what the rule says, or the rule does not say.
pub(super) fn allows(rules: &[Value], asked: &[(&str, &str)]) -> bool {
    let fits = |rule: &Value| asked.iter().all(|(field, value)| rule[field].as_str().is_none_or(|wanted| wanted == *value));
    rules.iter().any(fits)
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;

    #[test]
    fn what_is_read_comes_as_the_server_hands_it_over() {
        let spec = json!({"clusterReads": [{"apiGroups": [""], "resources": ["pods"]}]});
        let binding = Binding::from_object(&json!({"metadata": {"name": "b"}, "spec": spec})).unwrap();
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "x", "labels": {"b": "c"}}});
        let fake = Fake::of(vec![pod.clone()], &Value::Null, &binding).unwrap();
        let of = GroupVersionResource { group: String::new(), version: "v1".to_owned(), resource: "pods".to_owned() };
        let get = |fields: &[&str]| {
            let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
            let read = fake.get(&of, Place { namespace: "x", selected: "a" }, &fields, Duration::ZERO).unwrap().unwrap();
            serde_json::from_slice::<Value>(&read).unwrap()
        };
        assert_eq!(get(&[]), pod);
        let part = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"b": "c"}}});
        assert_eq!(get(&["metadata.labels"]), part);
    }
}
