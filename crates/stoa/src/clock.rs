//! Where the library's time comes from: the system, or a hand that moves it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stoa_stdx::MonoNs;

/// Two clocks: one that never jumps, and the one on the wall that keys expire by.
pub trait Clock: Send {
    /// Nanoseconds since any start; never goes back.
    fn mono_ns(&self) -> u64;
    /// Milliseconds since 1970.
    fn unix_ms(&self) -> u64;
    /// Lets time pass: a call waits for the end of a CLIENT PAUSE or DEBUG SLEEP by this.
    fn wait(&self, time: Duration);
    /// Measures work for the statistics of INFO, if it can. No reply to another command depends
    /// on it.
    fn stopwatch(&self) -> fn() -> MonoNs {
        || MonoNs(0)
    }
}

/// The system's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

fn since_start() -> MonoNs {
    static START: OnceLock<Instant> = OnceLock::new();
    MonoNs(START.get_or_init(Instant::now).elapsed().as_nanos() as u64)
}

impl Clock for SystemClock {
    fn mono_ns(&self) -> u64 {
        since_start().0
    }

    fn unix_ms(&self) -> u64 {
        // Before 1970 only a broken clock stands; then deadlines are as if it were 1970.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    fn wait(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn stopwatch(&self) -> fn() -> MonoNs {
        since_start
    }
}

/// A clock that stands still until it is moved. Clones are hands on the same clock.
///
/// ```
/// use std::time::Duration;
/// let clock = stoa::ManualClock::at_unix_ms(1_700_000_000_000);
/// let db = stoa::Db::builder().clock(clock.clone()).open_memory()?;
/// db.execute(&[b"SET", b"k", b"v", b"PX", b"10"])?;
/// clock.advance(Duration::from_millis(11));
/// assert_eq!(db.get(b"k")?, None);
/// # Ok::<(), stoa::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    hands: Arc<Hands>,
}

#[derive(Debug)]
struct Hands {
    mono_ns: AtomicU64,
    unix_ms_at_start: u64,
}

impl ManualClock {
    /// A clock that says this moment.
    #[must_use]
    pub fn at_unix_ms(unix_ms: u64) -> Self {
        let hands = Hands { mono_ns: AtomicU64::new(0), unix_ms_at_start: unix_ms };
        Self { hands: Arc::new(hands) }
    }

    /// Moves both clocks forward.
    pub fn advance(&self, time: Duration) {
        self.hands.mono_ns.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn mono_ns(&self) -> u64 {
        self.hands.mono_ns.load(Ordering::Relaxed)
    }

    fn unix_ms(&self) -> u64 {
        self.hands.unix_ms_at_start + self.mono_ns() / 1_000_000
    }

    /// Whoever waits moves the clock: nothing else would.
    fn wait(&self, time: Duration) {
        self.advance(time);
    }
}
