//! A log file that is put aside when it is full, under the names that `lumberjack` gives (`audit-2006-01-02T15-04-05.000.log`),
//! since that is what kube-apiserver's users collect. Knows nothing of events.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use model::Clock;

const STAMP: &str = "%Y-%m-%dT%H-%M-%S.%3f";
const MEGABYTE: u64 = 1024 * 1024;

/// `--audit-log-path` and its companions.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// Size in megabytes beyond which it is put aside; 0 means 100.
    pub size_max_mb: u64,
    /// Days that put-aside files are kept; 0 keeps them.
    pub age_max_days: u32,
    /// Number of put-aside files kept; 0 keeps all.
    pub backups_max: usize,
    /// Whether put-aside files are compressed.
    pub compress: bool,
}

/// The open file.
pub(crate) struct Rotated {
    settings: Settings,
    clock: Arc<dyn Clock>,
    file: File,
    size_bytes: u64,
}

impl Rotated {
    /// Opens the file, and its folder, for its owner only.
    pub(crate) fn open(settings: Settings, clock: Arc<dyn Clock>) -> io::Result<Self> {
        if let Some(folder) = settings.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let file = append(&settings.path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self { settings, clock, file, size_bytes })
    }

    /// How many of the lines fit into the file as it is; at least one when it is empty, however long that is.
    pub(crate) fn fitting(&self, lines: &[Vec<u8>]) -> usize {
        let max = if self.settings.size_max_mb == 0 { 100 } else { self.settings.size_max_mb } * MEGABYTE;
        let mut size = self.size_bytes;
        let fitting = lines
            .iter()
            .take_while(|line| {
                size += line.len() as u64;
                size <= max
            })
            .count();
        if fitting == 0 && self.size_bytes == 0 { lines.len().min(1) } else { fitting }
    }

    /// Puts the file aside and starts another. When that fails the file grows on: events matter more than its size.
    pub(crate) fn rotate(&mut self) {
        if let Err(error) = self.try_rotate() {
            tracing::error!(%error, path = %self.settings.path.display(), "audit log cannot be rotated");
            self.size_bytes = 0;
        }
    }

    fn try_rotate(&mut self) -> io::Result<()> {
        fs::rename(&self.settings.path, backup_path(&self.settings.path, self.clock.now()))?;
        self.file = append(&self.settings.path)?;
        self.size_bytes = 0;
        let (settings, now) = (self.settings.clone(), self.clock.now());
        // Compressing a full file takes seconds, and no event shall wait for that.
        std::thread::Builder::new().name("audit-rotate".into()).spawn(move || {
            if let Err(error) = tidy(&settings, now) {
                tracing::error!(%error, "old audit logs cannot be tidied");
            }
        })?;
        Ok(())
    }
}

impl Write for Rotated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn split_name(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| part.map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
    let extension = text(path.extension());
    (format!("{}-", text(path.file_stem())), if extension.is_empty() { extension } else { format!(".{extension}") })
}

fn backup_path(path: &Path, at: Timestamp) -> PathBuf {
    let (prefix, extension) = split_name(path);
    path.with_file_name(format!("{prefix}{}{extension}", at.strftime(STAMP)))
}

/// Removes put-aside files that are too many or too old, and compresses the others where that is asked for.
fn tidy(settings: &Settings, now: Timestamp) -> io::Result<()> {
    let (prefix, extension) = split_name(&settings.path);
    let folder = settings.path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut backups: Vec<(Timestamp, PathBuf)> = fs::read_dir(folder)?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let stamp = name.strip_suffix(".gz").unwrap_or(&name).strip_prefix(&prefix)?.strip_suffix(&extension)?;
            let at = DateTime::strptime("%Y-%m-%dT%H-%M-%S%.f", stamp).ok()?.to_zoned(TimeZone::UTC).ok()?;
            Some((at.timestamp(), entry.path()))
        })
        .collect();
    backups.sort_by(|a, b| b.cmp(a));
    let oldest = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(settings.age_max_days))).unwrap_or(Timestamp::MIN);
    for (index, (at, path)) in backups.iter().enumerate() {
        let too_many = settings.backups_max > 0 && index >= settings.backups_max;
        let too_old = settings.age_max_days > 0 && *at < oldest;
        if too_many || too_old {
            fs::remove_file(path)?;
        } else if settings.compress && path.extension().is_none_or(|e| e != "gz") {
            compress(path)?;
        }
    }
    Ok(())
}

fn compress(path: &Path) -> io::Result<()> {
    let packed = PathBuf::from(format!("{}.gz", path.display()));
    let output = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&packed)?;
    let mut encoder = flate2::write::GzEncoder::new(output, flate2::Compression::default());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At(Timestamp);
    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    fn settings(folder: &Path) -> Settings {
        Settings { path: folder.join("logs/audit.log"), size_max_mb: 1, age_max_days: 7, backups_max: 2, compress: false }
    }

    #[test]
    fn puts_aside_under_lumberjacks_name() {
        let at: Timestamp = "2026-02-03T04:05:06.789Z".parse().unwrap();
        assert_eq!(backup_path(Path::new("/var/log/audit.log"), at), Path::new("/var/log/audit-2026-02-03T04-05-06.789.log"));
        assert_eq!(backup_path(Path::new("audit"), at), Path::new("audit-2026-02-03T04-05-06.789"));
    }

    #[test]
    fn a_full_file_starts_another_and_no_line_is_torn() {
        let folder = tempfile::tempdir().unwrap();
        let at: Timestamp = "2026-02-03T04:05:06.789Z".parse().unwrap();
        let mut file = Rotated::open(settings(folder.path()), Arc::new(At(at))).unwrap();
        let line = vec![b'x'; 700 * 1024];
        let lines = vec![line.clone(), line];
        assert_eq!(file.fitting(&lines), 1);
        file.write_all(&lines[0]).unwrap();
        assert_eq!(file.fitting(&lines[1..]), 0);
        file.rotate();
        assert_eq!(file.fitting(&lines[1..]), 1);
        assert!(folder.path().join("logs/audit-2026-02-03T04-05-06.789.log").exists());
        assert_eq!(fs::metadata(folder.path().join("logs/audit.log")).unwrap().len(), 0);
    }

    #[test]
    fn keeps_the_youngest_and_forgets_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { compress: true, ..settings(folder.path()) };
        let logs = folder.path().join("logs");
        fs::create_dir_all(&logs).unwrap();
        for name in [
            "audit-2026-02-03T00-00-00.000.log",
            "audit-2026-02-02T00-00-00.000.log.gz",
            "audit-2026-02-01T00-00-00.000.log",
            "other.log",
        ] {
            fs::write(logs.join(name), "line\n").unwrap();
        }
        tidy(&settings, "2026-02-09T12:00:00Z".parse().unwrap()).unwrap();
        let mut left: Vec<_> = fs::read_dir(&logs).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(
            left,
            ["audit-2026-02-03T00-00-00.000.log.gz", "other.log"],
            "the second is eight days old, the third one too many"
        );
    }
}
