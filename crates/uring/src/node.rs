//! A node of shards: starting all of them or none, stopping them, and the first thing that failed.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use stoa_stdx::ShardId;

use crate::core::Core;
use crate::entrance::Entrance;
use crate::listen::{Listener, listen};
use crate::options::{DriverChoice, Options, Tuning};
use crate::park::Shared;
use crate::poll_driver::PollDriver;
use crate::post::posts;
use crate::ring;
use crate::service::Service;
use crate::uring_driver::UringDriver;

/// Starts a thread for each shard and returns once all of them accept connections. If one cannot
/// start, none runs and its error is returned.
pub fn run<S: Service>(
    options: Options,
    make: impl Fn(ShardId) -> S + Send + Clone + 'static,
) -> io::Result<Running> {
    if options.shards == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a node needs at least one shard"));
    }
    let drive = choose_drive(&options)?;
    let (listeners, addrs) = listen(&options)?;
    let shared = Arc::new(Shared::new(options.shards)?);
    let cpus = cpus(&options)?;
    let (ready, started) = mpsc::channel();
    let mut running = Running {
        addrs,
        // Removed at the end, when the process may work in another directory.
        unix: options
            .unix
            .as_ref()
            .map(|unix| std::path::absolute(&unix.path).unwrap_or_else(|_| unix.path.clone())),
        stop: Stop { shared: Arc::clone(&shared) },
        threads: Vec::new(),
        drive,
    };
    let posts = posts(&shared, options.shards, options.tuning.mailbox_len);
    for (post, listeners) in posts.into_iter().zip(listeners) {
        let shard = post.shard();
        let start = Start {
            listeners,
            drive,
            tuning: options.tuning,
            cpu: cpus.get(usize::from(shard.0)).copied(),
        };
        let (make, ready) = (make.clone(), ready.clone());
        let fuse = Fuse { shared: Arc::clone(&shared) };
        let grace = options.tuning.stop_grace_ms;
        let body = move || {
            let _fuse = fuse;
            start.run(move || Core::new(make(shard), post, grace), &ready)
        };
        let thread = std::thread::Builder::new().name(format!("shard-{}", shard.0)).spawn(body)?;
        running.threads.push(thread);
    }
    drop(ready);
    for _ in 0..options.shards {
        if started.recv().is_err() {
            // A thread ended without being ready, so the rest will too; `join` knows why.
            return Err(running.join().err().unwrap_or_else(|| {
                io::Error::other("a shard ended before it was ready, without saying why")
            }));
        }
    }
    Ok(running)
}

/// A node at work.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, in the order of [`Options::listeners`], with real ports.
    pub addrs: Vec<SocketAddr>,
    unix: Option<PathBuf>,
    stop: Stop,
    threads: Vec<JoinHandle<io::Result<()>>>,
    drive: Drive,
}

impl Running {
    /// A handle that stops the node from any thread.
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// A handle that brings sockets to its shards from any thread.
    pub fn entrance(&self) -> Entrance {
        Entrance::new(Arc::clone(&self.stop.shared))
    }

    /// Whether it runs over io_uring.
    pub fn uses_uring(&self) -> bool {
        self.drive != Drive::Poll
    }

    /// Waits until every shard has ended, and returns the first error.
    pub fn join(self) -> io::Result<()> {
        let mut first = Ok(());
        for thread in self.threads {
            let name = thread.thread().name().unwrap_or("a shard").to_owned();
            let result = thread.join().unwrap_or_else(|panic| {
                let message = panic_message(panic.as_ref());
                Err(io::Error::other(format!("{name} panicked: {message}")))
            });
            first = first.and(result);
        }
        if let Some(path) = self.unix {
            // It may be gone already, which is what we want.
            let _ = std::fs::remove_file(path);
        }
        first
    }
}

/// Stops a node.
#[derive(Clone)]
pub struct Stop {
    shared: Arc<Shared>,
}

impl Stop {
    /// Asks every shard to send what it owes and end. Returns at once.
    pub fn stop(&self) {
        self.shared.stop();
    }
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stop({})", if self.shared.is_stopping() { "asked" } else { "not asked" })
    }
}

/// Stops the others when a shard ends, for whatever reason.
struct Fuse {
    shared: Arc<Shared>,
}

impl Drop for Fuse {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

/// What a shard's thread needs to begin.
struct Start {
    listeners: Vec<Listener>,
    drive: Drive,
    tuning: Tuning,
    cpu: Option<usize>,
}

impl Start {
    fn run<S: Service>(
        self,
        core: impl FnOnce() -> Core<S>,
        ready: &mpsc::Sender<()>,
    ) -> io::Result<()> {
        if let Some(cpu) = self.cpu {
            pin(cpu)?;
        }
        let tuning = self.tuning;
        match self.drive {
            Drive::Uring => {
                let driver = UringDriver::new(core(), self.listeners, &tuning)?;
                let _ = ready.send(());
                driver.run()
            }
            Drive::Poll => {
                let driver = PollDriver::new(core(), self.listeners, &tuning)?;
                let _ = ready.send(());
                driver.run()
            }
        }
    }
}

/// What a node turned out to be driven by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drive {
    Uring,
    Poll,
}

/// Settles what to use; says so if it is not what was asked for.
fn choose_drive(options: &Options) -> io::Result<Drive> {
    let is_auto = match options.driver {
        DriverChoice::Poll => return Ok(Drive::Poll),
        DriverChoice::Uring => false,
        DriverChoice::Auto => true,
    };
    match ring::probe().map_err(cannot_use_uring) {
        Ok(()) => Ok(Drive::Uring),
        Err(error) if is_auto => {
            eprintln!("{error}; using the slower readiness driver instead");
            Ok(Drive::Poll)
        }
        Err(error) => Err(error),
    }
}

fn cannot_use_uring(error: io::Error) -> io::Error {
    let hint = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "; a container or sysctl kernel.io_uring_disabled forbids it: allow it with a seccomp \
             profile, or use --driver poll"
        }
        Some(libc::ENOSYS | libc::EINVAL) => {
            "; the kernel is too old (6.1 or newer is needed) or forbids it: use --driver poll"
        }
        Some(libc::ENOMEM) => {
            "; raise the limit of locked memory (ulimit -l), or use --driver poll"
        }
        _ => "; use --driver poll",
    };
    io::Error::new(error.kind(), format!("cannot use io_uring: {error}{hint}"))
}

/// The core of each shard; empty if shards are not to be bound.
fn cpus(options: &Options) -> io::Result<Vec<usize>> {
    if !options.pin {
        return Ok(Vec::new());
    }
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let cpus: Vec<usize> = if options.cpus.is_empty() {
        (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).collect()
    } else {
        options.cpus.clone()
    };
    // Two busy shards bound to one core would fight; let the kernel place them then.
    Ok(if cpus.len() < usize::from(options.shards) { Vec::new() } else { cpus })
}

fn pin(cpu: usize) -> io::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set).map_err(|error| {
        let kind = io::Error::from(error).kind();
        io::Error::new(
            kind,
            format!("cannot bind to core {cpu}: {error}; choose others, or --no-pin"),
        )
    })
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_bound_only_if_each_can_have_a_core() {
        let cores = |shards, cpus| {
            let options = Options { shards, cpus, ..Options::default() };
            cpus_of(&options)
        };
        assert_eq!(cores(2, vec![5, 7]), [5, 7]);
        assert_eq!(cores(3, vec![5, 7]), []);
        assert_eq!(cpus_of(&Options { pin: false, ..Options::default() }), []);
    }

    fn cpus_of(options: &Options) -> Vec<usize> {
        cpus(options).expect("Linux tells")
    }
}
