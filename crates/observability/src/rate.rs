//! How fast a counter grows: the mean over the last sixteen samples, for INFO's `instantaneous_*`.
//!
//! Samples are taken by whoever owns the clock, about every 100 ms; the mean is of the rates of the
//! samples, so that one long gap does not drown the rest.

use stoa_stdx::MonoMs;

const SAMPLES: usize = 16;

/// Growth of one counter per second.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    last: Option<(MonoMs, u64)>,
    per_second: [u64; SAMPLES],
    next: usize,
}

impl Rate {
    /// Takes a sample. The first only marks the start; one at the same millisecond as the last is
    /// left out, and a counter that went back (a reset) counts as standing still.
    pub fn sample(&mut self, now: MonoMs, counter: u64) {
        if let Some((then, before)) = self.last {
            let ms = now.0.saturating_sub(then.0);
            if ms == 0 {
                return;
            }
            let grown = u128::from(counter.saturating_sub(before)) * 1_000 / u128::from(ms);
            self.per_second[self.next] = u64::try_from(grown).unwrap_or(u64::MAX);
            self.next = (self.next + 1) % SAMPLES;
        }
        self.last = Some((now, counter));
    }

    /// Mean over the last samples, per second.
    #[must_use]
    pub fn per_second(&self) -> u64 {
        let sum: u128 = self.per_second.iter().map(|rate| u128::from(*rate)).sum();
        (sum / SAMPLES as u128) as u64
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::MonoMs;

    use super::Rate;

    #[test]
    fn a_steady_counter_shows_its_pace_and_a_stopped_one_fades_to_zero() {
        let mut rate = Rate::default();
        for step in 0..=16 {
            rate.sample(MonoMs(step * 100), step * 50);
        }
        assert_eq!(rate.per_second(), 500);
        rate.sample(MonoMs(1_600), 9_999);
        assert_eq!(rate.per_second(), 500, "no time passed");
        for step in 17..=32 {
            rate.sample(MonoMs(step * 100), 0);
        }
        assert_eq!(rate.per_second(), 0, "a reset counter is no growth");
    }
}
