//! What 24 bits of an entry remember of its use: when it was used last, or how often.
//!
//! ```text
//! by time:    | seconds 24 |
//! by counter: | minutes 16 | count 8 |
//! ```
//!
//! The count is on a logarithmic scale: the more a key was used, the less likely one more use counts, so
//! that 255 stands for a million uses at the default factor. It falls by one for every `lfu-decay-time`
//! minutes since it was last brought up to date, and a new key starts above zero, or none would live long
//! enough to be used. Which of the two a keyspace keeps is `maxmemory-policy`'s to say; when it changes,
//! what is remembered means something else until each key is used again, as in Redis.

use stoa_stdx::{Rng, UnixMs};

/// What the counter of a new key shows.
const COUNT_OF_NEW: u32 = 5;
const COUNT_MAX: u32 = 255;
const COUNT_BITS: u32 = 8;
/// Minutes are counted up to here, and then from 0.
const MINUTES_MAX: u32 = 0xffff;

/// How uses are counted: the `lfu-*` directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counting {
    /// `lfu-log-factor`: how slowly the count grows.
    pub log_factor: u32,
    /// `lfu-decay-time`: minutes after which it falls by one; 0 is never.
    pub decay_minutes: u32,
}

/// What is known of the use of a key that comes from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Seconds since it was used last.
    IdleS(u64),
    /// How often it was used, on the logarithmic scale.
    Frequency(u8),
}

/// The 24-bit clock of last use: seconds, as Redis counts them for OBJECT IDLETIME.
pub(crate) const fn access_clock(now: UnixMs) -> u32 {
    (now.0 / 1_000) as u32 & 0xff_ffff
}

/// What stands for a count that is up to date at `now`.
pub(crate) const fn counted(count: u32, now: UnixMs) -> u32 {
    ((now.0 / 60_000) as u32 % (MINUTES_MAX + 1)) << COUNT_BITS | count
}

impl Counting {
    /// Of a new key.
    pub(crate) const fn of_new(now: UnixMs) -> u32 {
        counted(COUNT_OF_NEW, now)
    }

    /// The count at `now`.
    pub(crate) fn count(self, clock: u32, now: UnixMs) -> u32 {
        let (then, count) = (clock >> COUNT_BITS, clock & COUNT_MAX);
        let minute = counted(0, now) >> COUNT_BITS;
        // As Redis has it, which is a minute short when the clock began anew.
        let elapsed = if minute >= then { minute - then } else { MINUTES_MAX - then + minute };
        count.saturating_sub(elapsed.checked_div(self.decay_minutes).unwrap_or(0))
    }

    /// After one more use.
    pub(crate) fn used(self, clock: u32, now: UnixMs, chance: &mut Rng) -> u32 {
        let count = self.count(clock, now);
        let above = f64::from(count.saturating_sub(COUNT_OF_NEW));
        let likely = 1.0 / (above * f64::from(self.log_factor) + 1.0);
        let draw = (chance.next() >> 11) as f64 / (1_u64 << 53) as f64;
        counted((count + u32::from(draw < likely)).min(COUNT_MAX), now)
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::{DbIndex, HashSeed, Rng, UnixMs};

    use super::{Counting, access_clock, counted};
    use crate::{Keyspace, Ttl};

    const MINUTE: u64 = 60_000;

    #[test]
    fn the_count_falls_with_the_minutes_and_survives_the_end_of_its_clock() {
        let by = |decay_minutes| Counting { log_factor: 10, decay_minutes };
        let then = UnixMs(MINUTE * 1_000);
        let clock = counted(100, then);
        for (decay, after, want) in
            [(1, 0, 100), (1, 7, 93), (2, 7, 97), (0, 5_000, 100), (1, 101, 0), (1, 60_000, 0)]
        {
            let now = UnixMs(then.0 + after * MINUTE);
            assert_eq!(by(decay).count(clock, now), want, "{after} minutes, {decay} each");
        }
        let last = counted(100, UnixMs(MINUTE * 0xffff));
        assert_eq!(by(1).count(last, UnixMs(MINUTE * (0x1_0000 + 9))), 91);
    }

    #[test]
    fn the_count_grows_as_the_documentation_of_the_factor_says() {
        // Uses and counts as redis.conf tells them, for the factors 0, 1, 10 and 100.
        for (factor, uses, about) in [
            (0, 100, 104),
            (0, 1_000, 255),
            (1, 1_000, 49),
            (1, 100_000, 255),
            (10, 100, 10),
            (10, 1_000, 18),
            (10, 100_000, 142),
            (100, 1_000, 11),
            (100, 100_000, 49),
        ] {
            let counting = Counting { log_factor: factor, decay_minutes: 1 };
            let mut chance = Rng::new(u64::from(factor) + uses);
            let now = UnixMs(7 * MINUTE);
            let clock = (0..uses)
                .fold(Counting::of_new(now), |clock, _| counting.used(clock, now, &mut chance));
            let count = counting.count(clock, now);
            assert!(count.abs_diff(about) <= 2 + about / 6, "factor {factor}, {uses}: {count}");
        }
    }

    #[test]
    fn a_keyspace_counts_uses_or_remembers_the_last_one() {
        let secret = HashSeed::new([1, 2, 3, 4]);
        let (db, now) = (DbIndex(0), UnixMs(90 * MINUTE));
        let key = secret.key(b"k");
        let mut keyspace = Keyspace::new(1, secret.clone(), now);
        keyspace.db(db, now, true).set_string(&key, b"v", Ttl::Clear);
        let clock =
            |keyspace: &mut Keyspace| keyspace.db(db, now, true).peek(&key).map(|it| it.clock());
        assert_eq!(clock(&mut keyspace), Some(access_clock(now)));
        keyspace.counting = Some(Counting { log_factor: 0, decay_minutes: 1 });
        keyspace.db(db, now, true).remove(&key);
        keyspace.db(db, now, true).set_string(&key, b"v", Ttl::Clear);
        assert_eq!(clock(&mut keyspace), Some(counted(5, now)));
        for uses in 1..9 {
            if uses % 2 == 0 {
                keyspace.db(db, now, true).get(&key);
            } else {
                keyspace.db(db, now, true).set_string(&key, b"w", Ttl::Clear);
            }
            keyspace.db(db, now, false).get(&key);
            assert_eq!(clock(&mut keyspace), Some(counted(5 + uses, now)));
        }
    }
}
