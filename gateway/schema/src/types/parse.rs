//! Reads the text form of [`Types`]. Does not check that the types make sense: the importer derives them.

use std::collections::HashMap;

use model::Value;

use super::names::Names;
use super::{Field, Kind, ListType, Omit, PatchStrategy, Struct, TypeId, Types};

/// A line of a type table that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("type table, line {line}: {why}: {text}")]
pub struct ParseError {
    /// Counted from 1 within its table.
    pub line: usize,
    /// What is wrong.
    pub why: String,
    /// The line.
    pub text: String,
}

pub(super) fn tables(tables: &[&'static str]) -> Result<Types, ParseError> {
    let by_name = names(tables);
    let mut types = Types { by_name, ..Types::default() };
    for table in tables {
        for (at, line) in table.lines().enumerate() {
            read(&mut types, line).map_err(|why| ParseError { line: at + 1, why, text: line.to_owned() })?;
        }
    }
    for of in &mut types.structs {
        let fields = &of.fields;
        of.by_json = Names::of(&fields.iter().map(|field| field.json).collect::<Vec<_>>());
        of.by_proto = (0..fields.len() as u16).filter(|at| fields[usize::from(*at)].proto != 0).collect();
        of.by_proto.sort_by_cached_key(|at| {
            let field = &fields[usize::from(*at)];
            (0..=field.proto_in.len()).map(|level| field.proto_at(level)).collect::<Vec<_>>()
        });
    }
    Ok(types)
}

/// Structs refer to later ones, so names get their places first.
fn names(tables: &[&'static str]) -> HashMap<&'static str, TypeId> {
    let lines = tables.iter().flat_map(|table| table.lines());
    let names = lines.filter_map(|line| line.strip_prefix("type ")).filter_map(|rest| rest.split(' ').next());
    names.enumerate().map(|(at, name)| (name, TypeId(at as u32))).collect()
}

fn read(types: &mut Types, line: &'static str) -> Result<(), String> {
    if let Some(text) = line.strip_prefix('\t') {
        let field = field(types, text)?;
        types.structs.last_mut().ok_or("a field before any type")?.fields.push(field);
        return Ok(());
    }
    let mut words = line.split(' ');
    match words.next() {
        Some("kind") => {
            let (Some(api_version), Some(kind), Some(name)) = (words.next(), words.next(), words.next()) else {
                return Err("a kind has an apiVersion, a name and a type".to_owned());
            };
            let id = types.by_name.get(name).copied().ok_or_else(|| format!("no type {name}"))?;
            types.kinds.insert((api_version, kind), id);
        }
        Some("type") => types.structs.push(head(words)?),
        Some(word) if !word.is_empty() && !word.starts_with('#') => return Err(format!("unknown word {word}")),
        _ => {}
    }
    Ok(())
}

fn head(mut words: impl Iterator<Item = &'static str>) -> Result<Struct, String> {
    let (Some(name), Some(go_name)) = (words.next(), words.next()) else {
        return Err("a type has a name and a Go name".to_owned());
    };
    let (by_json, by_proto) = (Names::default(), Vec::new());
    let mut of =
        Struct { name, go_name, fields: Vec::new(), map_atomic: false, unions: None, published: true, by_json, by_proto };
    for word in words {
        match word.split_once('=') {
            Some(("map", kind)) => of.map_atomic = kind == "atomic",
            Some(("unions", text)) => of.unions = Some(json(text)?),
            None if word == "unpublished" => of.published = false,
            _ => return Err(format!("unknown fact {word}")),
        }
    }
    Ok(of)
}

fn field(types: &Types, text: &'static str) -> Result<Field, String> {
    let mut words = text.split(' ');
    let (Some(name), Some(go_name), Some(kind), Some(number)) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err("a field has a name, a Go name, a kind and a number".to_owned());
    };
    let (outer, inner) = number.rsplit_once('.').map_or((None, number), |(outer, inner)| (Some(outer), inner));
    let mut field = Field {
        json: name,
        go_name,
        kind: self::kind(types, kind.trim_start_matches('*'))?,
        pointer: kind.starts_with('*'),
        omit: Omit::Never,
        proto: parse_number(inner)?,
        proto_in: outer.map_or(Ok(Vec::new()), |outer| outer.split('.').map(parse_number).collect())?,
        go_in: Vec::new(),
        patch: None,
        list: None,
        map_type: None,
        required: false,
        format: None,
        default: None,
        schema_default: None,
        tells_empty: false,
        go_type: None,
    };
    for word in words {
        fact(&mut field, word)?;
    }
    Ok(field)
}

fn fact(field: &mut Field, word: &'static str) -> Result<(), String> {
    match word.split_once('=') {
        None if word == "required" => field.required = true,
        None if word == "omitempty" => field.omit = if field.omit == Omit::Zero { Omit::Zero } else { Omit::Empty },
        // Go leaves a field out when either tag says so; for a struct only `omitzero` ever does.
        None if word == "omitzero" => {
            field.omit = if field.omit == Omit::Empty && !is_struct(field) { Omit::Empty } else { Omit::Zero }
        }
        Some(("go", name)) => field.go_type = Some(name),
        Some(("in", names)) => field.go_in = names.split('.').collect(),
        Some(("patch", words)) => {
            let strategy = field.patch.get_or_insert(NO_PATCH);
            strategy.merge = words.split(',').any(|w| w == "merge");
            strategy.retain_keys = words.split(',').any(|w| w == "retainKeys");
        }
        Some(("key", key)) => field.patch.get_or_insert(NO_PATCH).key = Some(key),
        Some(("list", kind)) => field.list = Some(list(kind)?),
        Some(("map", kind)) => field.map_type = Some(kind),
        Some(("format", name)) => field.format = Some(name),
        Some(("default", text)) => field.default = Some(json(text)?),
        Some(("schema-default", text)) => field.schema_default = Some(json(text)?),
        _ => return Err(format!("unknown fact {word}")),
    }
    Ok(())
}

const NO_PATCH: PatchStrategy = PatchStrategy { merge: false, retain_keys: false, key: None };

fn is_struct(field: &Field) -> bool {
    matches!(field.kind, Kind::Struct(_) | Kind::Time | Kind::MicroTime | Kind::Quantity | Kind::IntOrString) && !field.pointer
}

fn list(kind: &'static str) -> Result<ListType, String> {
    match kind.split_once(':') {
        Some(("map", keys)) => Ok(ListType::Map(keys.split(',').collect())),
        None if kind == "atomic" => Ok(ListType::Atomic),
        None if kind == "set" => Ok(ListType::Set),
        _ => Err(format!("unknown list type {kind}")),
    }
}

fn kind(types: &Types, word: &str) -> Result<Kind, String> {
    if let Some(element) = word.strip_prefix("[]") {
        return Ok(Kind::List(Box::new(kind(types, element)?)));
    }
    if let Some(value) = word.strip_prefix("{}") {
        return Ok(Kind::Map(Box::new(kind(types, value)?)));
    }
    Ok(match word {
        "string" => Kind::String,
        "bool" => Kind::Bool,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "float64" => Kind::Float64,
        "quantity" => Kind::Quantity,
        "time" => Kind::Time,
        "microtime" => Kind::MicroTime,
        "duration" => Kind::Duration,
        "intorstring" => Kind::IntOrString,
        "raw" => Kind::RawExtension,
        "fields" => Kind::FieldsV1,
        "json" => Kind::Json,
        "bytes" => Kind::Bytes,
        name => Kind::Struct(types.by_name.get(name).copied().ok_or_else(|| format!("no type {name}"))?),
    })
}

fn parse_number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{text} is no protobuf number"))
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{text}: {error}"))
}
