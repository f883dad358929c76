//! Places and ranges as clients write them: from 0, below zero from the end.

/// The element that `index` means, if the list is long enough.
pub(super) fn element(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(len as i64)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < len)
}

/// The first element and the number of elements that `start` to `stop` mean, both included.
pub(super) fn range(start: i64, stop: i64, len: usize) -> Option<(usize, usize)> {
    let from_end = |at: i64| if at < 0 { at.saturating_add(len as i64) } else { at };
    let start = usize::try_from(from_end(start)).unwrap_or(0);
    let stop = usize::try_from(from_end(stop)).ok()?;
    (start <= stop && start < len).then(|| (start, stop.min(len - 1) - start + 1))
}

#[cfg(test)]
mod tests {
    use super::{element, range};

    #[test]
    fn places_count_from_either_end() {
        for (index, want) in [(0, Some(0)), (2, Some(2)), (3, None), (-1, Some(2)), (-4, None)] {
            assert_eq!(element(index, 3), want, "{index}");
        }
        assert_eq!(element(i64::MIN, 3), None);
    }

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        for (start, stop, want) in [
            (0, -1, Some((0, 3))),
            (1, 1, Some((1, 1))),
            (-2, 100, Some((1, 2))),
            (-100, 0, Some((0, 1))),
            (2, 1, None),
            (3, 4, None),
            (0, -4, None),
            (i64::MIN, i64::MAX, Some((0, 3))),
        ] {
            assert_eq!(range(start, stop, 3), want, "{start} {stop}");
        }
    }
}
