//! Accepts the names that a definition wants, unless another one of its group has them. Follows `pkg/controller/status`.
//! Keeps the names that are taken, not the definitions: with a thousand of them, reading all for each would take minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::json::json;
use model::{Value, World, meta};

use super::{Condition, condition, is_true, read, resource, text, write_status};
use crate::feed::{Change, Listener, What};
use crate::queue::Queue;
use crate::runtime::{Context, Error, Next, Runtime};

const NAME: &str = "crd_naming_condition_controller";

/// Names that definitions of one group have, by definition.
type Taken = HashMap<String, Names>;

/// The names of one definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names {
    resources: Vec<String>,
    kinds: Vec<String>,
}

#[derive(Default)]
struct Naming {
    /// By group.
    taken: Mutex<HashMap<String, Taken>>,
    queue: Arc<Queue<String>>,
}

/// Adds the controller. One worker: two definitions must not be given one name at the same time.
pub(super) fn add(runtime: &mut Runtime) {
    let naming = Arc::new(Naming::default());
    let heard = naming.clone();
    let listener: Listener = Arc::new(move |change| heard.hear(change));
    runtime.listen(resource(), listener);
    let queue = naming.queue.clone();
    runtime.work(NAME, 1, queue, move |context, name: String| {
        let naming = naming.clone();
        Box::pin(async move { naming.reconcile(&context, &name).await })
    });
}

impl Naming {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Taken>> {
        // No change to the map is left half done by a panic that could strike there.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, change: &Change<'_>) {
        let name = meta::name(change.object);
        match change.what {
            What::Added | What::Modified => self.saw(change.object),
            What::Deleted => {
                let group = group_of(name);
                self.lock().entry(group.to_owned()).or_default().remove(name);
                self.others(group, name);
            }
        }
        self.queue.add(name.to_owned());
    }

    fn saw(&self, definition: &Value) {
        let name = meta::name(definition);
        self.lock().entry(group_of(name).to_owned()).or_default().insert(name.to_owned(), Names::accepted(definition));
    }

    /// What one definition lets go of another may take.
    fn others(&self, group: &str, name: &str) {
        let others: Vec<String> =
            self.lock().get(group).into_iter().flat_map(Taken::keys).filter(|n| *n != name).cloned().collect();
        others.into_iter().for_each(|other| self.queue.add(other));
    }

    async fn reconcile(&self, context: &Context, name: &str) -> Result<Next, Error> {
        let world: &dyn World = &*context.world;
        let Some(mut definition) = read(world, name).await? else { return Ok(Next::Wait) };
        let decided = match self.lock().get(group_of(name)) {
            Some(taken) => decide(&definition, taken),
            None => decide(&definition, &Taken::new()),
        };
        let Some(Decided { names, accepted, established }) = decided else { return Ok(Next::Wait) };
        if definition.pointer("/status/acceptedNames") == Some(&names) && accepted.is_in(&definition) {
            return Ok(Next::Wait);
        }
        let now = context.clock.now();
        accepted.set(&mut definition, now);
        if let Some(established) = established {
            established.set(&mut definition, now);
        }
        definition["status"]["acceptedNames"] = names;
        if let Some(written) = write_status(world, definition).await? {
            self.saw(&written);
            self.others(group_of(name), name);
        }
        Ok(Next::Wait)
    }
}

/// Everything behind the first dot of a definition's name.
fn group_of(name: &str) -> &str {
    name.split_once('.').map_or("", |(_, group)| group)
}

impl Names {
    fn accepted(definition: &Value) -> Self {
        let names = definition.pointer("/status/acceptedNames").unwrap_or(&Value::Null);
        let one = |field: &str| Some(text(names, field)).filter(|name| !name.is_empty()).map(str::to_owned);
        let short = strings(names, "shortNames").into_iter().map(str::to_owned);
        Self {
            resources: one("plural").into_iter().chain(one("singular")).chain(short).collect(),
            kinds: one("kind").into_iter().chain(one("listKind")).collect(),
        }
    }
}

fn strings<'a>(value: &'a Value, field: &str) -> Vec<&'a str> {
    value.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What the status should say.
struct Decided {
    names: Value,
    accepted: Condition,
    established: Option<Condition>,
}

/// Compares what is wanted with what is taken; nothing where the definition has what it wants.
fn decide(definition: &Value, taken: &Taken) -> Option<Decided> {
    let nothing = json!({});
    let wanted = definition.pointer("/spec/names").unwrap_or(&nothing);
    let have = definition.pointer("/status/acceptedNames").unwrap_or(&nothing);
    if wanted == have {
        return None;
    }
    let mut names = have.clone();
    let mut conflict: Option<(&'static str, String)> = None;
    let mut one = |field: &str, reason: &'static str, pick: fn(&Names) -> &[String], names: &mut Value| {
        let name = text(wanted, field);
        if name != text(have, field) && is_taken(name, taken, pick) {
            conflict = Some((reason, in_use(name)));
        } else {
            names[field] = name.into();
        }
    };
    one("plural", "PluralConflict", |names| &names.resources, &mut names);
    one("singular", "SingularConflict", |names| &names.resources, &mut names);
    let short = short_names(wanted, have, taken, &mut names);
    if let Some(why) = short {
        conflict = Some(("ShortNamesConflict", why));
    }
    let mut one = |field: &str, reason: &'static str, names: &mut Value| {
        let name = text(wanted, field);
        if name != text(have, field) && is_taken(name, taken, |names| &names.kinds) {
            conflict = Some((reason, in_use(name)));
        } else {
            names[field] = name.into();
        }
    };
    one("kind", "KindConflict", &mut names);
    one("listKind", "ListKindConflict", &mut names);
    copy(wanted, "categories", &mut names);
    let accepted = match conflict {
        Some((reason, why)) => Condition::new("NamesAccepted", "False", reason, why),
        None => Condition::new("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
    };
    let established = if is_true(definition, "Established") {
        None
    } else if accepted.status == "True" {
        Some(Condition::new("Established", "False", "Installing", "the initial names have been accepted"))
    } else if condition(definition, "Established").is_none() {
        Some(Condition::new("Established", "False", "NotAccepted", "not all names are accepted"))
    } else {
        None
    };
    Some(Decided { names, accepted, established })
}

fn is_taken(name: &str, taken: &Taken, pick: fn(&Names) -> &[String]) -> bool {
    taken.values().any(|names| pick(names).iter().any(|known| known == name))
}

fn in_use(name: &str) -> String {
    format!("{} is already in use", model::field::quote(name))
}

/// All of them or none; why not, where one is taken.
fn short_names(wanted: &Value, have: &Value, taken: &Taken, names: &mut Value) -> Option<String> {
    let own = strings(have, "shortNames");
    let foreign: Vec<String> = strings(wanted, "shortNames")
        .into_iter()
        .filter(|name| !own.contains(name) && is_taken(name, taken, |names| &names.resources))
        .map(in_use)
        .collect();
    match &foreign[..] {
        [] => {
            copy(wanted, "shortNames", names);
            None
        }
        [one] => Some(one.clone()),
        several => Some(format!("[{}]", several.join(", "))),
    }
}

fn copy(from: &Value, field: &str, to: &mut Value) {
    match (from.get(field), to.as_object_mut()) {
        (Some(value), Some(map)) => drop(map.insert(field.to_owned(), value.clone())),
        (None, Some(map)) => drop(map.shift_remove(field)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(plural: &str, kind: &str, short: &[&str]) -> Value {
        json!({
            "metadata": {"name": format!("{plural}.example.com")},
            "spec": {"names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List"), "shortNames": short}},
        })
    }

    fn taken() -> Taken {
        let mut first = definition("things", "Thing", &["t"]);
        first["status"]["acceptedNames"] = first["spec"]["names"].clone();
        [("things.example.com".to_owned(), Names::accepted(&first))].into()
    }

    #[test]
    fn free_names_are_accepted() {
        let decided = decide(&definition("others", "Other", &["o"]), &taken()).expect("a decision");
        assert_eq!((decided.accepted.status, decided.accepted.reason), ("True", "NoConflicts"));
        assert_eq!(decided.names, definition("others", "Other", &["o"])["spec"]["names"]);
        assert_eq!(decided.established.map(|c| (c.status, c.reason)), Some(("False", "Installing")));
        let mut settled = definition("others", "Other", &["o"]);
        settled["status"]["acceptedNames"] = settled["spec"]["names"].clone();
        assert!(decide(&settled, &taken()).is_none());
    }

    #[test]
    fn taken_names_are_refused_and_the_others_accepted() {
        let decided = decide(&definition("others", "Thing", &["t", "o"]), &taken()).expect("a decision");
        // The last conflict that is found is told, as upstream.
        assert_eq!((decided.accepted.status, decided.accepted.reason), ("False", "ListKindConflict"));
        assert_eq!(decided.accepted.message, "\"ThingList\" is already in use");
        assert_eq!(decided.names, json!({"plural": "others"}));
        assert_eq!(decided.established.map(|c| c.reason), Some("NotAccepted"));
    }

    #[test]
    fn short_names_come_together_or_not_at_all() {
        let decided = decide(&definition("others", "Other", &["t", "o"]), &taken()).expect("a decision");
        assert_eq!((decided.accepted.reason, &*decided.accepted.message), ("ShortNamesConflict", "\"t\" is already in use"));
        assert_eq!(decided.names.get("shortNames"), None);
    }
}
