//! The only clock: read once a pass, and handed down.

use rustix::time::{ClockId, clock_gettime};
use stoa_stdx::{MonoNs, UnixMs};

use crate::service::Now;

/// The time, monotonic and of the wall.
pub(crate) fn now() -> Now {
    let wall = clock_gettime(ClockId::Realtime);
    // A wall clock before 1970 is a wrong clock; keys then simply do not expire.
    let ms = u64::try_from(wall.tv_sec).unwrap_or(0) * 1_000 + wall.tv_nsec as u64 / 1_000_000;
    Now { mono: mono(), unix: UnixMs(ms) }
}

/// The monotonic time alone.
pub(crate) fn mono() -> MonoNs {
    let mono = clock_gettime(ClockId::Monotonic);
    MonoNs(mono.tv_sec as u64 * 1_000_000_000 + mono.tv_nsec as u64)
}
