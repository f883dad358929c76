//! Making a failing list small: what is left after dropping all that can be dropped.

/// Runs of the check that a shrink may cost.
const RUNS_MAX: usize = 2_000;

/// The items of `all`, in order, without those that `fails` does not need to stay true. Drops halves
/// first, then quarters, down to single items.
pub fn shrink<T: Clone>(all: &[T], mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut kept = all.to_vec();
    let mut runs = 0;
    let mut portion = kept.len().div_ceil(2);
    while portion > 0 && !kept.is_empty() {
        let mut at = 0;
        let before = kept.len();
        while at < kept.len() && runs < RUNS_MAX {
            let end = (at + portion).min(kept.len());
            let without = [&kept[..at], &kept[end..]].concat();
            runs += 1;
            if fails(&without) {
                kept = without;
            } else {
                at = end;
            }
        }
        // Single items are tried again after any of them went: others may go now, too.
        portion = if portion == 1 && kept.len() < before { 1 } else { portion / 2 };
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::shrink;

    #[test]
    fn what_the_failure_needs_is_all_that_is_left() {
        let all: Vec<u32> = (0..100).collect();
        let kept = shrink(&all, |some| some.contains(&17) && some.contains(&83));
        assert_eq!(kept, [17, 83]);
    }

    #[test]
    fn a_failure_without_items_leaves_none() {
        assert_eq!(shrink(&[1, 2, 3], |_| true), Vec::<i32>::new());
    }
}
