//! Registries as the commands reach them: with what `docker login` wrote down, wherever the name says. Knows no command.

use std::fs;
use std::future::Future;
use std::path::PathBuf;

use admission::policy::registry::{Artifact, Failure};
use server::registry::{Reach, Reference, Registries};

use super::arguments::{Arguments, Known};

/// Whom to trust.
pub(super) const CA: Known = ("ca", "FILE", "certificates in PEM that the registry is trusted by; the system's when left out");
/// How to speak.
pub(super) const INSECURE: Known = ("insecure", "", "speak HTTP; only for a registry on this machine");

/// The artifact of a name, with what the options say.
pub(super) fn artifact(arguments: &Arguments, reference: &str) -> Result<Artifact, String> {
    Reference::parse(reference)?;
    let ca_bundle = match arguments.option("ca") {
        Some(file) => fs::read(file).map_err(|error| format!("{file}: {error}"))?,
        None => Vec::new(),
    };
    Ok(Artifact { reference: reference.to_owned(), ca_bundle, is_insecure: arguments.has("insecure"), ..Artifact::default() })
}

/// Whether a word names an artifact, and no file.
pub(super) fn is_artifact(place: &str) -> bool {
    !std::path::Path::new(place).exists() && Reference::parse(place).is_ok()
}

/// Does something with registries, and waits for it.
pub(super) fn ask<'r, T, F: Future<Output = Result<T, Failure>>>(
    registries: &'r Registries,
    work: impl FnOnce(&'r Registries) -> F,
) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(work(registries)).map_err(|failure| advised(failure.message))
}

/// Words in which a client says why it did not come through, and what to do about it.
const ADVICE: &[(&str, &str)] = &[
    ("server gave HTTP response to HTTPS client", "--insecure speaks HTTP with a registry on this machine"),
    ("tls: failed to verify certificate", "--ca FILE names the certificates that the registry is trusted by"),
    ("connect: connection refused", "nobody listens there: does the registry run, and is this its port?"),
    ("no such host", "is the registry's name spelled as it should be?"),
];

fn advised(message: String) -> String {
    match ADVICE.iter().find(|(words, _)| message.contains(words)) {
        Some((_, advice)) => format!("{message}; {advice}"),
        None => message,
    }
}

/// The registries of whoever runs the command.
pub(super) fn registries() -> Registries {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")));
    Registries::new(Reach::Anywhere, folder.map(|folder| folder.join("config.json")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_come_through_is_told_what_to_do() {
        let refused = "HEAD 127.0.0.1:5999: dial tcp 127.0.0.1:5999: connect: connection refused".to_owned();
        assert!(advised(refused).ends_with("does the registry run, and is this its port?"));
        assert!(advised("GET a: tls: failed to verify certificate: x509: unknown".to_owned()).contains("; --ca FILE"));
        assert_eq!(advised("GET /v2/: the registry answered 500".to_owned()), "GET /v2/: the registry answered 500");
    }
}
