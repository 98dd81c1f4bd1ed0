//! Why a store on a disk cannot be opened, in words that say what to do.

use std::path::PathBuf;

use model::Revision;

use super::FORMAT;
use crate::Damage;

/// Why a store cannot be opened. No record is changed then.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be made or read.
    #[error("cannot {step} {}", path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the store in {} is in use by another process; stop that one or choose another directory", dir.display())]
    Locked {
        /// The store's directory.
        dir: PathBuf,
    },
    /// It was written by another version.
    #[error("{} has format {found}, this version reads {FORMAT}; use the version that wrote it", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u64,
    },
    /// A record is damaged.
    #[error("{}: the record of {key} is damaged: {damage}; restore the file from a backup", file.display())]
    Record {
        /// The file.
        file: PathBuf,
        /// Key of the first damaged record.
        key: String,
        /// What is wrong with it.
        damage: Damage,
    },
    /// It is sound, and yet not all of it.
    #[error(
        "{} ends at revision {found}, but {acknowledged} was acknowledged: its newest commits are lost; restore it from a backup, \
         or remove {} to go on without them", file.display(), witness.display()
    )]
    Behind {
        /// The file.
        file: PathBuf,
        /// Its last revision.
        found: Revision,
        /// The file that knows better.
        witness: PathBuf,
        /// What it says.
        acknowledged: Revision,
    },
    /// A record is encrypted, and no encryption is configured.
    #[error("{}: the record of {key} is encrypted; start with the --encryption-provider-config that it was written with", dir.display())]
    Sealed {
        /// The store's directory.
        dir: PathBuf,
        /// Key of the first such record.
        key: String,
    },
    /// The file is damaged where no single record can be blamed.
    #[error("{} is damaged: {reason}; restore the file from a backup", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What was found.
        reason: String,
    },
}
