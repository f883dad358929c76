//! How many clients the limit on open files allows.
//!
//! Each client is an open file, and a process that may open no more cannot accept, log or rewrite its
//! configuration. So room is made for all that `maxclients` promises before the first one comes, and
//! the promise is lowered where the system does not give that room: a client that is refused with a
//! reason is better served than one that waits in the backlog for ever.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stoa_config::Config;

use crate::log::Log;

/// Files of the process as a whole: standard streams, log, signals, a configuration being written, and
/// what libraries open for a moment.
const OF_PROCESS: u64 = 32;
/// Files of a shard beside its listeners: its ring, what wakes it, and one being accepted only to be
/// refused.
const OF_SHARD: u64 = 6;

/// Files that are no clients' ones, as counted at the start.
static RESERVED: AtomicU64 = AtomicU64::new(OF_PROCESS);

/// Makes room for `maxclients`, or lowers it and says so.
///
/// # Errors
/// When there is no room for a single client.
pub(crate) fn make_room(
    config: &mut Config,
    shards: u16,
    listeners: usize,
    log: &Log,
) -> io::Result<()> {
    let of_shards = u64::from(shards) * (OF_SHARD + listeners as u64);
    let reserved = OF_PROCESS + of_shards + crate::http::files(config);
    RESERVED.store(reserved, Ordering::Relaxed);
    let wanted = config.maxclients;
    let fits = clients_max(wanted);
    let needed = reserved + u64::from(wanted);
    if fits == 0 {
        return Err(io::Error::other(format!(
            "{} open files are allowed, too few for a single client: raise 'ulimit -n' to {needed}",
            allowed()
        )));
    }
    if fits < wanted {
        log.warning(&format!(
            "maxclients has been reduced to {fits}: {wanted} clients need {needed} open files and \
             {} are allowed; for more clients raise 'ulimit -n'",
            allowed()
        ));
        config.settle("maxclients", fits.to_string().as_bytes()).map_err(io::Error::other)?;
    }
    Ok(())
}

/// How many of `wanted` clients there is room for, once the limit is raised as far as it may be.
pub(crate) fn clients_max(wanted: u32) -> u32 {
    let reserved = RESERVED.load(Ordering::Relaxed);
    let needed = reserved + u64::from(wanted);
    if allowed() < needed {
        raise(needed);
    }
    // No more than `wanted`, which fits.
    allowed().saturating_sub(reserved).min(u64::from(wanted)) as u32
}

/// Raises the limit to `needed`; failing that, as far as one may without privileges.
fn raise(needed: u64) {
    let now = getrlimit(Resource::Nofile);
    let hard = now.maximum.map(|hard| hard.max(needed));
    let whole = Rlimit { current: Some(needed), maximum: hard };
    if setrlimit(Resource::Nofile, whole).is_err() {
        // What it comes to is read again.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, ..now });
    }
}

fn allowed() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
