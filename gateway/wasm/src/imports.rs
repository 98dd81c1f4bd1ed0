//! What a policy may import, and what its binding must grant for it.
//! Does not implement any of it (`guest`, `reach`, `wasi`).

use wasmtime::component::{Component, HasSelf, Linker};

use crate::bindings::validator::gatehouse::policy::{authorizer, cluster, log};
use crate::engine::Runtime;
use crate::error::{BindError, LoadError};
use crate::guest::Guest;
use crate::wasi;

/// An ability beyond judging what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Grant {
    /// Asking what somebody may do.
    Authorizer,
    /// Reading objects from the server's cache.
    Cluster,
    /// Writing lines to the server's log.
    Log,
}

impl Grant {
    /// Every grant there is.
    pub const ALL: &'static [Grant] = &[Grant::Authorizer, Grant::Cluster, Grant::Log];

    /// The word in a binding's `grants`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorizer => "authorizer",
            Self::Cluster => "cluster",
            Self::Log => "log",
        }
    }

    /// The grant with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|grant| grant.as_str() == word)
    }

    /// Whether one of these imports needs it.
    pub fn is_needed(self, imports: &[String]) -> bool {
        imports.iter().any(|import| needed(import) == Some(self))
    }

    /// The interface that it opens.
    fn interface(self) -> &'static str {
        match self {
            Self::Authorizer => "gatehouse:policy/authorizer@1.0.0",
            Self::Cluster => "gatehouse:policy/cluster@1.0.0",
            Self::Log => "gatehouse:policy/log@1.0.0",
        }
    }
}

/// Refuses a module that imports what nobody can grant.
pub(crate) fn known(imports: &[String]) -> Result<(), LoadError> {
    match imports.iter().find(|import| !ambient(import) && needed(import).is_none()) {
        Some(import) => Err(match version(import).filter(|version| *version != VERSION) {
            Some(version) => LoadError::OtherVersion { version: version.to_owned(), known: VERSION },
            None => LoadError::UnknownImport { import: import.clone() },
        }),
        None => Ok(()),
    }
}

/// The version of the contract.
const VERSION: &str = "1.0.0";

/// Of which version of the contract an import is, if it is of any.
fn version(import: &str) -> Option<&str> {
    import.strip_prefix("gatehouse:policy/")?.split_once('@').map(|(_, version)| version)
}

/// Refuses a module that imports what its binding does not grant.
pub(crate) fn granted(imports: &[String], grants: &[Grant]) -> Result<(), BindError> {
    for import in imports {
        if let Some(grant) = needed(import)
            && !grants.contains(&grant)
        {
            return Err(BindError::NotGranted { import: import.clone(), grant: grant.as_str() });
        }
    }
    Ok(())
}

/// A linker that has the stubs and what is granted, and nothing else.
pub(crate) fn linker(runtime: &Runtime, component: &Component, grants: &[Grant]) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(&runtime.engine);
    for grant in grants {
        match grant {
            Grant::Authorizer => authorizer::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest: &mut Guest| guest)?,
            Grant::Cluster => cluster::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest: &mut Guest| guest)?,
            Grant::Log => log::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest: &mut Guest| guest)?,
        }
    }
    wasi::link(&mut linker, component)?;
    Ok(linker)
}

/// What every module may import: types alone, and WASI as stubs.
fn ambient(import: &str) -> bool {
    import == "gatehouse:policy/types@1.0.0" || wasi::stubbed(import)
}

fn needed(import: &str) -> Option<Grant> {
    Grant::ALL.iter().copied().find(|grant| grant.interface() == import)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_granted_is_named_and_another_version_told_apart() {
        let told = |import: &str| known(&[import.to_owned()]).map_err(|error| error.to_string());
        assert_eq!(told("gatehouse:policy/types@1.0.0"), Ok(()));
        assert!(told("gatehouse:policy/types@0.1.0").unwrap_err().contains("version 0.1.0 of the contract"));
        assert!(told("gatehouse:policy/secrets@1.0.0").unwrap_err().contains("`gatehouse:policy/secrets@1.0.0`"));
        assert!(told("wasi:sockets/tcp@0.2.0").unwrap_err().contains("`wasi:sockets/tcp@0.2.0`"));
    }
}
