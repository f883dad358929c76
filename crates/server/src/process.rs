//! What only the process as a whole can say: the time, its memory, its CPU time, its files.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};
use stoa_config::Config;
use stoa_engine::{ProcessFacts, World};
use stoa_observability::info::{Allocator, CpuUs};
use stoa_stdx::{MonoNs, UnixMs};
use tikv_jemalloc_ctl::stats_print::Options;
use tikv_jemalloc_ctl::{Access, AsName, epoch, stats};

/// The questions that shards put to the system.
pub(crate) fn world() -> World {
    AT_START.store(allocator().allocated, Ordering::Relaxed);
    World {
        process: facts,
        rewrite_config,
        enter_dir,
        clients_max: crate::open_files::clients_max,
        purge_memory,
        allocator_thread,
        thread_allocated,
        allocator_report,
    }
}

static AT_START: AtomicU64 = AtomicU64::new(0);
/// The most that was ever seen handed out, as INFO looked, and when. Figures for people: two threads
/// that look at once may lose one of two nearly equal peaks.
static PEAK: AtomicU64 = AtomicU64::new(0);
static PEAK_AT: AtomicU64 = AtomicU64::new(0);

fn facts() -> ProcessFacts {
    let allocator = allocator();
    if PEAK.fetch_max(allocator.allocated, Ordering::Relaxed) < allocator.allocated {
        PEAK_AT.store(unix_now().0, Ordering::Relaxed);
    }
    ProcessFacts {
        rss: rss().unwrap_or(0),
        total_system: rustix::system::sysinfo().totalram as u64
            * u64::from(rustix::system::sysinfo().mem_unit),
        allocator,
        allocated_peak: PEAK.load(Ordering::Relaxed),
        allocated_peak_at: UnixMs(PEAK_AT.load(Ordering::Relaxed)),
        allocated_at_start: AT_START.load(Ordering::Relaxed),
        cpu: cpu(),
    }
}

fn allocator() -> Allocator {
    // The figures are cached until the epoch moves.
    let _ = epoch::advance();
    Allocator {
        name: "jemalloc-5.3.1",
        allocated: stats::allocated::read().unwrap_or(0) as u64,
        active: stats::active::read().unwrap_or(0) as u64,
        resident: stats::resident::read().unwrap_or(0) as u64,
        muzzy: 0,
    }
}

/// Gives unused pages back. jemalloc keeps them for a while, its decay time, and setting that time to
/// nothing lets them go at once; then it is as before. True if all arenas followed.
fn purge_memory() -> bool {
    let Ok(arenas) = tikv_jemalloc_ctl::arenas::narenas::read() else { return false };
    (0..arenas).all(|arena| {
        ["dirty_decay_ms", "muzzy_decay_ms"].iter().all(|what| {
            let text = format!("arena.{arena}.{what}\0");
            let name = text.as_bytes().name();
            // An arena that no thread has used yet has no decay time, and nothing to give back.
            let Ok(before) = Access::<isize>::read(name) else { return true };
            let purged = name.write(0_isize).is_ok();
            name.write(before).is_ok() && purged
        })
    })
}

/// jemalloc makes its threads at once when it may have them, and ends them when it may not.
pub(crate) fn allocator_thread(wanted: bool) -> bool {
    tikv_jemalloc_ctl::background_thread::write(wanted).is_ok()
}

/// What this thread took less what it gave back; negative, when it freed more of what others took. Each
/// thread is asked by itself alone, and only the sum of all says something.
fn thread_allocated() -> Option<i64> {
    use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};
    thread_local! {
        static COUNTERS: Option<(ThreadLocal<u64>, ThreadLocal<u64>)> =
            allocatedp::read().ok().zip(deallocatedp::read().ok());
    }
    COUNTERS.with(|counters| {
        let (taken, given) = counters.as_ref()?;
        // A program with another allocator never asks this one for anything.
        let taken = Some(taken.get()).filter(|taken| *taken > 0)?;
        Some(taken.wrapping_sub(given.get()).cast_signed())
    })
}

/// jemalloc's own report, for people.
fn allocator_report() -> String {
    let mut report = Vec::new();
    match tikv_jemalloc_ctl::stats_print::stats_print(&mut report, Options::default()) {
        Ok(()) => String::from_utf8_lossy(&report).into_owned(),
        Err(_) => String::new(),
    }
}

/// Resident pages as `proc_pid_statm(5)` gives them, in bytes.
fn rss() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// CPU time of the process, from clock ticks in `proc_pid_stat(5)`.
fn cpu() -> CpuUs {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return CpuUs::default() };
    // The name may hold anything, and ends with the last parenthesis.
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let us_per_tick = 1_000_000 / rustix::param::clock_ticks_per_second().max(1);
    let field = |number: usize| {
        let ticks = behind.split_whitespace().nth(number - 3).and_then(|text| text.parse().ok());
        ticks.unwrap_or(0_u64) * us_per_tick
    };
    CpuUs {
        user: field(14),
        sys: field(15),
        user_children: field(16),
        sys_children: field(17),
        user_shards: field(14),
        sys_shards: field(15),
    }
}

/// Writes the configuration into its file. The new file takes the place of the old one whole.
fn rewrite_config(path: &str, config: &Config) -> Result<(), String> {
    let path = Path::new(path);
    let write = || -> io::Result<()> {
        let old = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let mut beside = PathBuf::from(path).into_os_string();
        beside.push(format!(".{}.tmp", std::process::id()));
        std::fs::write(&beside, config.rewrite(&old))?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|error| error.to_string())
}

/// Every shard does it, each from the directory it believes to be in: so the outcome hangs on what was
/// asked for, and not on who came first.
fn enter_dir(from: &[u8], to: &[u8]) -> Result<Vec<u8>, String> {
    let path = Path::new(OsStr::from_bytes(from)).join(OsStr::from_bytes(to));
    let enter = || {
        std::env::set_current_dir(&path)?;
        path.canonicalize()
    };
    let entered = enter().map_err(|error| plain(&error))?;
    Ok(entered.into_os_string().into_vec())
}

/// What the system says, as C programs print it: without its number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Nanoseconds of the clock that never jumps.
pub(crate) fn mono_now() -> MonoNs {
    let now = clock_gettime(ClockId::Monotonic);
    MonoNs(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
}

/// Milliseconds since 1970.
pub(crate) fn unix_now() -> UnixMs {
    let now = clock_gettime(ClockId::Realtime);
    UnixMs(now.tv_sec as u64 * 1_000 + now.tv_nsec as u64 / 1_000_000)
}

/// `Linux 6.18.0 x86_64`.
pub(crate) fn os() -> String {
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    format!("{} {} {}", text(name.sysname()), text(name.release()), text(name.machine()))
}
