//! Who owns which field of the objects of a row: the field manager of its kind and version, and how objects get into the
//! versions in which others own fields. The rules are `schema::apply`'s.

use std::borrow::Cow;

use model::field::is_printable;
use model::gvk::split_api_version;
use model::{Status, Value, meta};
use schema::apply::{FieldManager, Filter, Force, Missing, Typed};

use super::Row;
use crate::call::Call;

/// Longest name that is taken from a user agent, in bytes, as of a field manager's name.
const NAME_BYTES_MAX: usize = 128;

/// Who writes: what the request says, else what its user agent begins with.
pub(crate) fn manager(call: &Call, field_manager: &str) -> String {
    if !field_manager.is_empty() {
        return field_manager.to_owned();
    }
    let agent = call.header("user-agent");
    let program = agent.split('/').next().unwrap_or(agent);
    let mut name = String::new();
    for c in program.chars().filter(|c| is_printable(*c)) {
        if name.len() + c.len_utf8() > NAME_BYTES_MAX {
            break;
        }
        name.push(c);
    }
    name
}

impl Row {
    /// Writes the owners after an update into `new`; `live` is absent for a new object. Both are in the version of the
    /// request.
    pub(crate) fn track(&self, live: Option<&Value>, new: &mut Value, manager: &str, now: &str) {
        // What the way to the storage version and back adds to an object is its writer's too.
        let stored = self.conversion.and_then(|_| self.shown(self.to_storage(new.clone()).ok()?).ok());
        let Some(mut seen) = stored else {
            return self.with_field_manager(|fields| fields.update(live, new, manager, now));
        };
        self.with_field_manager(|fields| fields.update(live, &mut seen, manager, now));
        match meta::remove(&mut seen, "managedFields") {
            Some(owners) => meta::set(new, "managedFields", owners),
            None => drop(meta::remove(new, "managedFields")),
        }
    }

    /// What an apply patch makes of an object, in normal form, with its owners. Fails with conflicts and for patches that
    /// cannot be applied.
    pub(crate) fn apply(
        &self,
        live: Option<&Value>,
        patch: &Value,
        manager: &str,
        force: Force,
        now: &str,
    ) -> Result<Value, Status> {
        let apply = || self.with_field_manager(|fields| fields.apply(live, patch, manager, force, now)).map_err(Status::from);
        let mut object = apply()?;
        if self.form().decode(&mut object, &mut Vec::new()).is_err() {
            // Upstream makes the object of what was merged without going through text. What could be decoded that leads to as
            // well; only for the rest the way to it is gone once more.
            object = apply()?;
            let into = &mut object;
            let converted = self.form().restore(into, &mut Vec::new()).and_then(|()| self.form().decode(into, &mut Vec::new()));
            converted.map_err(|why| self.unconverted(patch, &why))?;
        }
        self.form().complete_merged(&mut object);
        Ok(object)
    }

    /// What upstream says of a merged object that does not fit its type.
    fn unconverted(&self, patch: &Value, why: &str) -> Status {
        let kind = self.kind();
        let (namespace, name) = (meta::namespace(patch), meta::name(patch));
        let kind = format!("{}/{}, Kind={}", kind.group, kind.version, kind.kind);
        let convert = format!("unable to convert unstructured object to {kind}: {why}");
        Status::new(500, "", format!("failed to convert new object ({namespace}/{name}; {kind}) to proper version: {convert}"))
    }

    fn with_field_manager<T>(&self, call: impl FnOnce(&FieldManager<'_>) -> T) -> T {
        let (atoms, root, in_structs) = self.form().shape().atoms(self.form().types());
        let convert = |object: &Value, version: &str| self.in_version(object, version);
        let filter = self.resets();
        call(&FieldManager {
            kind: self.kind(),
            subresource: self.subresource(),
            atoms,
            root,
            in_structs,
            convert: &convert,
            filter,
        })
    }

    /// What a write through this row never makes anybody's.
    fn resets(&self) -> &Filter {
        self.sub().map_or(&self.strategy().resets, |sub| &sub.resets)
    }

    /// An object of the request, in another version of the same resource.
    fn in_version<'a>(&'a self, object: &Value, version: &str) -> Result<Typed<'a>, Missing> {
        let failed = |status: Status| Missing::Failed(status.message);
        let said = object.get("apiVersion").and_then(Value::as_str).unwrap_or("");
        let from = self.version(said)?;
        let into = self.version(version)?;
        let mut value = object.clone();
        from.form().decode(&mut value, &mut Vec::new()).map_err(Missing::Failed)?;
        if let (true, Some(custom)) = (said != version, into.custom()) {
            // A converter is not asked for this: fields are taken to be spelt alike in all versions.
            super::form::say_kind(&mut value, &into.resource.gvk);
            into.coerce_to(custom, &into.resource.gvk.version, &mut value);
        } else if said != version {
            value = from.to_storage(value).and_then(|stored| into.shown(stored)).map_err(failed)?;
        }
        // The rows are made for this call; what their objects are made of lives as long as the catalog.
        let form = self.form();
        let (group, number) = split_api_version(version);
        let other = || form.shape_in(group, number, self.plural(), self.subresource());
        let shape = if version == self.kind().api_version() { Some(form.shape()) } else { other() };
        let (atoms, root, in_structs) = shape.ok_or(Missing::Version)?.atoms(form.types());
        Ok(Typed { atoms, root, value: Cow::Owned(value), in_structs })
    }

    /// The row of the same resource in another version.
    fn version(&self, api_version: &str) -> Result<Cow<'_, Self>, Missing> {
        if api_version == self.kind().api_version() {
            return Ok(Cow::Borrowed(self));
        }
        let (group, version) = split_api_version(api_version);
        let other = self.form().row_in(group, version, self.plural(), self.subresource());
        // What is stored elsewhere is another resource of the same name.
        other
            .filter(|other| other.prefix() == self.prefix() && other.kind().api_version() == api_version)
            .map(Cow::Owned)
            .ok_or(Missing::Version)
    }
}
