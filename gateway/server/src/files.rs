//! Writing files so that nobody ever reads half of one, and seeing when somebody else replaced one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its owner.
    Owner,
    /// Anybody.
    Everyone,
}

/// Puts a whole file in place of another, or of none, making its folder. It is on disk when this returns.
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = folder.join(name);
    let mode = match access {
        Access::Owner => 0o600,
        Access::Everyone => 0o644,
    };
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&fresh).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&fresh, path));
    if placed.is_err() {
        // The error that matters is the first one.
        let _ = fs::remove_file(&fresh);
    }
    placed?;
    File::open(folder)?.sync_all()
}

/// Files whose replacement matters.
#[derive(Debug)]
pub struct Watched {
    paths: Vec<PathBuf>,
    seen: Vec<Option<Seen>>,
}

/// What tells one content of a path from another; a symlink's target counts, as volumes of Secrets swap those.
type Seen = (u64, u64, i64, i64);

impl Watched {
    /// Remembers how the files are now.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let seen = paths.iter().map(|path| look(path)).collect();
        Self { paths, seen }
    }

    /// Whether any of the files changed since the last look.
    pub fn changed(&mut self) -> bool {
        let now: Vec<_> = self.paths.iter().map(|path| look(path)).collect();
        let changed = now != self.seen;
        self.seen = now;
        changed
    }
}

fn look(path: &Path) -> Option<Seen> {
    let found = fs::metadata(path).ok()?;
    Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/tls.crt");
        let mut watched = Watched::new(vec![path.clone()]);
        assert!(!watched.changed());
        replace(&path, b"one", Access::Everyone).unwrap();
        assert!(watched.changed());
        assert!(!watched.changed());
        replace(&path, b"two", Access::Owner).unwrap();
        assert!(watched.changed());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left behind");
    }
}
