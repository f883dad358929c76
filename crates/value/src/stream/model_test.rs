//! The stream against a plain ordered map, from seeds.

use std::collections::BTreeMap;

use stoa_stdx::Rng;

use super::{BlockLimits, Group, Pending, Stream, StreamId, Trim};

type Fields = Vec<Vec<u8>>;
type Model = BTreeMap<StreamId, Fields>;

fn fields(rng: &mut Rng) -> Fields {
    let pairs = 1 + rng.below(3);
    let mut all = Vec::new();
    for at in 0..pairs {
        // Mostly the same names, so that blocks can leave them out.
        all.push(if rng.one_in(10) { rng.below(9).to_string() } else { format!("f{at}") }.into());
        all.push(match rng.below(4) {
            0 => rng.next().to_string().into_bytes(),
            1 => (rng.next() as i64 >> rng.below(64)).to_string().into_bytes(),
            2 => vec![b'v'; rng.below(200) as usize],
            _ => (0..rng.below(20)).map(|_| rng.next() as u8).collect(),
        });
    }
    all
}

fn all(range: super::Range<'_>) -> Vec<(StreamId, Fields)> {
    range
        .map(|entry| {
            let count = entry.fields.len();
            let fields: Fields =
                entry.fields.flat_map(|(name, value)| [name.to_vec(), value.to_vec()]).collect();
            assert_eq!(fields.len(), count * 2);
            (entry.id, fields)
        })
        .collect()
}

fn check(stream: &Stream, model: &Model, rng: &mut Rng, case: &str) {
    assert_eq!(stream.len(), model.len(), "{case}");
    let first = model.keys().next().copied().unwrap_or_default();
    assert_eq!(stream.first_id(), first, "{case}");
    let bound =
        |rng: &mut Rng| StreamId { ms: rng.below(stream.last_id().ms + 2), seq: rng.below(4) };
    let (from, to) =
        if rng.one_in(3) { (StreamId::MIN, StreamId::MAX) } else { (bound(rng), bound(rng)) };
    let mut want: Vec<_> = model
        .iter()
        .filter(|(id, _)| from <= **id && **id <= to)
        .map(|(id, fields)| (*id, fields.clone()))
        .collect();
    assert_eq!(all(stream.range(from, to, false)), want, "{case}: {from} to {to}");
    want.reverse();
    assert_eq!(all(stream.range(from, to, true)), want, "{case}: {to} back to {from}");
}

#[test]
fn it_agrees_with_an_ordered_map() {
    for seed in 0..if cfg!(miri) { 2 } else { 60 } {
        let mut rng = Rng::new(seed);
        let entries = [0, 3, 100][seed as usize % 3];
        let limits = BlockLimits { bytes: [4_096, 200, 0][seed as usize % 3], entries };
        let (mut stream, mut model) = (Stream::default(), Model::new());
        let (mut added, mut max_deleted) = (0, StreamId::MIN);
        for step in 0..if cfg!(miri) { 60 } else { 700 } {
            let case = format!("seed {seed}, step {step}");
            match rng.below(10) {
                0..=6 => {
                    let last = stream.last_id();
                    let id = match rng.below(3) {
                        0 => last.next().expect("far from the end"),
                        _ => StreamId { ms: last.ms + 1 + rng.below(5), seq: rng.below(3) },
                    };
                    let new = fields(&mut rng);
                    let words: Vec<&[u8]> = new.iter().map(Vec::as_slice).collect();
                    stream.push(id, &words, limits);
                    model.insert(id, new);
                    added += 1;
                }
                7 | 8 => {
                    let id = match model.keys().nth(rng.below(model.len() as u64 + 1) as usize) {
                        Some(id) => *id,
                        None => StreamId { ms: rng.below(100), seq: 9 },
                    };
                    let was = model.remove(&id).is_some();
                    assert_eq!(stream.remove(id), was, "{case}: {id}");
                    max_deleted = if was { max_deleted.max(id) } else { max_deleted };
                }
                _ => trim(&mut stream, &mut model, &mut rng, &case),
            }
            if step % 11 == 0 {
                check(&stream, &model, &mut rng, &case);
            }
            assert_eq!(stream.entries_added(), added, "{case}");
            assert_eq!(stream.max_deleted_id(), max_deleted, "{case}");
        }
        assert!(stream.same(&stream.clone()), "seed {seed}");
        while stream.free_some(&mut 2) {}
        assert_eq!(stream.len(), 0, "seed {seed}");
    }
}

fn trim(stream: &mut Stream, model: &mut Model, rng: &mut Rng, case: &str) {
    let approximate = rng.one_in(2);
    let (trim, bound) = if rng.one_in(2) {
        let len = rng.below(model.len() as u64 + 3);
        let first = model.keys().nth(model.len().saturating_sub(len as usize)).copied();
        (Trim::MaxLen(len), first.unwrap_or(StreamId::MAX))
    } else {
        let id = StreamId { ms: rng.below(stream.last_id().ms + 2), seq: rng.below(3) };
        (Trim::MinId(id), id)
    };
    let bound = if matches!(trim, Trim::MaxLen(len) if len as usize >= model.len()) {
        StreamId::MIN
    } else {
        bound
    };
    let goes = model.range(..bound).count();
    let removed = stream.trim(trim, approximate, 0);
    if approximate {
        assert!(removed <= goes, "{case}: {trim:?} removed {removed} of {goes}");
    } else {
        assert_eq!(removed, goes, "{case}: {trim:?}");
    }
    for _ in 0..removed {
        model.pop_first();
    }
}

#[test]
fn what_a_group_holds_each_consumer_holds_once() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let mut group = Group::new(StreamId::MIN, Some(0));
        for step in 0..400 {
            let case = format!("seed {seed}, step {step}");
            let name = [b'a' + rng.below(4) as u8];
            let id = StreamId { ms: rng.below(40), seq: 1 };
            match rng.below(8) {
                0 => {
                    group.remove(&name);
                }
                1 | 2 => {
                    let was = group.pending().contains_key(&id);
                    assert_eq!(group.acknowledge(id), was, "{case}");
                }
                _ => {
                    let consumer = group.find(&name);
                    let consumer = consumer.or_else(|| group.add(&name, 1)).expect("one of both");
                    group.deliver(id, Pending { delivered_ms: 1, count: 1, consumer });
                }
            }
            let held: usize = group.consumers().map(|consumer| consumer.pending().len()).sum();
            assert_eq!(held, group.pending().len(), "{case}");
            for (id, pending) in group.pending() {
                assert!(group.consumer(pending.consumer).pending().contains(id), "{case}");
            }
        }
        let (mut pieces, mut portions) = (group.pieces(), 0);
        while group.free_some(&mut 3) {
            assert!(group.pieces() + 3 >= pieces, "seed {seed}: no more than it was told to");
            pieces = group.pieces();
            portions += 1;
        }
        assert!(portions < 200 && group.pending().is_empty() && group.consumers().len() == 0);
    }
}

/// Groups count for what a portion is, and for whether a stream needs portions at all.
#[test]
fn a_stream_whose_groups_are_large_is_freed_in_portions() {
    let mut stream = Stream::default();
    stream.push(StreamId { ms: 1, seq: 1 }, &[b"f", b"v"], BlockLimits { bytes: 0, entries: 0 });
    assert!(stream.is_light());
    for n in 0..50_u32 {
        let mut group = Group::new(StreamId::MIN, None);
        for consumer in 0..20_u32 {
            let name = consumer.to_be_bytes();
            let consumer = group.add(&name, 1).expect("a new name");
            group.deliver(
                StreamId { ms: 1, seq: 1 },
                Pending { delivered_ms: 1, count: 1, consumer },
            );
        }
        stream.put_group(&n.to_be_bytes(), group);
    }
    assert!(!stream.is_light());
    let mut portions = 1;
    while stream.free_some(&mut 10) {
        portions += 1;
    }
    assert!((100..400).contains(&portions), "{portions} portions of ten for a thousand consumers");
}

#[test]
fn an_entry_takes_little_more_than_its_values() {
    let count = if cfg!(miri) { 200 } else { 100_000 };
    let mut stream = Stream::default();
    for at in 0..count {
        let value = format!("value:{at:06}");
        let id = StreamId { ms: 1_700_000_000_000 + at as u64, seq: 0 };
        let fields: [&[u8]; 2] = [b"field", value.as_bytes()];
        stream.push(id, &fields, BlockLimits { bytes: 4_096, entries: 100 });
    }
    let each = stream.bytes() / count;
    assert!(each <= 23, "{each} bytes for an entry of 17");
}
