//! The spool's folder: the file with what waits, the lock, and what could not be read.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::line::{self, Bad, Contents, DONE, Record};
use super::{SpoolError, Standing};

const REQUESTS: &str = "requests";
const BAD: &str = "requests.bad";
const NEW: &str = "requests.new";
const LOCK: &str = "lock";

/// So many bytes must be free for another request to be sure of its place.
const ROOM: u64 = 4_096;

/// The file of one process, open and locked.
///
/// A line is on the disk, folder entry and all, before [`Store::put`] returns. It is marked as done
/// in place, by one byte, and leaves the file when nothing waits any more or when room is needed.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    file: File,
    /// Where the next line goes.
    end: u64,
    /// So many bytes before it are of lines that wait.
    needed: u64,
    waiting: VecDeque<Waiting>,
    max_bytes: u64,
    /// Held as long as this value lives.
    _lock: File,
}

/// A line that waits.
#[derive(Debug)]
struct Waiting {
    at: u64,
    length: u64,
    record: Record,
}

impl Store {
    /// Opens the folder, or makes it, and reads what a process before has left.
    pub(super) fn open(folder: &Path, max_bytes: u64) -> Result<Store, SpoolError> {
        let failed = |error| SpoolError::io("open", folder, error);
        create(folder).map_err(failed)?;
        let lock = options().open(folder.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpoolError::Taken(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let path = folder.join(REQUESTS);
        let file = options().open(&path).map_err(failed)?;
        sync(folder).map_err(failed)?;
        let bytes = fs::read(&path).map_err(failed)?;
        let Contents {
            waiting,
            bad,
            complete,
        } = line::read(&bytes);
        let store = Store {
            folder: folder.to_owned(),
            file,
            end: position(complete),
            needed: waiting.iter().map(|(line, _)| position(line.len())).sum(),
            waiting: waiting
                .into_iter()
                .map(|(line, record)| Waiting {
                    at: position(line.start),
                    length: position(line.len()),
                    record,
                })
                .collect(),
            max_bytes,
            _lock: lock,
        };
        if complete < bytes.len() {
            tracing::warn!(
                bytes = bytes.len() - complete,
                "the spool ends with half a request, which was not answered for; dropped"
            );
            store.file.set_len(store.end).map_err(failed)?;
        }
        store.set_aside(&bad).map_err(failed)?;
        let records = store.waiting.len();
        if records > 0 {
            tracing::info!(records, "the spool holds requests from before");
        }
        Ok(store)
    }

    /// Writes a request down; one that waits already is not written again.
    pub(super) fn put(&mut self, record: Record) -> Result<(), SpoolError> {
        let same = |waiting: &Waiting| waiting.record.request == record.request;
        if self.waiting.iter().any(same) {
            return Ok(());
        }
        let line = line::write(&record);
        let length = position(line.len());
        if self.needed + length > self.max_bytes {
            return Err(SpoolError::Full(self.max_bytes));
        }
        if self.end + length > self.max_bytes {
            self.compact()
                .map_err(|error| SpoolError::io("compact", &self.folder, error))?;
        }
        let written = self
            .file
            .write_all_at(&line, self.end)
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Half a line would stand before the next one. If it stays, the next opening drops it.
            let _shortened = self.file.set_len(self.end);
            return Err(SpoolError::io("write", &self.folder, error));
        }
        self.waiting.push_back(Waiting {
            at: self.end,
            length,
            record,
        });
        self.end += length;
        self.needed += length;
        Ok(())
    }

    /// Whether there is room for another request.
    pub(super) fn check(&self) -> Result<(), SpoolError> {
        // A small spool that is empty is as free as it gets.
        if self.needed == 0 || self.needed + ROOM <= self.max_bytes {
            Ok(())
        } else {
            Err(SpoolError::Full(self.max_bytes))
        }
    }

    /// The request that waits at this place, from the oldest on.
    pub(super) fn nth(&self, place: usize) -> Option<Record> {
        self.waiting.get(place).map(|line| line.record.clone())
    }

    /// Forgets a request that is in the log. If the disk forgets that again, the request comes
    /// once more, which is harmless.
    pub(super) fn done(&mut self, record: &Record) -> Result<(), SpoolError> {
        let same = |line: &Waiting| line.record == *record;
        let place = self.waiting.iter().position(same);
        let Some(line) = place.and_then(|place| self.waiting.remove(place)) else {
            return Ok(());
        };
        self.needed -= line.length;
        let failed = |error| SpoolError::io("write", &self.folder, error);
        self.file.write_all_at(&[DONE], line.at).map_err(failed)?;
        if self.waiting.is_empty() {
            self.file.set_len(0).map_err(failed)?;
            self.file.sync_data().map_err(failed)?;
            self.end = 0;
        }
        Ok(())
    }

    /// How many requests wait, in how many bytes, and since when the oldest does.
    pub(super) fn standing(&self) -> Standing {
        let times = self.waiting.iter().map(|line| line.record.received_ms);
        Standing {
            records: self.waiting.len(),
            bytes: self.needed,
            oldest_ms: times.min(),
        }
    }

    /// Writes a file of only what waits and puts it into the place of the old one.
    fn compact(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut starts = Vec::new();
        for line in &self.waiting {
            starts.push(position(bytes.len()));
            bytes.extend(line::write(&line.record));
        }
        let new = self.folder.join(NEW);
        let mut file = options().truncate(true).open(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, self.folder.join(REQUESTS))?;
        // From here on the new file is the spool, also if the folder cannot be synced.
        self.file = file;
        for (line, start) in self.waiting.iter_mut().zip(starts) {
            line.at = start;
        }
        self.end = position(bytes.len());
        sync(&self.folder)
    }

    /// Moves lines that cannot be read out of the way, to where a person can look at them.
    fn set_aside(&self, bad: &[Bad]) -> io::Result<()> {
        if bad.is_empty() {
            return Ok(());
        }
        let path = self.folder.join(BAD);
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        for bad in bad {
            tracing::error!(
                at = bad.at,
                why = bad.why,
                file = %path.display(),
                "a request in the spool cannot be read and was set aside; its line names image and \
                 tag: ask for it again with `bowline upgrade`"
            );
            file.write_all(&bad.line)?;
        }
        file.sync_all()?;
        sync(&self.folder)?;
        for bad in bad {
            self.file.write_all_at(&[DONE], position(bad.at))?;
        }
        self.file.sync_data()
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    options
}

/// Makes a folder, and those above it that are missing.
fn create(folder: &Path) -> io::Result<()> {
    let missing = folder.ancestors().take_while(|above| !above.is_dir());
    let missing: Vec<&Path> = missing.collect();
    fs::create_dir_all(folder)?;
    missing
        .iter()
        .filter_map(|made| made.parent())
        .try_for_each(sync)
}

/// A new name is on the disk only when its folder is.
fn sync(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    File::open(folder)?.sync_all()
}

fn position(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
