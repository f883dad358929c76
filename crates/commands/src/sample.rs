//! Members by chance: how many, and which.

use std::collections::BTreeSet;

use stoa_command::{Args, ReplyError};
use stoa_stdx::Rng;

/// Draws with repetition beyond this are refused: a short request must not ask for a reply that fills
/// the memory.
const DRAWS_MAX: u64 = 1 << 24;

/// How many members, as SRANDMEMBER and its like take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// So many different ones, or all.
    Distinct(usize),
    /// So many draws, each from all.
    Draws(usize),
}

/// The count as it is written.
pub(crate) fn number(args: &mut Args<'_>) -> Result<i64, ReplyError> {
    const LEAST: ReplyError = ReplyError::Text(
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    );
    let number = args.int()?;
    if number == i64::MIN { Err(LEAST) } else { Ok(number) }
}

impl Count {
    pub(crate) fn of(number: i64) -> Result<Self, ReplyError> {
        if number >= 0 {
            return Ok(Self::Distinct(number as usize));
        }
        if number.unsigned_abs() > DRAWS_MAX {
            return Err(ReplyError::OutOfRange);
        }
        Ok(Self::Draws(number.unsigned_abs() as usize))
    }

    /// How many members are answered out of `len`.
    pub(crate) fn answers(self, len: usize) -> usize {
        match self {
            Self::Distinct(count) => count.min(len),
            Self::Draws(count) => count,
        }
    }
}

/// `count` different numbers below `len`, each choice as likely as any other (Floyd's algorithm).
pub(crate) fn distinct(len: usize, count: usize, rng: &mut Rng) -> BTreeSet<usize> {
    let mut chosen = BTreeSet::new();
    for last in len.saturating_sub(count)..len {
        let draw = rng.below(last as u64 + 1) as usize;
        if !chosen.insert(draw) {
            chosen.insert(last);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::distinct;

    #[test]
    fn every_number_is_chosen_as_often_as_any_other() {
        let mut rng = Rng::new(3);
        let mut counts = [0; 20];
        for _ in 0..10_000 {
            let chosen = distinct(20, 7, &mut rng);
            assert_eq!(chosen.len(), 7);
            chosen.into_iter().for_each(|n| counts[n] += 1);
        }
        // 3,500 expected.
        assert!(counts.iter().all(|count| (3_250..3_750).contains(count)), "{counts:?}");
        assert_eq!(distinct(3, 3, &mut rng).len(), 3);
    }
}
