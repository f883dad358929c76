//! Assembles a node: configuration, shards, driver, signals; and takes it apart again.
//!
//! Everything that touches the process as a whole is here, so that shards need know nothing of it.

mod background;
mod http;
mod listen;
mod log;
mod open_files;
mod process;
mod service;

use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use stoa_config::{Config, Driver, Launch};
use stoa_engine::{Facts, Table};
use stoa_observability::info::REDIS_VERSION;
use stoa_shard::{Moment, Setup};
use stoa_stdx::{HashSeed, ShardId};
use stoa_uring::{DriverChoice, Options, UnixSocket};

use crate::background::PidFile;
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

/// Serves until a signal or SHUTDOWN ends it. With `daemonize`, has another process do so and returns
/// once that one serves.
///
/// # Errors
/// What keeps the node from starting or running, with what to do about it.
pub fn serve(launch: Launch) -> io::Result<()> {
    serve_with(launch, stoa_commands::table())
}

/// As [`serve`], with a command table of the caller's: for servers with commands of their own, made
/// with [`stoa_commands::table_with`].
///
/// # Errors
/// As [`serve`].
pub fn serve_with(launch: Launch, table: &'static Table) -> io::Result<()> {
    let Launch { mut config, config_file } = launch;
    // Named from where we were started, and written long after `dir` was entered.
    let config_file = config_file.map(absolute);
    if config.daemonize && !background::is_here() {
        return background::start();
    }
    if config.daemonize {
        background::leave_session()?;
    }
    enter_dir(&mut config)?;
    let log = Log::open(&config)?;
    let ended = serve_here(config, config_file, table, &log);
    if let Err(error) = &ended {
        log.fatal(&error.to_string());
    }
    ended
}

fn serve_here(
    mut config: Config,
    config_file: Option<PathBuf>,
    table: &'static Table,
    log: &Log,
) -> io::Result<()> {
    background::settle_pid_file(&mut config)?;
    let shards = shard_count(&config);
    let options = options(&config, shards)?;
    let facts = Arc::new(facts(&config, config_file));
    let seed = HashSeed::new([random()?, random()?, random()?, random()?]);
    let chance = random()?;
    let sockets = options.listeners.len() + usize::from(options.unix.is_some());
    let clients = Arc::new(AtomicUsize::new(0));
    log.notice(&format!("Stoa {VERSION} (Redis {REDIS_VERSION}) starting, PID: {}", facts.pid));
    open_files::make_room(&mut config, shards, sockets, log)?;
    let http = http::bind(&config)?;
    for directive in config.without_effect() {
        log.warning(&directive.inert_line());
    }
    config.cautions().for_each(|caution| log.warning(caution));
    if !process::allocator_thread(config.allocator_thread) && config.allocator_thread {
        log.warning("'jemalloc-bg-thread' has no effect: this allocator cannot start threads");
    }
    let (log_port, log_thread) = log.port()?;
    let (in_background, pid_file_of) = (config.daemonize, config.clone());
    let make = move |id: ShardId| {
        let setup = Setup {
            id,
            shards,
            table,
            config: config.clone(),
            facts: Arc::clone(&facts),
            seed: seed.clone(),
            chance: chance ^ u64::from(id.0).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            now: Moment { mono: process::mono_now(), unix: process::unix_now() },
            clock: process::mono_now,
        };
        ShardService::new(setup, Arc::clone(&clients), log_port.clone())
    };
    let unix = options.unix.as_ref().map(|unix| absolute(unix.path.clone()));
    let running = stoa_uring::run(options, make)?;
    let http = http::serve(http, table, running.entrance(), log)?;
    let stop = running.stop_handle();
    let mut signals = signal_hook::iterator::Signals::new([
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGHUP,
    ])?;
    let handle = signals.handle();
    let log_stop = log.clone();
    let waiter = std::thread::Builder::new().name("signals".into()).spawn(move || {
        // A terminal that closes does not end it, as with Redis.
        let ends = |signal: &i32| *signal != signal_hook::consts::SIGHUP;
        if let Some(signal) = signals.forever().find(ends) {
            log_stop.notice(&format!("Received signal {signal}, scheduling shutdown..."));
            stop.stop();
        }
    })?;
    let pid_file = PidFile::write(&pid_file_of, log);
    let driver = if running.uses_uring() { "io_uring" } else { "readiness polling" };
    let (addrs, unix) = (&running.addrs, unix.as_deref());
    let places = listen::places(addrs, unix);
    log.notice(&format!("{shards} shard(s) over {driver}, listening on {places}"));
    log.notice("Server initialized");
    for (kind, listens) in [("tcp", !addrs.is_empty()), ("unix", unix.is_some())] {
        if listens {
            log.notice(&format!("Ready to accept connections {kind}"));
        }
    }
    log.notice(&format!("Connect with: {}", listen::how_to_connect(addrs, unix)));
    if in_background {
        background::say_ready()?;
    }
    let ended = running.join();
    if let Some(http) = http {
        http.stop();
    }
    drop(pid_file);
    handle.close();
    // These threads end with their signals and lines; a panic in them has nothing left to spoil.
    let _ = waiter.join();
    let _ = log_thread.join();
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

/// Works in `dir` from now on; CONFIG GET answers where that is, however it was named.
fn enter_dir(config: &mut Config) -> io::Result<()> {
    let dir = PathBuf::from(std::ffi::OsStr::from_bytes(&config.dir));
    let enter = || {
        std::env::set_current_dir(&dir)?;
        std::env::current_dir()
    };
    let entered = enter().map_err(|error| {
        let text = format!("can't chdir to '{}': {error}; create it or set 'dir'", dir.display());
        io::Error::new(error.kind(), text)
    })?;
    config.settle("dir", &entered.into_os_string().into_vec()).map_err(io::Error::other)
}

fn options(config: &Config, shards: u16) -> io::Result<Options> {
    let unix = config.unix_socket.as_ref().map(|path| UnixSocket {
        path: PathBuf::from(std::ffi::OsStr::from_bytes(path)),
        mode: (config.unix_socket_permissions != 0).then_some(config.unix_socket_permissions),
    });
    Ok(Options {
        shards,
        listeners: listen::addresses(config)?,
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
        scripts: Arc::default(),
        memory: Arc::default(),
        tracked: Arc::default(),
    }
}
