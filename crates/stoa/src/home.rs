//! The directory that a database lives in: its lock, its snapshot, and how a new one takes its place.
//!
//! A snapshot is written beside the old one, made durable, and renamed over it: whenever the machine or
//! the program dies, one of the two is there whole. The lock is the kernel's (`flock`), so that it ends
//! with its process however that ends; the file it hangs on stays, and means nothing by itself.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, TryLockError, create_dir_all, remove_file, rename};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::Error;

const LOCK_NAME: &str = "stoa.lock";
/// Behind the name of the snapshot, while it is written.
const UNFINISHED: &str = ".unfinished";

/// A directory nobody else has, while this is held.
#[derive(Debug)]
pub(crate) struct Home {
    dir: PathBuf,
    snapshot: PathBuf,
    unfinished: PathBuf,
    /// Held for its lock.
    _lock: File,
}

impl Home {
    /// Takes the directory at `dir`, and makes it if it is not there. `name` is the snapshot's.
    pub(crate) fn take(dir: &Path, name: &[u8]) -> Result<Self, Error> {
        if dir.is_file() {
            let text = format!(
                "it is a file; give the directory, in which the snapshot is called {}",
                name.escape_ascii()
            );
            return Err(refused("open", dir, text));
        }
        let name = OsStr::from_bytes(name);
        if name.is_empty() || name == "." || name == ".." || name == LOCK_NAME {
            let text = "the directive dbfilename names no file that a snapshot can be".to_owned();
            return Err(refused("open", dir, text));
        }
        if !dir.is_dir() {
            make_dir(dir).map_err(|error| failed("create the directory", dir, &error))?;
        }
        let lock_path = dir.join(LOCK_NAME);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(|error| failed("open", &lock_path, &error))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::Locked(dir.to_owned()),
            TryLockError::Error(error) => failed("lock", &lock_path, &error),
        })?;
        let snapshot = dir.join(name);
        let mut unfinished = snapshot.clone().into_os_string();
        unfinished.push(UNFINISHED);
        Ok(Self { dir: dir.to_owned(), snapshot, unfinished: unfinished.into(), _lock: lock })
    }

    /// Where the snapshot is.
    pub(crate) fn snapshot_path(&self) -> &Path {
        &self.snapshot
    }

    /// The snapshot, if there is one.
    pub(crate) fn snapshot(&self) -> Result<Option<File>, Error> {
        match File::open(&self.snapshot) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("open", &self.snapshot, &error)),
        }
    }

    /// Puts what `write` writes in place of the snapshot, durably. After an error the old one stands, or the
    /// new one, whole, if only its name could not be made durable.
    pub(crate) fn replace_snapshot(
        &self,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), Error> {
        let written = || {
            let mut file = File::create(&self.unfinished)?;
            write(&mut file)?;
            file.sync_all()
        };
        if let Err(error) = written() {
            // It is of no use, and its room is wanted. What cannot be removed the next one overwrites.
            drop(remove_file(&self.unfinished));
            return Err(failed("write", &self.unfinished, &error));
        }
        let placed = || {
            rename(&self.unfinished, &self.snapshot)?;
            File::open(&self.dir)?.sync_all()
        };
        placed().map_err(|error| failed("put in place", &self.snapshot, &error))
    }
}

/// Makes a directory with those above it, and has the last one's entry durable.
fn make_dir(dir: &Path) -> io::Result<()> {
    create_dir_all(dir)?;
    match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// What the system did not do, and what helps.
pub(crate) fn failed(doing: &'static str, path: &Path, error: &io::Error) -> Error {
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; free some space and try again, what was saved before still stands"
        }
        ErrorKind::PermissionDenied => "; let this user read and write there",
        ErrorKind::ReadOnlyFilesystem => "; give a directory that can be written",
        _ => "",
    };
    refused(doing, path, format!("{error}{advice}"))
}

fn refused(doing: &'static str, path: &Path, why: String) -> Error {
    Error::File { doing, path: path.to_owned(), why }
}
