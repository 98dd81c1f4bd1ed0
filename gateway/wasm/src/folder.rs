//! Folders of files that can be had again: those used last are kept, as far as there is room. Writes none of them.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Removes the files that were used longest ago, until the others come to no more than this many bytes. One that is called `but`
/// stays. Fails where the folder cannot be read or a file not be removed.
pub fn keep_newest(folder: &Path, bytes_max: u64, but: &str) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != but {
            let about = entry.metadata()?;
            files.push((about.modified()?, about.len(), entry.path()));
        }
    }
    files.sort_by(|a, b| b.cmp(a));
    let mut bytes = 0;
    for (_, length, path) in files {
        bytes += length;
        if bytes > bytes_max {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Says that a file was used. Where that cannot be noted it goes the sooner, and no more.
pub fn used(path: &Path) {
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (age_s, name) in [(40, "key"), (30, "a"), (20, "b"), (10, "c")] {
            fs::write(path(name), "12345").unwrap();
            let at = SystemTime::now() - Duration::from_secs(age_s);
            File::options().append(true).open(path(name)).unwrap().set_modified(at).unwrap();
        }
        used(&path("a"));
        keep_newest(folder.path(), 12, "key").unwrap();
        let mut kept: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        kept.sort();
        assert_eq!(kept, ["a", "c", "key"]);
    }
}
