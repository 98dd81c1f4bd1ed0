//! Which media type a body has and which one an answer gets. Follows `apiserver/pkg/endpoints/handlers/negotiation` and
//! the `Accept` parser it uses. Encodes nothing, knows no resource.

use model::Status;
use model::status::Details;

#[cfg(test)]
mod tests;

/// An encoding of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Media {
    /// `application/json`
    Json,
    /// `application/yaml`
    Yaml,
    /// `application/vnd.kubernetes.protobuf`
    Protobuf,
}

impl Media {
    /// Every encoding, in the order in which upstream prefers and lists them.
    pub const ALL: &'static [Media] = &[Media::Json, Media::Yaml, Media::Protobuf];

    /// The `Content-Type` of an answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }

    fn subtype(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Protobuf => "vnd.kubernetes.protobuf",
        }
    }
}

/// The kind that a client wants an answer turned into: `;as=Table;g=meta.k8s.io;v=v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Convert {
    /// `g`
    pub group: String,
    /// `v`
    pub version: String,
    /// `as`
    pub kind: String,
}

impl Convert {
    /// Whether this is a kind of `meta.k8s.io` in a version that is served.
    pub fn is_meta(&self, kind: &str) -> bool {
        self.group == "meta.k8s.io" && matches!(self.version.as_str(), "v1" | "v1beta1") && self.kind == kind
    }

    /// Whether this is `PartialObjectMetadata` or its list.
    pub fn is_partial(&self) -> bool {
        self.is_meta("PartialObjectMetadata") || self.is_meta("PartialObjectMetadataList")
    }
}

/// How an answer is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The encoding.
    pub media: Media,
    /// Indented, because the media type says `pretty=1`; see [`wants_pretty`] for the other reasons.
    pub pretty: bool,
    /// Into what objects are turned first.
    pub convert: Option<Convert>,
    /// `stream`: `watch` or empty.
    pub stream: String,
    /// `profile` of discovery.
    pub profile: String,
}

impl Output {
    fn plain(media: Media) -> Self {
        Self { media, pretty: false, convert: None, stream: String::new(), profile: String::new() }
    }

    /// The `Content-Type` header of the answer.
    pub fn content_type(&self) -> String {
        match &self.convert {
            // Upstream names the conversion only for discovery.
            Some(convert) if convert.group == "apidiscovery.k8s.io" => {
                format!("{};g={};v={};as={}", self.media.as_str(), convert.group, convert.version, convert.kind)
            }
            _ => self.media.as_str().to_owned(),
        }
    }
}

/// What an endpoint can turn its objects into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Resources: Table and partial metadata.
    Resource,
    /// Reviews, and subresources that are neither a status nor a scale: partial metadata alone.
    NoColumns,
    /// Custom resources: the same as resources, and protobuf for partial metadata only.
    Custom,
    /// Nothing: options, versions, discovery in its old form.
    Plain,
    /// Aggregated discovery.
    Discovery,
    /// Failures: whatever the request asked for, they are turned into nothing else.
    Failure,
    /// A page about the process: an object of this kind of `config.k8s.io`, and only where it is asked for by name.
    Page(&'static str),
}

impl Endpoint {
    fn allows(self, convert: Option<&Convert>) -> bool {
        match (self, convert) {
            (Self::Page(_), None) => false,
            (_, None) => true,
            (Self::Page(kind), Some(convert)) => {
                let known = convert.group == "config.k8s.io" && matches!(convert.version.as_str(), "v1alpha1" | "v1beta1");
                known && convert.kind == kind
            }
            (Self::Resource | Self::Custom, Some(convert)) => convert.is_meta("Table") || convert.is_partial(),
            (Self::NoColumns, Some(convert)) => convert.is_partial(),
            (Self::Plain | Self::Failure, Some(_)) => false,
            (Self::Discovery, Some(convert)) => {
                convert.group == "apidiscovery.k8s.io" && convert.version == "v2" && convert.kind == "APIGroupDiscoveryList"
            }
        }
    }
}

/// Chooses how to answer; `accept` is empty when the header is absent. Fails with 406.
pub fn output(accept: &str, endpoint: Endpoint) -> Result<Output, Status> {
    choose(accept, endpoint).ok_or_else(|| Status::not_acceptable(&spoken()))
}

/// That what was chosen can frame the events of a watch. Fails with 406, which upstream says when a watch begins.
pub fn streamed(output: &Output) -> Result<(), Status> {
    match output.media {
        Media::Yaml => {
            Err(Status::not_acceptable(&["application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"]))
        }
        Media::Json | Media::Protobuf => Ok(()),
    }
}

/// Chooses how to write a page about the process; `None` is text, which `*/*` and no header at all mean too. Fails with 406.
pub fn page(accept: &str, kind: &'static str) -> Result<Option<Output>, Status> {
    if accept.trim().is_empty() {
        return Ok(None);
    }
    let written = |clause: &Clause<'_>| {
        let object = [Media::Json, Media::Yaml].into_iter().filter(|media| clause.takes("application", media.subtype()));
        let mut object = object.filter_map(|media| clause.output(media, Endpoint::Page(kind)));
        let text = || clause.takes("text", "plain") && clause.params.iter().all(|(key, _)| !matches!(*key, "as" | "g" | "v"));
        object.next().map(Some).or_else(|| text().then_some(None))
    };
    let spoken = ["application/json", "application/yaml", "text/plain"];
    clauses(accept).iter().find_map(written).ok_or_else(|| Status::not_acceptable(&spoken))
}

/// The first of the offered media types that the reader takes, whatever its parameters; for documents that stand ready.
pub fn pick<'o>(accept: &str, offered: &[&'o str]) -> Option<&'o str> {
    let accept = if accept.is_empty() { "*/*" } else { accept };
    clauses(accept).iter().find_map(|clause| {
        let taken = |media: &&&str| media.split_once('/').is_some_and(|(main, sub)| clause.takes(main, sub));
        offered.iter().find(taken).copied()
    })
}

/// What a route of a resource can be written as, streams included where it may watch.
pub const STREAMED: [&str; 5] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];

/// Whether a route that offers these media types is for this reader: upstream's router compares them as they are written
/// (`emicklei/go-restful`), before anything is negotiated, and knows no `application/*`. Fails with its 406.
pub fn route(accept: &str, offered: &[&str]) -> Result<(), Status> {
    let names = accept.split(',').map(|part| part.split(';').next().unwrap_or("").trim());
    if accept.is_empty() || names.into_iter().any(|name| name == "*/*" || offered.contains(&name)) {
        return Ok(());
    }
    let message = format!("406: Not Acceptable\n\nAvailable representations: {}", offered.join(", "));
    Err(Status::new(406, "NotAcceptable", message).with_details(Details::default()))
}

/// The encodings as refusals list them.
fn spoken() -> Vec<&'static str> {
    Media::ALL.iter().map(|m| m.as_str()).collect()
}

fn choose(accept: &str, endpoint: Endpoint) -> Option<Output> {
    if accept.is_empty() {
        return Some(Output::plain(Media::Json));
    }
    clauses(accept).iter().find_map(|clause| {
        let fits = |media: &&Media| clause.takes("application", media.subtype());
        Media::ALL.iter().filter(fits).find_map(|media| clause.output(*media, endpoint))
    })
}

/// One clause of an `Accept` header.
struct Clause<'a> {
    main: &'a str,
    sub: &'a str,
    quality: f32,
    params: Vec<(&'a str, &'a str)>,
}

impl Clause<'_> {
    fn takes(&self, main: &str, sub: &str) -> bool {
        match (self.main, self.sub) {
            ("*", "*") => true,
            (wanted, "*") => wanted == main,
            (wanted, exact) => wanted == main && exact == sub,
        }
    }

    fn output(&self, media: Media, endpoint: Endpoint) -> Option<Output> {
        let mut output = Output::plain(media);
        for &(key, value) in &self.params {
            match key {
                "as" => output.convert.get_or_insert_default().kind = value.to_owned(),
                "g" => output.convert.get_or_insert_default().group = value.to_owned(),
                "v" => output.convert.get_or_insert_default().version = value.to_owned(),
                "stream" if !value.is_empty() && (media == Media::Yaml || value != "watch") => return None,
                "stream" => output.stream = value.to_owned(),
                "sv" if !value.is_empty() && value != "v1" => return None,
                "pretty" => output.pretty = value == "1",
                "profile" => output.profile = value.to_owned(),
                _ => {}
            }
        }
        // Tables have no protobuf: a later clause has JSON.
        let partial = |convert: &Convert| convert.is_partial() && convert.version == "v1";
        let speaks = match endpoint {
            _ if media != Media::Protobuf => true,
            Endpoint::Resource | Endpoint::NoColumns => output.convert.as_ref().is_none_or(partial),
            Endpoint::Custom => output.convert.as_ref().is_some_and(partial),
            Endpoint::Plain => output.convert.is_none(),
            Endpoint::Discovery | Endpoint::Failure => true,
            Endpoint::Page(_) => false,
        };
        (speaks && endpoint.allows(output.convert.as_ref())).then_some(output)
    }
}

/// The clauses, best first; malformed ones are left out.
fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut all: Vec<Clause<'_>> = accept.split(',').filter_map(clause).collect();
    // Upstream's comparison is no order at all where quality and wildcards disagree; the same insertion sort gives the
    // same result for every header with fewer than twelve clauses.
    for i in 1..all.len() {
        for j in (1..=i).rev() {
            if !precedes(&all[j], &all[j - 1]) {
                break;
            }
            all.swap(j, j - 1);
        }
    }
    all
}

fn precedes(a: &Clause<'_>, b: &Clause<'_>) -> bool {
    a.quality > b.quality || a.main != "*" && b.main == "*" || a.sub != "*" && b.sub == "*"
}

fn clause(part: &str) -> Option<Clause<'_>> {
    let (range, params) = part.split_once(';').unwrap_or((part, ""));
    let (main, sub) = match range.trim().split_once('/') {
        None | Some((_, "")) if range.trim().trim_end_matches('/') == "*" => ("*", "*"),
        Some((main, sub)) if !sub.is_empty() && !sub.contains('/') => (main.trim(), sub.trim()),
        _ => return None,
    };
    let mut clause = Clause { main, sub, quality: 1.0, params: Vec::new() };
    for (key, value) in params.split(';').filter_map(|p| p.split_once('=')) {
        match (key.trim(), value) {
            (_, value) if value.is_empty() || value.contains('=') => {}
            ("q", value) => clause.quality = value.parse().unwrap_or(0.0),
            (key, value) => clause.params.push((key, value.trim())),
        }
    }
    Some(clause)
}

/// Whether JSON is indented for this reader: by `?pretty`, given when the query names it, else for people's tools.
pub fn wants_pretty(query: Option<&str>, user_agent: &str) -> bool {
    match query {
        Some(value) if !value.is_empty() => matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True"),
        _ => ["curl", "Wget", "Mozilla/5.0"].iter().any(|tool| user_agent.starts_with(tool)),
    }
}

/// The encoding of a body; `content_type` is empty when the header is absent, which means JSON. Fails with 415.
pub fn input(content_type: &str) -> Result<Media, Status> {
    if content_type.is_empty() {
        return Ok(Media::Json);
    }
    let found = media_type(content_type).and_then(|name| Media::ALL.iter().copied().find(|m| m.as_str() == name));
    found.ok_or_else(|| Status::unsupported_media_type(&spoken()))
}

/// The media type in lower case, without its parameters; `None` when the header is malformed (Go's `mime.ParseMediaType`).
fn media_type(header: &str) -> Option<String> {
    let (name, params) = header.split_once(';').unwrap_or((header, ""));
    let name = name.trim().to_ascii_lowercase();
    let token = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b));
    let parts_fit = name.split_once('/').is_some_and(|(main, sub)| token(main) && token(sub));
    let params_fit = params.split(';').map(str::trim).all(|param| {
        let quoted = |v: &str| v.len() >= 2 && v.starts_with('"') && v.ends_with('"');
        param.is_empty() || param.split_once('=').is_some_and(|(key, value)| token(key.trim()) && (token(value) || quoted(value)))
    });
    (parts_fit && params_fit).then_some(name)
}

/// How a PATCH body changes an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Patch {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// By the types' merge keys.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl Patch {
    /// The `Content-Type` that asks for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// What upstream's router says of a body that none of its routes takes.
pub fn unrouted() -> Status {
    Status::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").with_details(Details::default())
}

/// Which of the offered patches a body is, by its `Content-Type`. Fails with 415.
pub fn patch(content_type: &str, offered: &[Patch]) -> Result<Patch, Status> {
    // Upstream cuts at the semicolon and compares as it stands.
    let name = content_type.split(';').next().unwrap_or("");
    let found = offered.iter().copied().find(|p| p.as_str() == name);
    found.ok_or_else(|| Status::unsupported_media_type(&offered.iter().map(|p| p.as_str()).collect::<Vec<_>>()))
}
