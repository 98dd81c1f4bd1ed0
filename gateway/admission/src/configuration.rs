//! `--admission-control-config-file`: what the plugins that take a configuration are configured with, read once at the start.
//! A configuration of a plugin that does not run is not looked at. Plugins read their own (`builtin`); this finds and decodes it.
//! Follows `k8s.io/apiserver/pkg/admission/config.go` and, for the wording, `apimachinery/pkg/runtime`.

use std::path::{Path, PathBuf};

use catalog::facts;
use codec::{go_json, json, yaml};
use model::Value;
use model::field::{Errors, quote};
use schema::{Types, normal};

/// What the file itself may be.
const KINDS: [(&str, &str); 2] =
    [("apiserver.config.k8s.io/v1", "AdmissionConfiguration"), ("apiserver.k8s.io/v1alpha1", "AdmissionConfiguration")];
/// Plugins whose configuration was once all that the file held, with the field by which it is known.
const ALONE: [(&str, &str); 2] = [("ImagePolicyWebhook", "imagePolicy"), ("PodNodeSelector", "podNodeSelectorPluginConfig")];

/// A configuration that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file, or one that it names, cannot be read.
    #[error("unable to read admission control configuration from {path:?} [{why}]")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The file is not what it should be.
    #[error("failed to read plugin config: {0}")]
    File(String),
    /// What it says of a plugin is not what it should be.
    #[error("{step} admission plugin {plugin:?}: {why}")]
    Plugin {
        /// What upstream was about to do.
        step: &'static str,
        /// Whose configuration.
        plugin: &'static str,
        /// In upstream's words.
        why: String,
    },
}

/// Why a plugin cannot use its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    pub(crate) step: &'static str,
    pub(crate) why: String,
}

impl Unusable {
    /// It was read, and says what cannot be.
    pub(crate) fn said(why: String) -> Self {
        Self { step: "failed to initialize", why }
    }

    pub(crate) fn of(self, plugin: &'static str) -> Error {
        Error::Plugin { step: self.step, plugin, why: self.why }
    }
}

impl From<String> for Unusable {
    fn from(why: String) -> Self {
        Self { step: "couldn't init", why }
    }
}

/// How files are read; fails with what the system says.
pub type Reader<'r> = &'r dyn Fn(&Path) -> Result<String, String>;

/// The file: each plugin that it names, and where its configuration is.
#[derive(Debug, Default)]
pub struct File {
    plugins: Vec<(String, Source)>,
}

#[derive(Debug)]
enum Source {
    Nowhere,
    Here(String),
    Path(PathBuf),
}

impl File {
    /// Reads the file at a path. Fails where there is none, or it is none of admission.
    pub fn read(path: &Path, read: Reader<'_>) -> Result<Self, Error> {
        let text = read(path).map_err(|why| Error::Unreadable { path: path.to_owned(), why })?;
        let types = types().map_err(Error::File)?;
        match decode(&types, &text, &KINDS, Strictness::Strict) {
            Ok(file) => Ok(Self::of(&file, path.parent().unwrap_or(Path::new("")))),
            Err(fault) => {
                let alone = fault.of_another_kind.filter(|said| ALONE.iter().any(|(_, field)| said.get(field).is_some()));
                let plugin = |(plugin, _): (&str, &str)| (plugin.to_owned(), Source::Path(path.to_owned()));
                alone.map(|_| Self { plugins: ALONE.map(plugin).into() }).ok_or(Error::File(fault.why))
            }
        }
    }

    fn of(file: &Value, folder: &Path) -> Self {
        let text = |plugin: &Value, field: &str| plugin.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
        let source = |plugin: &Value| match (plugin.get("configuration"), text(plugin, "path")) {
            (Some(configuration), _) if !configuration.is_null() => Source::Here(configuration.to_string()),
            (_, path) if !path.is_empty() => Source::Path(folder.join(path)),
            _ => Source::Nowhere,
        };
        let plugins = file.get("plugins").and_then(Value::as_array).into_iter().flatten();
        Self { plugins: plugins.map(|plugin| (text(plugin, "name"), source(plugin))).collect() }
    }

    /// The configuration of a plugin as it is written; of two that name it the first. Fails where another file holds it that
    /// cannot be read.
    pub fn of_plugin(&self, plugin: &str, read: Reader<'_>) -> Result<Option<String>, Error> {
        match self.plugins.iter().find(|(name, _)| name == plugin) {
            None | Some((_, Source::Nowhere)) => Ok(None),
            Some((_, Source::Here(text))) => Ok(Some(text.clone())),
            Some((_, Source::Path(path))) => read(path).map(Some).map_err(|why| Error::Unreadable { path: path.clone(), why }),
        }
    }
}

/// Whether a field that nobody knows is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// It is dropped.
    Lenient,
    /// It is refused, and so is one that is there twice.
    Strict,
}

/// A configuration in normal form, which has to be of one of these kinds, given with their versions: a plugin's, or that of
/// encryption. Fails in the words of upstream's decoder.
pub fn document(text: &str, kinds: &[(&str, &str)], strictness: Strictness) -> Result<Value, String> {
    decode(&types()?, text, kinds, strictness).map_err(|fault| fault.why)
}

fn types() -> Result<Types, String> {
    facts::configuration_types().map_err(|error| error.to_string())
}

/// Why a text is no configuration.
struct Fault {
    why: String,
    /// What it is instead, where it can be read.
    of_another_kind: Option<Value>,
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Self { why, of_another_kind: None }
    }
}

fn decode(types: &Types, text: &str, kinds: &[(&str, &str)], strictness: Strictness) -> Result<Value, Fault> {
    let is_json = text.trim_start().starts_with('{');
    let (mut value, duplicates) = if is_json {
        let parsed = json::parse(text.as_bytes());
        let parsed = parsed.map_err(|error| format!("couldn't get version/kind; json parse error: {error}"))?;
        (parsed.value, parsed.duplicates)
    } else {
        let parsed = yaml::parse(text.as_bytes()).map_err(|error| error.to_string())?;
        (parsed.value, parsed.duplicates)
    };
    let (api_version, kind) = json::interpret(&value).map(|(version, kind)| (version.to_owned(), kind.to_owned()))?;
    let shown = || if is_json { text.to_owned() } else { sorted(&value) };
    let another = |why: String| Fault { why, of_another_kind: Some(value.clone()) };
    if kind.is_empty() {
        return Err(another(format!("Object 'Kind' is missing in '{}'", shown())));
    }
    if api_version.is_empty() {
        return Err(another(format!("Object 'apiVersion' is missing in '{}'", shown())));
    }
    let is_taken = kinds.contains(&(api_version.as_str(), kind.as_str()));
    let Some(ty) = types.of_kind(&api_version, &kind).filter(|_| is_taken) else {
        // Upstream says besides in which of its program's files the kinds are registered.
        let why = format!("no kind {} is registered for version {}", quote(&kind), quote(&api_version));
        return Err(another(why));
    };
    let mut unknown = Vec::new();
    normal::decode(types, ty, &mut value, &mut unknown)?;
    match normal::strict_error(&duplicates, &unknown).filter(|_| strictness == Strictness::Strict) {
        Some(why) => Err(why.into()),
        None => Ok(value),
    }
}

/// All faults of a configuration as one text, as Go's aggregates of errors are told; nothing without any.
pub(crate) fn aggregated(errors: &Errors) -> Option<String> {
    let mut told: Vec<String> = Vec::new();
    for error in errors.0.iter().map(ToString::to_string) {
        if !told.contains(&error) {
            told.push(error);
        }
    }
    match &told[..] {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("[{}]", several.join(", "))),
    }
}

fn sorted(value: &Value) -> String {
    let mut out = Vec::new();
    go_json::write_sorted(value, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests;
