//! Running in the background (`daemonize yes`), and the file that says under which process id.
//!
//! The server in front starts itself again, in a session of its own and without a terminal, and ends
//! once that one serves: so whoever started it knows by the exit code, and what goes wrong until then
//! is still shown. (A fork would be the other way; it copies a process that may have threads, and it
//! tells the caller nothing.)

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use stoa_config::Config;

use crate::log::Log;
use crate::process::plain;

/// Set for the second process, so that it does not start a third.
const MARK: &str = "STOA_IN_BACKGROUND";
/// What the second says once it serves.
const READY: &str = "ready";
/// Where the process id goes in the background, if nothing else is said.
const PID_FILE_DEFAULT: &str = "/var/run/stoa.pid";

/// True in a process that was started by [`start`].
pub(crate) fn is_here() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Starts this program again, in the background, and waits until it serves.
///
/// # Errors
/// When it does not; it has said why on standard error.
pub(crate) fn start() -> io::Result<()> {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if args.iter().any(|arg| arg == "-") {
        return Err(io::Error::other(
            "standard input can be read only once, and not in the background: name a \
             configuration file, or leave 'daemonize' out",
        ));
    }
    let mut child = Command::new(std::env::current_exe()?)
        .args(args)
        .env(MARK, "yes")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    let pipe = child.stdout.take();
    pipe.ok_or(io::ErrorKind::BrokenPipe)?.read_to_string(&mut said)?;
    if said == READY {
        return Ok(());
    }
    let ended = child.wait()?;
    Err(io::Error::other(format!("it did not start in the background ({ended})")))
}

/// Leaves the terminal and the session of whoever started us.
pub(crate) fn leave_session() -> io::Result<()> {
    // It can only fail for who leads a group of processes, and we were just made by another.
    rustix::process::setsid()?;
    Ok(())
}

/// Tells the process in front that we serve, and lets go of its streams.
pub(crate) fn say_ready() -> io::Result<()> {
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    let mut out = io::stdout();
    out.write_all(READY.as_bytes())?;
    out.flush()?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    Ok(())
}

/// Names the default file where a server in the background was told none, so that CONFIG GET shows it.
pub(crate) fn settle_pid_file(config: &mut Config) -> io::Result<()> {
    if config.daemonize && config.pid_file.is_none() {
        config.settle("pidfile", PID_FILE_DEFAULT.as_bytes()).map_err(io::Error::other)?;
    }
    Ok(())
}

/// The file with our process id; gone when this is dropped.
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it, if one is wanted. A server without it serves all the same, as Redis does.
    pub(crate) fn write(config: &Config, log: &Log) -> Option<Self> {
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(config.pid_file.as_deref()?));
        // It is removed when the process may work in another directory.
        let path = std::path::absolute(&path).unwrap_or(path);
        match std::fs::write(&path, format!("{}\n", std::process::id())) {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                let (path, error) = (path.display(), plain(&error));
                log.warning(&format!(
                    "can't write the process id to '{path}': {error}; set 'pidfile' to a path that \
                     may be written"
                ));
                None
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody may have removed it.
        let _ = std::fs::remove_file(&self.0);
    }
}
