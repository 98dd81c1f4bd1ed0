//! `/statusz`, `/flagz` and `/debug/pprof`: what an operator reads of the process itself. Follows `apiserver/pkg/server/statusz`
//! and `flagz`, whose text says of itself that no program should read it; programs ask for the kinds of `config.k8s.io`.
//! Counts nothing (`metrics`) and judges nothing (`health`).

use bytes::Bytes;
use codec::negotiate;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use jiff::Timestamp;
use model::json::{Map, json};
use model::{Status, Value};

use crate::answer::{Answer, Content};
use crate::call::Call;

/// What upstream's generic server calls itself.
const COMPONENT: &str = "apiserver";
const TEXT: &str = "text/plain; charset=utf-8";
const WARNING: &str = "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.";
/// First parts of paths that are there for clients, not for operators.
const CLIENTS: [&str; 5] = ["apis", "api", "openid", "openapi", ".well-known"];

/// What is known of the process from its start on.
pub struct Process {
    /// When it started.
    pub started: Timestamp,
    /// Its flags with the values that hold, sorted.
    pub flags: Vec<(String, String)>,
}

impl Process {
    /// A process without flags.
    pub fn new(started: Timestamp) -> Self {
        Self { started, flags: Vec::new() }
    }

    /// Answers a request, if its path is one of these. `paths` are all that this server knows.
    pub(crate) fn answer(&self, call: &mut Call, paths: impl FnOnce() -> Vec<String>) -> Option<Result<Answer, Status>> {
        match call.info.path.as_str() {
            "/statusz" => Some(self.statusz(call, paths())),
            "/flagz" => Some(self.flagz(call)),
            "/debug/pprof" => Some(Ok(moved("/debug/pprof/"))),
            "/debug/pprof/" => Some(Ok(profiles())),
            "/debug/pprof/cmdline" => Some(Ok(command_line())),
            _ => None,
        }
    }

    fn statusz(&self, call: &mut Call, paths: Vec<String>) -> Result<Answer, Status> {
        let paths = for_operators(&paths);
        let up_s = call.now.duration_since(self.started).as_secs().max(0);
        let version = crate::version::KUBERNETES.trim_start_matches('v');
        let text = format!(
            "\nStarted: {}\nUp: {} hr {:02} min {:02} sec\nGo version: \nBinary version: {version}\nEmulation version: {}\nPaths: {}\n",
            self.started.strftime("%a %b %e %H:%M:%S UTC %Y"),
            up_s / 3600,
            up_s / 60 % 60,
            up_s % 60,
            emulated(version),
            paths.join(" "),
        );
        let object = json!({
            "startTime": self.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "uptimeSeconds": up_s,
            "goVersion": "",
            "binaryVersion": version,
            "emulationVersion": emulated(version),
            "paths": paths,
        });
        page(call, "Statusz", &text, object)
    }

    fn flagz(&self, call: &mut Call) -> Result<Answer, Status> {
        let text: String = self.flags.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let flags: Map = self.flags.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let object = if flags.is_empty() { json!({}) } else { json!({"flags": flags}) };
        page(call, "Flagz", &text, object)
    }
}

/// A page as text under its head, or as an object of its kind.
fn page(call: &mut Call, kind: &'static str, text: &str, object: Value) -> Result<Answer, Status> {
    let Some(output) = negotiate::page(call.header("accept"), kind)? else {
        let text = format!("\n{COMPONENT} {}\n{WARNING}\n{text}", kind.to_ascii_lowercase());
        return Ok(plain(StatusCode::OK, text));
    };
    let version = output.convert.as_ref().map_or("v1beta1", |convert| convert.version.as_str());
    if version == "v1alpha1" {
        let page = kind.to_ascii_lowercase();
        call.notes.warn(format!("This version of the {page} endpoint is deprecated. Please use a newer version."));
    }
    let mut whole = json!({"kind": kind, "apiVersion": format!("config.k8s.io/{version}"), "metadata": {"name": COMPONENT}});
    if let (Some(whole), Value::Object(fields)) = (whole.as_object_mut(), object) {
        whole.extend(fields);
    }
    call.output = output;
    Ok(Answer::new(200, Content::Json(crate::respond::line(&whole))))
}

/// The first parts of paths, but for those of clients, each once.
fn for_operators(paths: &[String]) -> Vec<String> {
    let first = |path: &String| path.split('/').nth(1).unwrap_or("").to_owned();
    let mut folders: Vec<String> = paths.iter().map(first).filter(|part| !part.is_empty()).collect();
    folders.retain(|part| !CLIENTS.contains(&part.as_str()));
    folders.sort();
    folders.dedup();
    folders.into_iter().map(|part| format!("/{part}")).collect()
}

fn emulated(version: &str) -> &str {
    version.rsplit_once('.').map_or(version, |(minor, _)| minor)
}

fn plain(code: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(text.into());
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    Answer::new(code.as_u16(), Content::Response(response))
}

fn html(code: StatusCode, text: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn moved(place: &'static str) -> Answer {
    let mut response = html(StatusCode::FOUND, format!("<a href=\"{place}\">Found</a>.\n\n"));
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(place));
    Answer::new(302, Content::Response(response))
}

/// The profiles there are: those of a Go program's runtime are not.
fn profiles() -> Answer {
    let text = "<html><head><title>/debug/pprof/</title></head><body>\n<a href=\"cmdline\">cmdline</a>: The command line of this program\n</body></html>\n";
    let mut response = html(StatusCode::OK, text.to_owned());
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Answer::new(200, Content::Response(response))
}

fn command_line() -> Answer {
    let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    plain(StatusCode::OK, arguments.join("\0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_operators_are_told_once_and_sorted() {
        let paths = ["/", "/readyz/ping", "/apis/apps", "/livez", "/readyz", "/openapi/v2"].map(str::to_owned);
        assert_eq!(for_operators(&paths), ["/livez", "/readyz"]);
        assert_eq!(emulated("1.37.2"), "1.37");
    }
}
