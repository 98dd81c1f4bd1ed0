//! Files by name in one folder, as the engine `disk` needs them: a directory of the system, or a disk of a test (`fault`).
//! Knows nothing of what is in them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

/// Files by name.
pub(crate) trait Folder: Send {
    /// The names of all files.
    fn names(&self) -> io::Result<Vec<String>>;

    /// All of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// A file to write to, made when there is none.
    fn open(&self, name: &str) -> io::Result<Box<dyn Medium>>;

    /// Removes a file; one that is open may still be written to.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes it durable which names there are.
    fn sync(&self) -> io::Result<()>;
}

/// An open file.
pub(crate) trait Medium: Send {
    /// Writes all of it at a place; the file becomes longer where that lies behind its end.
    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file, or makes it longer with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes everything durable that was written.
    fn sync(&self) -> io::Result<()>;
}

/// A directory of the system. Secrets lie in its files.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Folder for Directory {
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.0)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.0.join(name))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn Medium>> {
        let path = self.0.join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        Ok(Box::new(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.0.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

impl Medium for File {
    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
