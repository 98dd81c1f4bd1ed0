//! `gatehouse snapshot …`: saves what a store holds into one compressed file, makes a store of such a file, says what is in one.
//! A server with the embedded engine gives its snapshot through a socket in its data directory, so that it can be saved while it
//! runs; on etcd the cluster itself is asked.

use std::error::Error;
use std::fs::{DirBuilder, File};
use std::io::{self, BufReader, BufWriter, IsTerminal, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use catalog::Catalog;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use model::clock::SystemClock;
use server::world::Slot;
use store::{Saved, Store};

use crate::config::{Config, Engine};
use crate::program::Program;
use crate::{flags, storage};

/// Where a running server gives its snapshot.
const SOCKET: &str = "snapshot.sock";
/// Where the socket is made.
const PRIVATE: &str = "snapshot.new";
/// Progress is told after so many bytes or objects.
const TOLD_EVERY_BYTES: u64 = 16 << 20;
const TOLD_EVERY_OBJECTS: u64 = 10_000;

type Outcome = Result<(), Box<dyn Error>>;
type Run = fn(&Path, &Config) -> Outcome;

/// The commands: name, arguments, what it does, and the code.
const COMMANDS: &[(&str, &str, &str, Run)] = &[
    ("save", "FILE [--data-dir FOLDER | --etcd-servers URLS ...]", "saves everything, of a running server too", save),
    (
        "restore",
        "FILE [--data-dir FOLDER | --etcd-servers URLS ...]",
        "makes a store of a saved one, where there is none",
        restore,
    ),
    ("status", "FILE [--encryption-provider-config FILE]", "checks a saved store and says what it holds", status),
];

/// Runs one of the commands.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let command = words.first().and_then(|word| COMMANDS.iter().find(|(name, ..)| name == word));
    let (Some((name, .., run)), Some(file)) = (command, words.get(1).filter(|word| !word.starts_with('-'))) else {
        println!("gatehouse snapshot: save, restore and look into what a store holds.\n");
        for (name, arguments, what, _) in COMMANDS {
            println!("  {:<80} {what}", format!("gatehouse snapshot {name} {arguments}"));
        }
        let asked = words.first().is_none_or(|word| ["help", "--help", "-h"].contains(&word.as_str()));
        return if asked { ExitCode::SUCCESS } else { crate::fail(&["a command and a file are needed".to_owned()]) };
    };
    let parsed = flags::parse(&format!("gatehouse snapshot {name}"), &words[2..]);
    match Config::read(&parsed, Program::Gatehouse) {
        Err(errors) => crate::fail(&errors),
        Ok(config) => match run(Path::new(file), &config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => crate::fail(&[crate::chain(error.as_ref())]),
        },
    }
}

fn save(file: &Path, config: &Config) -> Outcome {
    let unfinished = PathBuf::from(format!("{}.unfinished", file.display()));
    let mut out = create(file, &unfinished)?;
    let socket = config.data_dir.join(SOCKET);
    match UnixStream::connect(&socket) {
        Ok(mut running) if config.engine == Engine::Disk => copy(&mut running, &mut out)?,
        _ => save_here(config, &out)?,
    }
    out.sync_all()?;
    let saved = runtime()?.block_on(store::check(&mut reader(&unfinished)?, None))?;
    std::fs::rename(&unfinished, file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    tell(&format!("saved {} at revision {} to {}", objects(&saved), saved.revision, file.display()));
    Ok(())
}

/// The file that takes the place of another when it is complete. Only a file may be replaced: to put one in the place of
/// `/dev/stdout` or a folder helps nobody.
fn create(file: &Path, unfinished: &Path) -> Result<File, String> {
    if file.metadata().is_ok_and(|there| !there.is_file()) {
        return Err(format!("{} is no file; name one that is to hold the snapshot", file.display()));
    }
    // What a save that was broken off left behind.
    let _ = std::fs::remove_file(unfinished);
    // Secrets lie in it.
    let made = File::options().write(true).create_new(true).mode(0o600).open(unfinished);
    made.map_err(|error| format!("create {}: {error}", unfinished.display()))
}

/// A file, of whose reading is told.
struct Told {
    file: File,
    bytes: u64,
    read: u64,
}

impl Read for Told {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (read, before) = (self.file.read(into)?, self.read);
        self.read += read as u64;
        if self.read / TOLD_EVERY_BYTES > before / TOLD_EVERY_BYTES {
            tell(&format!("{} of {} MiB read", self.read >> 20, self.bytes >> 20));
        }
        Ok(read)
    }
}

fn reader(file: &Path) -> Result<GzDecoder<BufReader<Told>>, String> {
    let open = || {
        let opened = File::open(file)?;
        Ok(Told { bytes: opened.metadata()?.len(), file: opened, read: 0 })
    };
    let told = open().map_err(|error: io::Error| format!("open {}: {error}", file.display()))?;
    Ok(GzDecoder::new(BufReader::new(told)))
}

fn objects(saved: &Saved) -> String {
    match saved.encrypted {
        0 => format!("{} objects", saved.objects),
        encrypted => format!("{} objects ({encrypted} encrypted)", saved.objects),
    }
}

/// Of a store that no server of this directory has open.
fn save_here(config: &Config, out: &File) -> Outcome {
    runtime()?.block_on(async {
        let store = opened(config).await?;
        let saved = write(&store, BufWriter::new(out)).await.map_err(|error| error as Box<dyn Error>)?;
        store.close().await?;
        tell(&format!("{} objects read", saved.objects));
        Ok(())
    })
}

async fn opened(config: &Config) -> Result<Store, Box<dyn Error>> {
    if config.engine == Engine::Disk && !store::exists(&config.data_dir.join("store")) {
        return Err(format!("{} holds no store", config.data_dir.display()).into());
    }
    storage::open(config, &Arc::new(Catalog::builtin()?), &Slot::default(), Arc::new(SystemClock)).await
}

async fn write(store: &Store, out: impl Write + Send) -> Result<Saved, Box<dyn Error + Send + Sync>> {
    let resources = store.snapshot().await?;
    let mut compressed = GzEncoder::new(out, Compression::fast());
    let saved = store::save(&resources, store.engine().transformer().as_deref(), &mut compressed).await?;
    compressed.finish()?.flush()?;
    Ok(saved)
}

fn copy(from: &mut UnixStream, to: &mut File) -> io::Result<()> {
    let (mut piece, mut copied, mut told) = (vec![0; 1 << 16], 0, 0);
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&piece[..read])?;
        copied += read as u64;
        if copied / TOLD_EVERY_BYTES > told {
            told = copied / TOLD_EVERY_BYTES;
            tell(&format!("{} MiB saved", copied >> 20));
        }
    }
}

fn restore(file: &Path, config: &Config) -> Outcome {
    let saved = runtime()?.block_on(async {
        let transformer = storage::transformer(config)?;
        match &config.engine {
            Engine::Disk => {
                let dir = config.data_dir.join("store");
                Ok(store::restore(&mut reader(file)?, transformer.as_deref(), &dir).await?)
            }
            Engine::Memory => Err("the engine memory keeps nothing".into()),
            Engine::Etcd(_) => {
                // Nothing is written before all of it is known to be sound.
                let sound = store::check(&mut reader(file)?, transformer.as_deref()).await?;
                if sound.encrypted > 0 && transformer.is_none() {
                    let encrypted = sound.encrypted;
                    return Err(format!("{encrypted} objects are encrypted; give their --encryption-provider-config").into());
                }
                replay(file, config).await
            }
        }
    })?;
    tell(&format!("restored {} of revision {}", objects(&saved), saved.revision));
    Ok(())
}

async fn replay(file: &Path, config: &Config) -> Result<Saved, Box<dyn Error>> {
    let store = opened(config).await?;
    let told = |done: u64| {
        if done.is_multiple_of(TOLD_EVERY_OBJECTS) {
            tell(&format!("{done} objects written"));
        }
    };
    Ok(store::replay(&mut reader(file)?, &store, &SystemClock, told).await?)
}

fn status(file: &Path, config: &Config) -> Outcome {
    let mut input = reader(file)?;
    let bytes = input.get_ref().get_ref().bytes;
    let saved = runtime()?
        .block_on(async { Ok::<_, Box<dyn Error>>(store::check(&mut input, storage::transformer(config)?.as_deref()).await?) })?;
    let Saved { objects, encrypted, revision } = saved;
    println!("objects:   {objects}\nencrypted: {encrypted}\nrevision:  {revision}\nsize:      {bytes}");
    Ok(())
}

/// Gives whoever may open the socket, which is whoever may read the data directory, a snapshot of the running store.
pub(crate) async fn serve(store: Store, data_dir: &Path) -> io::Result<()> {
    let listener = listen(data_dir)?;
    loop {
        let (asked, _) = listener.accept().await?;
        let (asked, store) = (asked.into_std()?, store.clone());
        let handle = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let given = asked
                .set_nonblocking(false)
                .map_err(Into::into)
                .and_then(|()| handle.block_on(write(&store, BufWriter::new(asked))));
            match given {
                Ok(saved) => tracing::info!(saved.objects, saved.revision, "snapshot given"),
                Err(error) => tracing::warn!(%error, "snapshot not given"),
            }
        });
    }
}

/// A socket comes with the rights that the umask leaves. So it is made in a folder that nobody else enters, and moved to its
/// place when it is nobody else's.
fn listen(data_dir: &Path) -> io::Result<tokio::net::UnixListener> {
    let private = data_dir.join(PRIVATE);
    let _ = std::fs::remove_dir_all(&private);
    DirBuilder::new().mode(0o700).create(&private)?;
    let made = private.join("s");
    let listener = tokio::net::UnixListener::bind(&made)?;
    std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&made, data_dir.join(SOCKET))?;
    std::fs::remove_dir(&private)?;
    Ok(listener)
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// To whoever watches; what a script reads is not disturbed.
fn tell(line: &str) {
    let mut err = io::stderr();
    let mark = if err.is_terminal() { "==> " } else { "" };
    let _ = writeln!(err, "{mark}{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let _listener = listen(folder.path()).unwrap();
            let socket = folder.path().join(SOCKET);
            assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            UnixStream::connect(&socket).unwrap();
            assert!(!folder.path().join(PRIVATE).exists());
        }
    }

    #[test]
    fn only_files_are_replaced_and_what_was_broken_off_is_not_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let (file, unfinished) = (folder.path().join("saved"), folder.path().join("saved.unfinished"));
        let refused = create(folder.path(), &unfinished).unwrap_err();
        assert!(refused.ends_with("is no file; name one that is to hold the snapshot"), "{refused}");
        for what in ["first", "second"] {
            create(&file, &unfinished).unwrap().write_all(what.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&unfinished).unwrap(), "second");
        assert!(!file.exists());
    }
}
