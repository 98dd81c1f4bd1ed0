//! `format.dns1123Label().validate(text)`: formats with a name. Follows `library/format.go`.

use std::sync::Arc;

use base64::Engine;
use model::content;
use model::name::{self, Prefix};

use super::opaque::Opaque;
use super::{Code, some, time, url};
use crate::value::{Outcome, Value};

/// A format.
#[derive(Debug)]
pub struct NamedFormat {
    pub(crate) name: &'static str,
    /// What it calls itself, by which two are compared.
    pub(crate) title: &'static str,
    faults: fn(&str) -> Vec<String>,
    /// How long upstream takes its regular expression to be, for the cost.
    pub(crate) regex_bytes: u64,
}

const FORMATS: [NamedFormat; 13] = [
    format("dns1123Label", "DNS1123Label", |text| name::name_is_dns_label(text, Prefix::No), 30),
    format("dns1123Subdomain", "DNS1123Subdomain", |text| name::name_is_dns_subdomain(text, Prefix::No), 60),
    format("dns1035Label", "DNS1035Label", |text| name::name_is_dns1035_label(text, Prefix::No), 30),
    format("qualifiedName", "QualifiedName", content::label_key, 60),
    format("dns1123LabelPrefix", "DNS1123LabelPrefix", |text| name::name_is_dns_label(text, Prefix::Yes), 30),
    format("dns1123SubdomainPrefix", "DNS1123SubdomainPrefix", |text| name::name_is_dns_subdomain(text, Prefix::Yes), 60),
    format("dns1035LabelPrefix", "DNS1035LabelPrefix", |text| name::name_is_dns1035_label(text, Prefix::Yes), 30),
    format("labelValue", "LabelValue", content::label_value, 40),
    format("uri", "URI", |text| url::Url::parse(text).err().into_iter().collect(), 1103),
    format("uuid", "uuid", |text| one(is_uuid(text), "does not match the UUID format"), 70),
    format("byte", "byte", |text| one(is_base64(text), "invalid base64"), 84),
    format("date", "date", |text| one(time::parse_date(text).is_ok(), "invalid date"), 71),
    format("datetime", "datetime", |text| one(time::parse_timestamp(text).is_ok(), "invalid datetime"), 71),
];

const fn format(name: &'static str, title: &'static str, faults: fn(&str) -> Vec<String>, regex_bytes: u64) -> NamedFormat {
    NamedFormat { name, title, faults, regex_bytes }
}

fn one(valid: bool, fault: &str) -> Vec<String> {
    if valid { Vec::new() } else { vec![fault.to_owned()] }
}

fn is_uuid(text: &str) -> bool {
    let mut rest = text;
    for (i, digits) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        match rest.get(..digits) {
            Some(part) if part.bytes().all(|b| b.is_ascii_hexdigit()) => rest = &rest[digits..],
            _ => return false,
        }
    }
    rest.is_empty()
}

fn is_base64(text: &str) -> bool {
    !text.is_empty() && base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}

fn named(name: &str) -> Option<&'static NamedFormat> {
    static TABLE: [NamedFormat; 13] = FORMATS;
    TABLE.iter().find(|format| format.name == name)
}

fn made<'a>(format: &'static NamedFormat) -> Value<'a> {
    Value::Opaque(Arc::new(Opaque::Format(format)))
}

pub(super) fn code(function: &str) -> Option<Code> {
    macro_rules! constant {
        ($name:literal) => {
            |_| named($name).map(|format| Ok(made(format)))
        };
    }
    Some(match function {
        "format.named" => |args| match args {
            [Value::String(name)] => some(Value::optional(named(name).map(made))),
            _ => None,
        },
        "validate" => validate,
        "format.dns1123Label" => constant!("dns1123Label"),
        "format.dns1123Subdomain" => constant!("dns1123Subdomain"),
        "format.dns1035Label" => constant!("dns1035Label"),
        "format.qualifiedName" => constant!("qualifiedName"),
        "format.dns1123LabelPrefix" => constant!("dns1123LabelPrefix"),
        "format.dns1123SubdomainPrefix" => constant!("dns1123SubdomainPrefix"),
        "format.dns1035LabelPrefix" => constant!("dns1035LabelPrefix"),
        "format.labelValue" => constant!("labelValue"),
        "format.uri" => constant!("uri"),
        "format.uuid" => constant!("uuid"),
        "format.byte" => constant!("byte"),
        "format.date" => constant!("date"),
        "format.datetime" => constant!("datetime"),
        _ => return None,
    })
}

fn validate<'a>(args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let [Value::Opaque(opaque), Value::String(text)] = args else { return None };
    let Opaque::Format(format) = &**opaque else { return None };
    let faults = (format.faults)(text);
    let faults = (!faults.is_empty()).then(|| Value::list(faults.into_iter().map(Value::text).collect()));
    some(Value::optional(faults))
}
