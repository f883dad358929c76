//! The wheel against a sorted map, over random programs, and its promises one by one.

use std::collections::BTreeMap;

use stoa_stdx::{Rng, UnixMs};

use super::{DEADLINE_MAX, Item, Wheel};

const YEAR_MS: u64 = 365 * 86_400_000;
const NOW: u64 = 1_790_000_000_123;

/// The stupid one: everything armed, in order.
#[derive(Default)]
struct Model(BTreeMap<(u64, u16, u64), usize>);

impl Model {
    fn add(&mut self, deadline: u64, arm: u16, cookie: u64) {
        *self.0.entry((deadline.min(DEADLINE_MAX.0), arm, cookie)).or_default() += 1;
    }

    fn first(&self) -> Option<u64> {
        self.0.first_key_value().map(|((deadline, ..), _)| *deadline)
    }

    fn take(&mut self, item: Item) -> bool {
        let key = (item.deadline().0, item.arm(), item.cookie);
        let Some(count) = self.0.get_mut(&key) else { return false };
        *count -= 1;
        if *count == 0 {
            self.0.remove(&key);
        }
        true
    }
}

/// A deadline as programs have them: near, far, past, on the edges of slots, absurd.
fn deadline(rng: &mut Rng, now: u64) -> u64 {
    match rng.below(10) {
        0 => now.saturating_sub(rng.below(100_000)),
        1 => now,
        2 | 3 => now + rng.below(300),
        4 | 5 => now + rng.below(100_000),
        6 => now + rng.below(40 * 86_400_000),
        7 => now + rng.below(600 * YEAR_MS),
        8 => {
            let edge = 1 << rng.below(48);
            ((now / edge + 1 + rng.below(3)) * edge + rng.below(3)).saturating_sub(1)
        }
        _ => u64::MAX >> rng.below(20),
    }
}

/// Where the clock goes next: mostly on, sometimes far, sometimes back.
fn step(rng: &mut Rng, now: u64) -> u64 {
    match rng.below(12) {
        0 => now,
        1..=4 => now + rng.below(4),
        5 | 6 => now + rng.below(1_000),
        7 => now + rng.below(10 * 86_400_000),
        8 => now + rng.below(3 * YEAR_MS),
        9 => now.saturating_sub(rng.below(300)),
        10 => now.saturating_sub(rng.below(5 * YEAR_MS)),
        _ => {
            let mask = (1 << rng.below(40)) - 1;
            (now | mask) + rng.below(2)
        }
    }
}

#[test]
fn nothing_is_early_and_nothing_is_lost() {
    for seed in 0..if cfg!(miri) { 1 } else { 3_000 } {
        let mut rng = Rng::new(seed);
        let mut now = if rng.one_in(4) { rng.below(1_000) } else { NOW };
        let (mut wheel, mut model) = (Wheel::new(UnixMs(now)), Model::default());
        let mut due = Vec::new();
        for turn in 0..60 {
            for _ in 0..rng.below(20) {
                let (at, arm, cookie) = (deadline(&mut rng, now), rng.next() as u16, rng.below(9));
                // A burst at one deadline makes lists of several chunks.
                for _ in 0..if rng.one_in(20) { rng.below(200) } else { 1 } {
                    wheel.add(UnixMs(at), arm, cookie);
                    model.add(at, arm, cookie);
                }
            }
            now = step(&mut rng, now);
            let limit_max = if rng.one_in(3) { 5 } else { 500 };
            let limit = rng.below(limit_max) as usize;
            due.clear();
            let moved_before = wheel.cascaded();
            let more = wheel.advance(UnixMs(now), limit, &mut due);
            let work = due.len() + (wheel.cascaded() - moved_before) as usize;
            assert!(work <= limit, "seed {seed}, turn {turn}: {work} units of {limit}");
            let case = format!("seed {seed}, turn {turn}");
            check_turn(&mut model, &wheel, &due, (now, more), &case);
            if rng.one_in(2) {
                sift(&mut wheel, &mut model, rng.below(60) as usize, &case);
            }
        }
        due.clear();
        while wheel.advance(UnixMs(u64::MAX), 1_000, &mut due) {}
        assert!(due.into_iter().all(|item| model.take(item)), "seed {seed}: unknown item");
        assert!(model.0.is_empty() && wheel.is_empty(), "seed {seed}: lost {:?}", model.0);
    }
}

/// Some items are stale from the first: what matters is that those alone are dropped.
const fn is_stale(item: Item) -> bool {
    item.arm().is_multiple_of(3)
}

fn sift(wheel: &mut Wheel, model: &mut Model, limit: usize, case: &str) -> bool {
    let mut asked = 0;
    let more = wheel.sift(limit, &mut |item| {
        asked += 1;
        assert!(!is_stale(item) || model.take(item), "{case}: {item:?} was not there to drop");
        !is_stale(item)
    });
    assert!(asked <= limit, "{case}: {asked} items of {limit}");
    assert_eq!(wheel.len(), model.0.values().sum::<usize>(), "{case}: after sifting");
    more
}

#[test]
fn a_round_of_sifting_leaves_nothing_stale_and_loses_nothing() {
    for seed in 0..if cfg!(miri) { 1 } else { 500 } {
        let mut rng = Rng::new(seed);
        let (mut wheel, mut model) = (Wheel::new(UnixMs(NOW)), Model::default());
        for cookie in 0..if cfg!(miri) { 200 } else { rng.below(2_000) } {
            let (at, arm) = (NOW + 1 + (rng.next() >> (20 + rng.below(40))), rng.next() as u16);
            wheel.add(UnixMs(at), arm, cookie);
            model.add(at, arm, cookie);
        }
        let case = format!("seed {seed}");
        while sift(&mut wheel, &mut model, 1 + rng.below(50) as usize, &case) {}
        let mut due = Vec::new();
        while wheel.advance(UnixMs(u64::MAX), 1_000, &mut due) {}
        assert!(due.iter().all(|item| !is_stale(*item)), "{case}: a stale item stayed");
        assert!(due.into_iter().all(|item| model.take(item)), "{case}: unknown item");
        assert!(model.0.is_empty(), "{case}: lost {:?}", model.0);
    }
}

#[test]
fn what_is_being_sifted_fires_in_time() {
    let mut wheel = Wheel::new(UnixMs(NOW));
    // One slot, which stays in the sieve with most of its items.
    for cookie in 0..1_000 {
        wheel.add(UnixMs(NOW + 3_600_000), 0, cookie);
    }
    assert!(wheel.sift(10, &mut |_| true));
    let (mut due, mut last) = (Vec::new(), NOW);
    while let Some(at) = wheel.next_deadline_hint() {
        assert!(at.0 >= last && at.0 <= NOW + 3_600_000, "{at:?} after {last}");
        last = at.0;
        while wheel.advance(at, 100, &mut due) {}
    }
    assert_eq!((due.len(), last), (1_000, NOW + 3_600_000));
}

#[test]
fn a_sample_shows_what_is_there_and_all_of_it_when_that_is_little() {
    for seed in 0..if cfg!(miri) { 1 } else { 200 } {
        let mut rng = Rng::new(seed);
        let (mut wheel, mut model) = (Wheel::new(UnixMs(NOW)), Model::default());
        let mut due = Vec::new();
        // Most of them fire, so that most chunks are free.
        for cookie in 0..if cfg!(miri) { 400 } else { 5_000 } {
            wheel.add(UnixMs(NOW + rng.below(1_000)), 0, cookie);
        }
        while wheel.advance(UnixMs(NOW + 1_000), 1_000, &mut due) {}
        let items = 1 + rng.below(100);
        for cookie in 0..items {
            let at = deadline(&mut rng, NOW + 2_000);
            wheel.add(UnixMs(at), 7, cookie);
            model.add(at, 7, cookie);
        }
        let mut seen = 0;
        wheel.sample(&mut rng, 64, &mut |item| {
            seen += 1;
            let key = (item.deadline().0, item.arm(), item.cookie);
            assert!(model.0.contains_key(&key), "seed {seed}: {item:?} is not there");
            if items <= 64 {
                assert!(model.take(item), "seed {seed}: {item:?} twice");
            }
        });
        assert!(seen <= 64 && (items > 64 || model.0.is_empty()), "seed {seed}: {:?}", model.0);
        assert!(seen > 0, "seed {seed}");
    }
}

fn check_turn(model: &mut Model, wheel: &Wheel, due: &[Item], at: (u64, bool), case: &str) {
    let (now, more) = at;
    for item in due {
        assert!(item.deadline().0 <= now, "{case}: {item:?} is early at {now}");
        assert!(model.take(*item), "{case}: {item:?} was never armed, or came twice");
    }
    let first = model.first();
    if !more {
        assert!(first.is_none_or(|first| first > now), "{case}: {first:?} is due by {now}");
    }
    assert_eq!(wheel.len(), model.0.values().sum::<usize>(), "{case}");
    let hint = wheel.next_deadline_hint();
    assert_eq!(hint.is_some(), first.is_some(), "{case}");
    if let (Some(hint), Some(first)) = (hint, first) {
        assert!(hint.0 <= first.max(now), "{case}: hint {hint:?}, first {first}, now {now}");
    }
}

#[test]
fn following_the_hint_finds_each_deadline_at_its_millisecond() {
    for seed in 0..if cfg!(miri) { 1 } else { 300 } {
        let mut rng = Rng::new(seed);
        let mut wheel = Wheel::new(UnixMs(NOW));
        for cookie in 0..40 {
            let span = 1 << rng.below(40);
            wheel.add(UnixMs(NOW + 1 + rng.below(span)), 0, cookie);
        }
        let (mut due, mut looks, mut last) = (Vec::new(), 0, NOW);
        while let Some(at) = wheel.next_deadline_hint() {
            assert!(at.0 >= last, "seed {seed}: the hint went back");
            last = at.0;
            due.clear();
            while wheel.advance(at, 3, &mut due) {}
            assert!(due.iter().all(|item| item.deadline() == at), "seed {seed}: late at {at:?}");
            looks += 1;
            assert!(looks <= 40 * 8, "seed {seed}: an item is looked at once a level");
        }
        assert!(wheel.is_empty(), "seed {seed}");
    }
}

#[test]
fn a_slot_of_a_hundred_thousand_is_taken_apart_in_portions() {
    let mut wheel = Wheel::new(UnixMs(0));
    // All in one slot of a high level, which a naive wheel moves down in one tick.
    let items = if cfg!(miri) { 2_000 } else { 100_000 };
    for cookie in 0..items {
        wheel.add(UnixMs((1 << 30) + cookie % 1_000), 0, cookie);
    }
    let (mut due, mut calls, mut handed_over) = (Vec::new(), 0, 0);
    loop {
        due.clear();
        let moved_before = wheel.cascaded();
        let more = wheel.advance(UnixMs(1 << 30), 100, &mut due);
        assert!(due.len() as u64 + wheel.cascaded() - moved_before <= 100);
        calls += 1;
        handed_over += due.len();
        if !more {
            break;
        }
    }
    assert_eq!(handed_over as u64, items / 1_000, "one in a thousand is due");
    assert_eq!(calls, items / 100, "each item is touched once");
}

#[test]
fn a_jump_over_a_hundred_years_touches_what_is_due_once() {
    let mut rng = Rng::new(1);
    let mut wheel = Wheel::new(UnixMs(NOW));
    let items = if cfg!(miri) { 500 } else { 50_000 };
    for cookie in 0..items {
        wheel.add(UnixMs(NOW + rng.below(90 * YEAR_MS)), 0, cookie);
    }
    let (mut due, mut calls) = (Vec::new(), 0);
    while wheel.advance(UnixMs(NOW + 100 * YEAR_MS), 1_000, &mut due) {
        calls += 1;
    }
    assert_eq!((due.len(), wheel.cascaded()), (items as usize, 0));
    assert!(calls <= 50, "{calls} calls");
}

#[test]
fn a_clock_that_was_wrong_by_years_and_is_set_right_strands_nothing() {
    let mut wheel = Wheel::new(UnixMs(NOW));
    let mut due = Vec::new();
    wheel.add(UnixMs(NOW + 50), 0, 1);
    assert!(!wheel.advance(UnixMs(NOW + 9 * YEAR_MS), 10, &mut due));
    assert_eq!(due.len(), 1, "due by the clock of the moment");
    due.clear();
    // Armed while the clock was wrong, and after it was set right.
    wheel.add(UnixMs(NOW + 1_000), 0, 2);
    wheel.add(UnixMs(NOW + 10 * YEAR_MS), 0, 3);
    assert!(!wheel.advance(UnixMs(NOW), 10, &mut due));
    assert_eq!(due, [], "not yet");
    wheel.add(UnixMs(NOW + 2_000), 0, 4);
    assert!(!wheel.advance(UnixMs(NOW + 2_000), 10, &mut due));
    due.sort_by_key(|item| item.cookie);
    assert_eq!(due.iter().map(|item| item.cookie).collect::<Vec<_>>(), [2, 4]);
    due.clear();
    assert!(!wheel.advance(UnixMs(NOW + 10 * YEAR_MS), 10, &mut due));
    assert_eq!(due.len(), 1);
}

#[test]
fn an_item_carries_its_deadline_arm_and_cookie() {
    let mut wheel = Wheel::new(UnixMs(5));
    wheel.add(UnixMs(u64::MAX), u16::MAX, u64::MAX);
    wheel.add(UnixMs(0), 7, 8);
    let mut due = Vec::new();
    wheel.advance(UnixMs(u64::MAX), 10, &mut due);
    let seen: Vec<_> = due.iter().map(|item| (item.deadline(), item.arm(), item.cookie)).collect();
    assert_eq!(seen, [(UnixMs(0), 7, 8), (DEADLINE_MAX, u16::MAX, u64::MAX)]);
}

#[test]
fn memory_is_small_when_empty_near_sixteen_bytes_an_item_and_comes_back() {
    let mut wheel = Wheel::new(UnixMs(NOW));
    let empty = wheel.bytes();
    assert!(empty < 16 * 1_024, "{empty} bytes");
    wheel.add(UnixMs(NOW + 9), 0, 0);
    assert!(wheel.bytes() < empty + 4 * 1_024, "one item costs {}", wheel.bytes() - empty);
    let mut rng = Rng::new(3);
    let items = if cfg!(miri) { 20_000 } else { 1_000_000 };
    for cookie in 1..items {
        wheel.add(UnixMs(NOW + rng.below(3_600_000)), 0, cookie);
    }
    let per_item = wheel.bytes() as f64 / items as f64;
    assert!(per_item < 17.5, "{per_item} bytes an item");
    let mut due = Vec::new();
    while wheel.advance(UnixMs(NOW + 3_600_000), 10_000, &mut due) {
        due.clear();
    }
    // A portion a call.
    for _ in 0..100 {
        wheel.advance(UnixMs(NOW + 3_600_000), 10_000, &mut due);
    }
    assert!(wheel.bytes() < 512 * 1_024, "{} bytes stay", wheel.bytes());
    wheel.add(UnixMs(NOW + 3_600_001), 0, 1);
    assert_eq!(wheel.next_deadline_hint(), Some(UnixMs(NOW + 3_600_001)));
}

#[test]
fn a_cleared_wheel_forgets_everything_and_goes_on() {
    let mut wheel = Wheel::new(UnixMs(NOW));
    for cookie in 0..10_000 {
        wheel.add(UnixMs(NOW + cookie * 977), 0, cookie);
    }
    wheel.clear();
    assert_eq!((wheel.len(), wheel.next_deadline_hint()), (0, None));
    wheel.add(UnixMs(NOW + 3), 1, 2);
    let mut due = Vec::new();
    assert!(!wheel.advance(UnixMs(NOW + 10 * YEAR_MS), 10, &mut due));
    assert_eq!(due.len(), 1);
}
