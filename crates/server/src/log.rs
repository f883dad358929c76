//! The server's log: lines in the form that tools which start a redis-server look for.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use stoa_config::{Config, LogLevel};

use crate::process::unix_now;

/// Lines of shards that may wait for the disk. More than that were caused by somebody who wants to
/// fill it; they are counted and dropped.
const WAITING_MAX: usize = 1_024;

/// Where lines go. Cheap to clone. A shard uses a [`LogPort`] instead: a file may make it wait.
#[derive(Clone)]
pub(crate) struct Log {
    to: Arc<Mutex<Box<dyn Write + Send>>>,
    level: LogLevel,
    /// Whether lines go where nobody sees what the program says on standard error.
    is_file: bool,
}

impl Log {
    /// The file of `logfile`, appended to; if there is none standard output, which a server in the
    /// background has not.
    pub(crate) fn open(config: &Config) -> io::Result<Self> {
        let path = config.log_file.as_deref().filter(|path| !path.is_empty());
        let to: Box<dyn Write + Send> = match path {
            None if config.daemonize => Box::new(io::sink()),
            None => Box::new(io::stdout()),
            Some(path) => {
                let path = Path::new(std::ffi::OsStr::from_bytes(path));
                let file = OpenOptions::new().create(true).append(true).open(path);
                Box::new(file.map_err(|error| {
                    let text = format!("can't open the log file '{}': {error}", path.display());
                    io::Error::new(error.kind(), text)
                })?)
            }
        };
        let (to, level, is_file) = (Arc::new(Mutex::new(to)), config.log_level, path.is_some());
        Ok(Self { to, level, is_file })
    }

    /// What an operator wants to see.
    pub(crate) fn notice(&self, text: &str) {
        if !matches!(self.level, LogLevel::Warning | LogLevel::Nothing) {
            self.write('*', text);
        }
    }

    /// What an operator has to see.
    pub(crate) fn warning(&self, text: &str) {
        if !matches!(self.level, LogLevel::Nothing) {
            self.write('#', text);
        }
    }

    /// What ends the program. Standard error says it too, and beside standard output that is enough.
    pub(crate) fn fatal(&self, text: &str) {
        if self.is_file {
            self.warning(text);
        }
    }

    /// A way to the log that never waits, and the thread that writes what comes through it until the
    /// last copy of the way is gone.
    pub(crate) fn port(&self) -> io::Result<(LogPort, JoinHandle<()>)> {
        let (to, lines) = sync_channel::<(LogLevel, String)>(WAITING_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let port = LogPort { to, dropped: Arc::clone(&dropped) };
        let log = self.clone();
        let write = move || {
            for (level, text) in lines {
                log.write(mark(level), &text);
                let missing = dropped.swap(0, Ordering::Relaxed);
                if missing > 0 {
                    log.write('#', &format!("{missing} lines came too fast and are not here"));
                }
            }
        };
        Ok((port, std::thread::Builder::new().name("log".into()).spawn(write)?))
    }

    fn write(&self, mark: char, text: &str) {
        let line = format!("{}:M {} {mark} {text}\n", std::process::id(), date(unix_now().0));
        if let Ok(mut to) = self.to.lock() {
            // A log that cannot be written to must not stop the server.
            let _ = to.write_all(line.as_bytes()).and_then(|()| to.flush());
        }
    }
}

/// A shard's way to the log. What comes through it was held against the level in force already.
#[derive(Clone)]
pub(crate) struct LogPort {
    to: SyncSender<(LogLevel, String)>,
    dropped: Arc<AtomicU64>,
}

impl LogPort {
    pub(crate) fn put(&self, level: LogLevel, text: String) {
        if self.to.try_send((level, text)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

const fn mark(level: LogLevel) -> char {
    match level {
        LogLevel::Debug => '.',
        LogLevel::Verbose => '-',
        LogLevel::Notice => '*',
        LogLevel::Warning | LogLevel::Nothing => '#',
    }
}

/// `21 Nov 2026 11:22:33.444`, UTC. Days to dates as in Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms".
fn date(unix_ms: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (ms, s) = (unix_ms % 1_000, unix_ms / 1_000);
    let (day, second) = ((s / 86_400) as i64, s % 86_400);
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (h, m, s) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{day:02} {} {year} {h:02}:{m:02}:{s:02}.{ms:03}", MONTHS[month as usize - 1])
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(super::date(0), "01 Jan 1970 00:00:00.000");
        assert_eq!(super::date(951_782_400_123), "29 Feb 2000 00:00:00.123");
        assert_eq!(super::date(1_795_261_353_444), "21 Nov 2026 11:42:33.444");
    }
}
