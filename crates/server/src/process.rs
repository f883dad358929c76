//! What only the process as a whole can say: the time, the system.

use rustix::time::{ClockId, clock_gettime};
use stoa_stdx::{MonoNs, UnixMs};

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
