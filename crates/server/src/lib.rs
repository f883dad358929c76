//! Assembles a node: configuration, shards, driver, signals; and takes it apart again.
//!
//! Everything that touches the process as a whole is here, so that shards need know nothing of it.

mod log;
mod process;
mod service;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use stoa_config::{Config, Driver, Launch};
use stoa_engine::Facts;
use stoa_observability::info::REDIS_VERSION;
use stoa_shard::{Moment, Setup};
use stoa_stdx::{HashSeed, ShardId};
use stoa_uring::{DriverChoice, Options, UnixSocket};

use crate::log::Log;
use crate::service::ShardService;

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `--version` prints: the form that tools search for ` v=`.
#[must_use]
pub fn version_line() -> String {
    format!("Stoa server v={REDIS_VERSION} stoa={VERSION} bits=64")
}

/// Reads a configuration file, or standard input for `-`.
///
/// # Errors
/// As reading any file.
pub fn read_config_file(path: &Path) -> io::Result<String> {
    if path == Path::new("-") {
        io::read_to_string(io::stdin())
    } else {
        std::fs::read_to_string(path)
    }
}

/// Serves until a signal or SHUTDOWN ends it.
///
/// # Errors
/// What keeps the node from starting or running, with what to do about it.
pub fn serve(launch: Launch) -> io::Result<()> {
    let Launch { config, config_file } = launch;
    // Named from where we were started, and written long after `dir` was entered.
    let config_file = config_file.map(absolute);
    let log = Log::open(&config)?;
    enter_dir(&config)?;
    let shards = shard_count(&config);
    let options = options(&config, shards)?;
    let facts = Arc::new(facts(&config, config_file));
    let seed = HashSeed::new([random()?, random()?, random()?, random()?]);
    let chance = random()?;
    let clients = Arc::new(AtomicUsize::new(0));
    log.notice(&format!("Stoa {VERSION} (Redis {REDIS_VERSION}) starting, PID: {}", facts.pid));
    for directive in config.without_effect() {
        log.warning(&format!("directive '{}' is accepted and not acting yet", directive.name));
    }
    let make = move |id: ShardId| {
        let setup = Setup {
            id,
            shards,
            table: stoa_commands::table(),
            config: config.clone(),
            facts: Arc::clone(&facts),
            seed: seed.clone(),
            chance: chance ^ u64::from(id.0).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            now: Moment { mono: process::mono_now(), unix: process::unix_now() },
            clock: process::mono_now,
        };
        ShardService::new(setup, Arc::clone(&clients))
    };
    let listeners = options.listeners.clone();
    let running = stoa_uring::run(options, make)?;
    let stop = running.stop_handle();
    let mut signals = signal_hook::iterator::Signals::new([
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGINT,
    ])?;
    let handle = signals.handle();
    let log_stop = log.clone();
    let waiter = std::thread::Builder::new().name("signals".into()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            log_stop.notice(&format!("Received signal {signal}, scheduling shutdown..."));
            stop.stop();
        }
    })?;
    let driver = if running.uses_uring() { "io_uring" } else { "readiness polling" };
    log.notice(&format!("{shards} shard(s) over {driver}, listening on {listeners:?}"));
    log.notice("Server initialized");
    log.notice("Ready to accept connections tcp");
    let ended = running.join();
    handle.close();
    // The thread ends with its signals; a panic in it has nothing left to spoil.
    let _ = waiter.join();
    log.notice("Stoa is now ready to exit, bye bye...");
    ended
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn random() -> io::Result<u64> {
    getrandom::u64().map_err(|error| io::Error::other(format!("no randomness: {error}")))
}

fn shard_count(config: &Config) -> u16 {
    match config.shards {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get().min(1_024) as u16),
        shards => shards,
    }
}

fn enter_dir(config: &Config) -> io::Result<()> {
    let dir = Path::new(std::ffi::OsStr::from_bytes(&config.dir));
    std::env::set_current_dir(dir).map_err(|error| {
        let text = format!("can't chdir to '{}': {error}; create it or set 'dir'", dir.display());
        io::Error::new(error.kind(), text)
    })
}

fn options(config: &Config, shards: u16) -> io::Result<Options> {
    let unix = config.unix_socket.as_ref().map(|path| UnixSocket {
        path: PathBuf::from(std::ffi::OsStr::from_bytes(path)),
        mode: (config.unix_socket_permissions != 0).then_some(config.unix_socket_permissions),
    });
    Ok(Options {
        shards,
        listeners: listeners(config)?,
        backlog: config.tcp_backlog,
        tcp_keepalive_s: config.tcp_keepalive_s,
        unix,
        driver: match config.driver {
            Driver::Auto => DriverChoice::Auto,
            Driver::Uring => DriverChoice::Uring,
            Driver::Poll => DriverChoice::Poll,
        },
        pin: config.pin,
        ..Options::default()
    })
}

/// The addresses of `bind`. One written as `-address` may be missing on this host.
fn listeners(config: &Config) -> io::Result<Vec<SocketAddr>> {
    let mut found = Vec::new();
    if config.port == 0 {
        return Ok(found);
    }
    for name in &config.bind {
        let text = String::from_utf8_lossy(name).into_owned();
        let (optional, host) = text.strip_prefix('-').map_or((false, text.as_str()), |h| (true, h));
        let host = match host {
            "*" => "0.0.0.0",
            "::*" => "::",
            host => host,
        };
        match (host, config.port).to_socket_addrs() {
            Ok(addrs) => {
                found.extend(addrs.filter(|addr| {
                    !optional || std::net::TcpListener::bind((addr.ip(), 0)).is_ok()
                }));
            }
            Err(_) if optional => {}
            Err(error) => {
                let text = format!("can't resolve bind address '{host}': {error}; correct 'bind'");
                return Err(io::Error::new(error.kind(), text));
            }
        }
    }
    Ok(found)
}

fn facts(config: &Config, config_file: Option<PathBuf>) -> Facts {
    let printed = |path: PathBuf| path.display().to_string();
    let run_id = (0..5).map(|_| format!("{:08x}", random().unwrap_or(0) as u32)).collect();
    Facts {
        stoa_version: VERSION,
        pid: std::process::id(),
        run_id,
        executable: std::env::current_exe().map_or_else(|_| String::new(), printed),
        config_file: config_file.map_or_else(String::new, printed),
        tcp_port: config.port,
        driver: match config.driver {
            Driver::Poll => "poll",
            Driver::Auto | Driver::Uring => "io_uring",
        },
        os: process::os(),
        started_unix: process::unix_now(),
        started: process::mono_now().ms(),
        world: process::world(),
    }
}
