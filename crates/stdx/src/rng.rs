//! Seeded chance: the same seed gives the same run. Not for secrets.

/// `SplitMix64` (Steele, Lea, Flood 2014): one add and three multiplications a draw, any seed is
/// good, and a copy continues on its own.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A stream of draws that depends on `seed` alone.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`, close enough to even for sampling (bias below 2^-32 for bounds
    /// below 2^32). `bound` 0 gives 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() as u128 * bound as u128) >> 64) as u64
    }

    /// True once in `n` draws.
    pub const fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One element, by chance. Panics when `items` is empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn the_same_seed_gives_the_same_draws_and_bounds_hold() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        for bound in 1..1_000 {
            let draw = a.below(bound);
            assert_eq!(draw, b.below(bound));
            assert!(draw < bound, "{draw} of {bound}");
        }
    }
}
