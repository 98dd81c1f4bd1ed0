//! Reads the resource tables (`data/**/resources.txt`, `data/**/columns.txt`). Does not decide what is served: the importer
//! asked a real instance.
//!
//! A line of a resource table is one of
//! ```text
//! group <name, - for core>
//! version <version>
//! resource <plural> <Kind> <singular> <namespaced|cluster> [facts…]
//! <tab>sub <name> <Kind> [facts…]
//! ```
//! where versions and resources belong to the group and version above them, in the order of discovery.

use std::collections::HashMap;
use std::sync::Arc;

use model::name::{self, NameRule, Prefix};
use model::{GroupVersionKind, GroupVersionResource};
use schema::apply::Filter;
use schema::{Shape, Types};

use crate::resource::{Cells, Column, REGISTRY, Resource, Storage, Subresource};
use crate::strategy::{Garbage, Generation, Strategy};
use crate::{columns, hooks};

/// A line of a table that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("resource table, line {line}: {why}: {text}")]
pub struct ReadError {
    /// Counted from 1 within its table.
    pub line: usize,
    /// What is wrong.
    pub why: String,
    /// The line.
    pub text: String,
}

/// Column definitions by `plural.group`.
pub(crate) type Columns = HashMap<&'static str, Arc<[Column]>>;

pub(crate) fn columns(table: &'static str) -> Result<Columns, ReadError> {
    let mut all: HashMap<&'static str, Vec<Column>> = HashMap::new();
    let mut current = "";
    for (at, line) in table.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let fail = || ReadError {
            line: at + 1,
            why: "a column has a type, a format, a priority, a description and a name".to_owned(),
            text: line.to_owned(),
        };
        if let Some(name) = line.strip_prefix("columns ") {
            current = name;
            continue;
        }
        let line = line.trim_start_matches('\t');
        let (line, said) = line.split_once('\t').map_or((line, None), |(line, said)| (line, Some(said)));
        let mut words = line.splitn(5, ' ');
        let [Some(kind), Some(format), Some(priority), Some(field), Some(name)] =
            [words.next(), words.next(), words.next(), words.next(), words.next()]
        else {
            return Err(fail());
        };
        let format = if format == "-" { "" } else { format };
        let priority = priority.parse().map_err(|_| fail())?;
        let description = match said {
            Some(text) => serde_json::from_str::<String>(text).map_err(|_| fail())?.into(),
            None => description(field),
        };
        let column = Column { name: name.into(), kind: kind.into(), format: format.into(), description, priority };
        all.entry(current).or_default().push(column);
    }
    Ok(all.into_iter().map(|(name, columns)| (name, columns.into())).collect())
}

/// The columns of a kind without its own: Name and Created At.
pub(crate) fn default_columns() -> Arc<[Column]> {
    let [name, created] = of_metadata("Created At");
    [name, created].into()
}

/// The columns of a custom resource's Scale, of which upstream says more than of a built-in kind's.
pub(crate) fn scale_columns() -> Arc<[Column]> {
    let number = |name: &str, description: &str| Column {
        name: name.into(),
        kind: "integer".into(),
        format: "".into(),
        description: description.into(),
        priority: 0,
    };
    let [name, age] = of_metadata("Age");
    [name, number("Desired", "Number of desired replicas"), number("Available", "Number of actual replicas"), age].into()
}

/// The name, and the time of creation under a name of its own.
fn of_metadata(created: &str) -> [Column; 2] {
    [("Name", "string", "name", "name"), (created, "date", "", "creationTimestamp")].map(|(name, kind, format, field)| Column {
        name: name.into(),
        kind: kind.into(),
        format: format.into(),
        description: description(&format!("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta/{field}")),
        priority: 0,
    })
}

/// The description of a field that a column borrows, as `<struct>/<field>`; empty for none. The build script took them from
/// the same source as those of OpenAPI.
fn description(field: &str) -> Arc<str> {
    const ALL: &str = include_str!(concat!(env!("OUT_DIR"), "/columns.txt"));
    let line = ALL.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix('\t'));
    line.and_then(|text| serde_json::from_str::<String>(text).ok()).unwrap_or_default().into()
}

/// Reads a table's resources in its order.
pub(crate) fn resources(table: &'static str, columns: &Columns, types: &Types) -> Result<Vec<Resource>, ReadError> {
    let mut reader = Reader { group: "", version: "", types, columns, plain: default_columns(), all: Vec::new() };
    for (at, line) in table.lines().enumerate() {
        reader.line(line).map_err(|why| ReadError { line: at + 1, why, text: line.to_owned() })?;
    }
    Ok(reader.all)
}

struct Reader<'a> {
    group: &'static str,
    version: &'static str,
    types: &'a Types,
    columns: &'a Columns,
    plain: Arc<[Column]>,
    all: Vec<Resource>,
}

impl Reader<'_> {
    fn line(&mut self, line: &'static str) -> Result<(), String> {
        let words: Vec<&'static str> = line.trim_start_matches('\t').split(' ').collect();
        match words.as_slice() {
            ["group", name] => self.group = if *name == "-" { "" } else { name },
            ["version", name] => self.version = name,
            ["resource", plural, kind, singular, scope, facts @ ..] => {
                let resource = self.resource(plural, kind, singular, *scope == "namespaced", facts)?;
                self.all.push(resource);
            }
            ["sub", name, kind, facts @ ..] => {
                let subresource = self.subresource(name, kind, facts)?;
                self.all.last_mut().ok_or("a subresource before any resource")?.subresources.push(subresource);
            }
            [""] => {}
            [first, ..] if first.starts_with('#') => {}
            _ => return Err("unknown line".to_owned()),
        }
        Ok(())
    }

    fn resource(
        &self,
        plural: &str,
        kind: &'static str,
        singular: &str,
        namespaced: bool,
        facts: &[&'static str],
    ) -> Result<Resource, String> {
        let gvk = GroupVersionKind::new(self.group, self.version, kind);
        let name = if self.group.is_empty() { plural.to_owned() } else { format!("{plural}.{}", self.group) };
        let facts = Facts(facts);
        let own = self.columns.get(name.as_str());
        Ok(Resource {
            gvr: GroupVersionResource::new(self.group, self.version, plural),
            shape: self.shape(&gvk.api_version(), kind)?,
            list_kind: facts.text("list").into(),
            singular: singular.into(),
            short_names: facts.list("short"),
            categories: facts.list("categories"),
            namespaced,
            verbs: facts.list("verbs"),
            subresources: Vec::new(),
            storage: self.storage(&gvk, facts)?,
            computed: Some(facts.text("computed")).filter(|at| !at.is_empty()).map(|at| format!("{REGISTRY}{at}/").into()),
            storage_version_hash: facts.text("hash").into(),
            columns: own.unwrap_or(&self.plain).clone(),
            // Some kinds have a printer upstream that their registry does not use.
            cells: own.and_then(|_| columns::of(self.group, kind)).map_or(Cells::Plain, Cells::Own),
            strategy: strategy(facts)?,
            hooks: hooks::of(self.group, kind),
            custom: None,
            gvk,
        })
    }

    fn storage(&self, served: &GroupVersionKind, facts: Facts<'_>) -> Result<Option<Storage>, String> {
        let prefix = facts.text("prefix");
        if prefix.is_empty() {
            return Ok(None);
        }
        let upstream = facts.text("stored");
        let known = self
            .types
            .of_kind(upstream, &served.kind)
            .map(|ty| (GroupVersionKind::from_api_version(upstream, &served.kind), Shape::Struct(ty)));
        let (gvk, shape) = match known {
            Some(known) => known,
            None => (served.clone(), self.shape(&served.api_version(), &served.kind)?),
        };
        Ok(Some(Storage { prefix: format!("{REGISTRY}{prefix}/").into(), gvk, shape, upstream: upstream.into() }))
    }

    fn subresource(&self, name: &str, kind: &str, facts: &[&'static str]) -> Result<Subresource, String> {
        let facts = Facts(facts);
        let foreign = facts.text("gv");
        let own = model::gvk::join_api_version(self.group, self.version);
        let api_version = if foreign.is_empty() { own.as_str() } else { foreign };
        let gvk = GroupVersionKind::from_api_version(api_version, kind);
        let columns = self.columns.get(format!("{}.{}", kind.to_lowercase(), gvk.group).as_str());
        Ok(Subresource {
            name: name.into(),
            table: columns.cloned().zip(columns::of(&gvk.group, kind)),
            gvk,
            foreign: !foreign.is_empty(),
            verbs: facts.list("verbs"),
            shape: self.shape(api_version, kind)?,
            options: Some(facts.text("options")).filter(|o| !o.is_empty()).map(Into::into),
            takes_path: !facts.text("subpath").is_empty(),
            connect: facts.list("connect"),
            keeps: facts.kept(),
            only: None,
            names_again: facts.has("names-again"),
            resets: facts.resets(),
        })
    }

    fn shape(&self, api_version: &str, kind: &str) -> Result<Shape, String> {
        let ty = self.types.of_kind(api_version, kind);
        ty.map(Shape::Struct).ok_or_else(|| format!("no type for {api_version} {kind}"))
    }
}

fn strategy(facts: Facts<'_>) -> Result<Strategy, String> {
    let generation = match facts.text("generation") {
        "" => Generation::Never,
        "create" => Generation::Fixed,
        _ => Generation::Counts(facts.list("generation")),
    };
    let garbage = match facts.text("gc") {
        "" => Garbage::Background,
        "OrphanDependents" => Garbage::Orphan,
        "Unsupported" => Garbage::Unsupported,
        other => return Err(format!("unknown garbage collection {other}")),
    };
    Ok(Strategy {
        clears: facts.list("clears"),
        keeps: facts.kept(),
        resets: facts.resets(),
        generation,
        generation_given: facts.has("generation-given"),
        name: name_rule(facts.text("name"), facts.text("generate-name"))?,
        names_again: facts.has("names-again"),
        allow_create_on_update: facts.has("create-on-update"),
        allow_unconditional_update: facts.has("unconditional-update"),
        graceful: facts.has("graceful"),
        returns_deleted: facts.has("returns-deleted"),
        garbage,
    })
}

/// By what is said of names, and of what they are generated from where that is another rule. Every name is a path segment at
/// least; that is judged once all else is well.
fn name_rule(names: &str, generated: &str) -> Result<NameRule, String> {
    Ok(match (names, generated) {
        ("subdomain", "") => name::name_is_dns_subdomain,
        ("subdomain", "any") => |name, prefix| match prefix {
            Prefix::No => name::name_is_dns_subdomain(name, prefix),
            Prefix::Yes => Vec::new(),
        },
        ("label", "") => name::name_is_dns_label,
        // Only kinds of RBAC, whose rule does not care whether something will be appended.
        ("path", "") => |text, _| name::is_valid_path_segment_name(text),
        // Names that follow from the spec are the hook's to judge.
        ("any" | "own" | "", "") => |_, _| Vec::new(),
        other => return Err(format!("unknown name rule {other:?}")),
    })
}

#[derive(Clone, Copy)]
struct Facts<'a>(&'a [&'static str]);

impl Facts<'_> {
    fn has(self, word: &str) -> bool {
        self.0.contains(&word)
    }

    fn text(self, word: &str) -> &'static str {
        self.0.iter().find_map(|fact| fact.strip_prefix(word)?.strip_prefix('=')).unwrap_or("")
    }

    fn list(self, word: &str) -> Vec<Arc<str>> {
        self.text(word).split(',').filter(|item| !item.is_empty()).map(Into::into).collect()
    }

    /// What is declared to managedFields as reset.
    fn resets(self) -> Filter {
        Filter::except(self.text("reset").split(',').filter(|field| !field.is_empty()))
    }

    /// What a write leaves as stored: as seen by trying (`keeps`), and as declared to managedFields (`reset`), which also
    /// tells what trying could not show. System metadata is the path's own. Conditions are only ever declared so (of
    /// certificate requests): a signer does write some, and its hook knows which stay.
    fn kept(self) -> Vec<Arc<str>> {
        const NOT_KEPT: [&str; 3] = ["metadata", "metadata.deletionTimestamp", "status.conditions"];
        let mut all = self.list("keeps");
        let declared = self.list("reset").into_iter().filter(|f| !NOT_KEPT.contains(&&**f));
        for field in declared {
            if !all.contains(&field) {
                all.push(field);
            }
        }
        all
    }
}
