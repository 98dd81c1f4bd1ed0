//! structured-merge-diff's own tests, played: what its functions were asked and answered is recorded when this runs, by
//! `conformance/merge`, from the Go module. Then cases of our own.

use std::borrow::Cow;
use std::collections::HashMap;

use model::json::{Value, json};

use super::atoms::{Atom, AtomId, Atoms, Key, List, Member, Relationship, Scalar, Table};
use super::typed::{Typed, reconcile};
use super::updater::{Failure, Force, Missing, Updater};
use super::{Element, Entry, Filter, Manager, Managers, Set, fields, value};
use crate::upstream::recorded;

/// The types of one package's tests, by the numbers they have there.
struct Recorded {
    atoms: Atoms,
    by_number: HashMap<u64, AtomId>,
}

impl Recorded {
    fn of(lines: &[Value]) -> Self {
        let mut recorded = Self { atoms: Atoms::new(), by_number: HashMap::new() };
        let defined: Vec<&Value> = lines.iter().filter(|line| line.get("atom").is_some()).collect();
        for line in &defined {
            let id = recorded.atoms.reserve();
            recorded.by_number.insert(line["atom"].as_u64().unwrap(), id);
        }
        for line in defined {
            let atom = recorded.atom(line);
            let id = recorded.id(&line["atom"]);
            recorded.atoms.define(id, atom);
        }
        recorded
    }

    fn id(&self, number: &Value) -> AtomId {
        self.by_number[&number.as_u64().unwrap()]
    }

    fn atom(&self, line: &Value) -> Atom {
        let scalar = line.get("scalar").map(|scalar| match scalar.as_str().unwrap() {
            // One of upstream's tests misspells it, where no value is checked.
            "numeric" | "number" => Scalar::Numeric,
            "string" => Scalar::String,
            "boolean" => Scalar::Boolean,
            "untyped" => Scalar::Untyped,
            other => panic!("unknown scalar {other}"),
        });
        let list = line.get("list").map(|list| List {
            relationship: if list["atomic"] == true { Relationship::Atomic } else { Relationship::Associative },
            keys: list["keys"].as_array().unwrap().iter().map(key).collect(),
            item: self.id(&list["item"]),
        });
        let map = line.get("map").map(|map| {
            let members = map["fields"].as_object().unwrap().iter().map(|(name, number)| self.member(name, number)).collect();
            let table = Table::new(members, map.get("rest").map(|rest| self.id(rest)));
            Table { atomic: map["atomic"] == true, free: map["free"] == true, ..table }
        });
        Atom { scalar, list, map }
    }

    fn member(&self, name: &str, number: &Value) -> Member {
        Member { name: Cow::Owned(name.to_owned()), atom: self.id(number), zero: None, omits_empty: false }
    }

    fn typed(&self, root: &Value, value: &Value) -> Typed<'_> {
        Typed { atoms: &self.atoms, root: self.id(root), value: Cow::Owned(value.clone()), in_structs: false }
    }
}

fn key(key: &Value) -> Key {
    let name = key["name"].as_str().unwrap().to_owned();
    Key { name: Cow::Owned(name), default: Some(key["default"].clone()).filter(|value| !value.is_null()) }
}

fn set(fields: &Value) -> Set {
    fields::read(fields).unwrap()
}

#[test]
fn upstream_s_own_tests() {
    let (mut played, mut wrong) = (0, Vec::new());
    for lines in ["merge", "typed"].map(recorded) {
        let types = Recorded::of(&lines);
        for line in lines.iter().filter(|line| line.get("call").is_some()) {
            played += 1;
            if let Err(why) = play(&types, line) {
                wrong.push(format!("{why}\n  {line}"));
            }
        }
    }
    let shown = wrong.iter().take(6).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {played} differ:\n{shown}", wrong.len());
    assert!(played > 2000, "only {played} calls were recorded");
}

#[test]
fn the_oldest_updates_are_put_together_as_upstream_puts_them() {
    let mut capped = 0;
    for line in recorded("managedfields") {
        let mut managers = Managers::read(Some(&line["managers"])).unwrap();
        managers.cap_at(line["most"].as_u64().unwrap() as usize);
        let (found, wanted) = (managers.write().unwrap(), &line["after"]);
        assert_eq!(found.to_string(), wanted.to_string(), "{line}");
        capped += usize::from(line["managers"] != *wanted);
    }
    assert!(capped >= 6, "only {capped} of the recorded lists are too long");
}

#[test]
fn ten_updates_are_kept_apart() {
    let update = |number: usize| {
        let manager = Manager::updater(&format!("m{number:02}"), "v1", "");
        Entry::new(manager, "v1", false, fields::read(&json!({ format!("f:{number}"): {} })).unwrap())
            .at(Some(format!("2020-01-01T00:00:{number:02}Z")))
    };
    let mut managers = Managers::default();
    (0..10).for_each(|number| managers.put(update(number)));
    managers.put(Entry::new(Manager::applier("applier", ""), "v1", true, Set::default()));
    managers.cap();
    assert_eq!(managers.iter().count(), 11, "who applies does not count");
    managers.put(update(10));
    managers.cap();
    let written = managers.write().unwrap();
    let names: Vec<&str> = written.as_array().unwrap().iter().map(|entry| entry["manager"].as_str().unwrap()).collect();
    assert_eq!(names, ["applier", "ancient-changes", "m02", "m03", "m04", "m05", "m06", "m07", "m08", "m09", "m10"]);
    assert_eq!(written[1]["fieldsV1"], json!({"f:0": {}, "f:1": {}}));
    assert_eq!(written[1]["time"], "2020-01-01T00:00:01Z");
}

fn play(types: &Recorded, line: &Value) -> Result<(), String> {
    let live = types.typed(&line["root"], &line["live"]);
    let other = || types.typed(&line["root"], &line["new"]);
    match line["call"].as_str().unwrap() {
        "update" | "apply" => return updates(types, line),
        "compare" => {
            let found = live.compare(&other());
            same_failure(&line["error"], found.as_ref().err())?;
            if let Ok(found) = found {
                for (name, found) in [("removed", found.removed), ("modified", found.modified), ("added", found.added)] {
                    same(name, &line[name], &fields::write(&found))?;
                }
            }
        }
        "merge" => {
            let merged = live.merge(&other());
            same_failure(&line["error"], merged.as_ref().err())?;
            if let Ok(merged) = merged {
                same("object", &line["object"], &merged.value)?;
            }
        }
        "set" => same("set", &line["set"], &fields::write(&live.field_set()))?,
        "remove" => same("object", &line["object"], &live.without(&set(&line["set"])).value)?,
        "validate" => same_failure(&line["error"], live.validate().err().as_ref())?,
        "reconcile" => {
            let after = reconcile(live.atoms, live.root, &set(&line["set"]));
            same("after", &line["after"], &after.map_or(Value::Null, |after| fields::write(&after)))?;
        }
        other => return Err(format!("unknown call {other}")),
    }
    Ok(())
}

fn same(what: &str, wanted: &Value, found: &Value) -> Result<(), String> {
    // Sets are compared byte for byte, objects without regard to the order of their members.
    let text = |value: &Value| serde_json::to_string(value).unwrap();
    let equal = if what == "object" { value::equal(wanted, found) } else { text(wanted) == text(found) };
    if equal { Ok(()) } else { Err(format!("{what}: wanted {wanted}, found {found}")) }
}

/// Upstream's errors name types of Go's that only its tests have; that there is one is what counts.
fn same_failure(wanted: &Value, found: Option<&String>) -> Result<(), String> {
    if wanted.is_null() == found.is_none() { Ok(()) } else { Err(format!("error: wanted {wanted}, found {found:?}")) }
}

fn managers(of: &Value) -> Managers {
    let mut managers = Managers::default();
    for (name, said) in of.as_object().unwrap() {
        let version = said["version"].as_str().unwrap();
        managers.put(Entry::new(Manager::applier(name, ""), version, said["applied"] == true, set(&said["set"])));
    }
    managers
}

fn updates(types: &Recorded, line: &Value) -> Result<(), String> {
    let filters: HashMap<&str, Filter> = line["filters"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(version, fields)| (version.as_str(), Filter::Except(set(fields))))
        .collect();
    let all = Filter::All;
    let convert = |object: &Value, version: &str| {
        let said = line["conversions"].as_array().into_iter().flatten();
        let known = said.filter(|said| said["version"] == version).find(|said| value::equal(&said["from"], object));
        match known {
            Some(said) if said["missing"] == true => Err(Missing::Version),
            Some(said) if !said["error"].is_null() => Err(Missing::Failed(said["error"].to_string())),
            Some(said) => Ok(types.typed(&said["atom"], &said["to"])),
            None => Err(Missing::Failed(format!("upstream converts no {object} to {version}"))),
        }
    };
    let updater = Updater { convert: &convert, filter: Box::new(|version| filters.get(version).unwrap_or(&all)) };
    let (live, new) = (types.typed(&line["root"], &line["live"]), types.typed(&line["root"], &line["new"]));
    let (version, manager) = (line["version"].as_str().unwrap(), Manager::applier(line["manager"].as_str().unwrap(), ""));
    let mut after = managers(&line["managers"]);
    let outcome = if line["call"] == "update" {
        updater.update(&live, &new, version, &mut after, &manager).map(|()| Some(line["new"].clone()))
    } else {
        let force = if line["force"] == true { Force::Yes } else { Force::No };
        updater.apply(&live, &new, version, &mut after, &manager, force)
    };
    match outcome {
        Err(Failure::Conflicts(conflicts)) => {
            let path = |path: &[Element]| path.iter().map(ToString::to_string).collect::<String>();
            let mut found: Vec<String> =
                conflicts.0.iter().map(|conflict| format!("{} {}", conflict.manager.name, path(&conflict.path))).collect();
            let wanted = line["conflicts"].as_array().ok_or_else(|| format!("wanted no conflicts, found {found:?}"))?;
            let mut wanted: Vec<String> = wanted.iter().map(|text| text.as_str().unwrap().to_owned()).collect();
            // Upstream's order among owners is random.
            found.sort();
            wanted.sort();
            if found == wanted { Ok(()) } else { Err(format!("conflicts: wanted {wanted:?}, found {found:?}")) }
        }
        Err(Failure::Failed(why)) => same_failure(&line["error"], Some(&why)),
        Ok(object) => {
            same_failure(&line["error"], None)?;
            if line["call"] == "apply" {
                let found =
                    object.unwrap_or_else(|| if line.get("object").is_some() { line["live"].clone() } else { Value::Null });
                same("object", line.get("object").unwrap_or(&Value::Null), &found)?;
            }
            let found: model::json::Map = after.iter().map(|entry| (entry.manager.name.clone(), told(entry))).collect();
            same_owners(&line["after"], &found)
        }
    }
}

fn told(entry: &Entry) -> Value {
    json!({"applied": entry.applied, "set": fields::write(&entry.set), "version": entry.version})
}

fn same_owners(wanted: &Value, found: &model::json::Map) -> Result<(), String> {
    let wanted = wanted.as_object().unwrap();
    for (name, said) in wanted {
        same("owner", &sorted(said), &sorted(found.get(name).unwrap_or(&Value::Null)))?;
    }
    if wanted.len() == found.len() { Ok(()) } else { Err(format!("owners: wanted {wanted:?}, found {found:?}")) }
}

fn sorted(said: &Value) -> Value {
    if said.is_null() { Value::Null } else { json!([said["applied"], said["version"], said["set"]]) }
}
