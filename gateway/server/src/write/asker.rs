//! What a kind's rules ask about the request around an object: who writes it, what else they may do, in which namespace.
//! Judges nothing itself (`catalog::hooks`, `authz`).

use catalog::hooks::{Asked, Asker};
use model::field::Errors;
use model::{Attributes, Decision, Status, User, Value};

use crate::call::Call;
use crate::gate::Gate;
use crate::row::{Discipline, Row};

struct Around<'a> {
    gate: &'a Gate,
    call: &'a Call,
}

/// What of an object its author may not write.
pub(super) fn refused(gate: &Gate, call: &Call, row: &Row, new: &Value, old: Option<&Value>) -> Errors {
    let mut errors = Errors::new();
    let permit = match row.discipline() {
        Discipline::Whole => row.hooks().permit,
        Discipline::Status => row.hooks().permit_status,
        Discipline::Part => None,
    };
    if let Some(permit) = permit {
        permit(new, old, &Around { gate, call }, &mut errors);
    }
    errors
}

impl Asker for Around<'_> {
    fn user(&self) -> &User {
        &self.call.user
    }

    fn verb(&self) -> &str {
        self.call.info.verb.as_str()
    }

    fn namespace(&self) -> &str {
        &self.call.info.namespace
    }

    fn find_namespace(&self, name: &str) -> Result<Value, Status> {
        let namespaces = Row::named(self.gate, "", "v1", "namespaces").ok_or_else(Status::page_not_found)?;
        let key = crate::verbs::key(&namespaces, "", name)?;
        match self.gate.store.resource(namespaces.prefix()).get(key.as_str()) {
            Some(entry) => namespaces.parse(&entry),
            None => Err(Status::not_found(&namespaces.group_resource(), name)),
        }
    }

    fn may(&self, asked: &Asked<'_>) -> Result<(), Status> {
        let attributes = Attributes {
            verb: asked.verb.to_owned(),
            subresource: asked.subresource.to_owned(),
            namespace: asked.namespace.to_owned(),
            name: asked.name.to_owned(),
            ..self.call.attributes()
        };
        match self.gate.authz.decide(&attributes) {
            Decision::Allow(_) => Ok(()),
            refused => Err(authz::forbidden(&attributes, refused.reason())),
        }
    }

    fn may_act_for(&self, verb: &str, signer: &str) -> bool {
        let domain = signer.split('/').next().unwrap_or(signer);
        [signer.to_owned(), format!("{domain}/*")].into_iter().any(|name| {
            let asked = Attributes {
                user: self.call.user.clone(),
                verb: verb.to_owned(),
                name,
                group: "certificates.k8s.io".to_owned(),
                version: "*".to_owned(),
                resource: "signers".to_owned(),
                resource_request: true,
                ..Attributes::default()
            };
            self.gate.authz.decide(&asked).is_allowed()
        })
    }

    fn now(&self) -> i64 {
        self.call.now.as_second()
    }
}
