//! Random traffic on a value that came from outside: what commands would do with it.
//!
//! A value that reading let in must behave like any other. The fuzz target and the bounded test share
//! this; both only look for panics and for books that do not balance.

use std::collections::BTreeSet;

use stoa_rdb::{Loaded, ValueRef, dump, restore};
use stoa_stdx::{Rng, UnixMs};
use stoa_value::{
    BlockLimits, End, Hash, List, Object, Pending, Rules, Set, SortedSet, Str, Stream, StreamId,
    Trim,
};

/// Runs `steps` random changes on `loaded`, then takes everything out of it.
pub fn exercise(loaded: Loaded, rules: &Rules, rng: &mut Rng, steps: usize) {
    comes_back(&loaded, rules);
    let Loaded::Object(object) = loaded else { return };
    match object {
        Object::List(list) => with_list(list, rules, rng, steps),
        Object::Set(set) => with_set(set, rules, rng, steps),
        Object::SortedSet(set) => with_sorted_set(set, rules, rng, steps),
        Object::Hash(hash) => with_hash(hash, rules, rng, steps),
        Object::Stream(stream) => with_stream(stream, rules, rng, steps),
    }
}

fn comes_back(loaded: &Loaded, rules: &Rules) {
    let written = |loaded: &Loaded| match loaded {
        Loaded::String(text) => dump(ValueRef::String(Str::Bytes(text)), &rules.limits, true),
        Loaded::Object(object) => dump(ValueRef::Object(object.as_ref()), &rules.limits, true),
    };
    let payload = written(loaded);
    let again = restore(&payload, true, rules).expect("what we write we read");
    if let Loaded::Object(Object::Stream(_)) = loaded {
        // Consumers have numbers of their own, which do not come back, and the same bytes.
        assert_eq!(written(&again), payload);
    } else {
        assert_eq!(&again, loaded);
    }
}

fn goes_out(object: Object, rules: &Rules) {
    // What is empty has no key.
    if object.as_ref().len() == 0 && !matches!(object, Object::Stream(_)) {
        return;
    }
    comes_back(&Loaded::Object(object.clone()), rules);
    let mut object = object;
    while object.free_some(&mut 7) {}
}

fn text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(4) {
        0 => vec![b'v'; rng.below(100) as usize],
        1 => (rng.next() as i64 >> rng.below(64)).to_string().into_bytes(),
        _ => rng.below(20).to_string().into_bytes(),
    }
}

/// A text that is in it, or another.
fn known<'a>(texts: impl Iterator<Item = Str<'a>>, len: usize, rng: &mut Rng) -> Vec<u8> {
    let mut texts = texts;
    let found = texts.nth(rng.below(len as u64 + 1) as usize).map(|text| text.to_vec());
    found.unwrap_or_else(|| text(rng))
}

fn with_list(mut list: List, rules: &Rules, rng: &mut Rng, steps: usize) {
    for _ in 0..steps {
        let (new, at) = (text(rng), rng.below(list.len() as u64 + 2) as usize);
        let end = if rng.one_in(2) { End::Front } else { End::Back };
        list.expect(&[&new], rules);
        match rng.below(6) {
            0 => list.push(end, &new, rules),
            1 => drop(list.set(at, &new, rules)),
            2 => list.insert(at, &new, rules),
            3 => list.cut(end, 1 + at / 8),
            4 => drop(list.remove_matching(&new, end, 3)),
            _ => {
                let one = known(list.iter(), list.len(), rng);
                list.remove_matching(&one, end, 1);
            }
        }
        list.settle(rules);
        assert_eq!(list.iter().count(), list.len());
        let back = list.len().checked_sub(1).map_or(0, |last| list.iter_back_from(last).count());
        assert_eq!(back, list.len());
    }
    goes_out(Object::List(list.clone()), rules);
    while !list.is_empty() {
        assert!(list.end(End::Front).is_some() && list.get(list.len() - 1).is_some());
        list.cut(End::Front, 1);
    }
}

fn with_set(mut set: Set, rules: &Rules, rng: &mut Rng, steps: usize) {
    for _ in 0..steps {
        let one = known(set.iter(), set.len(), rng);
        match rng.below(4) {
            0 => assert_eq!(set.contains(&one), set.remove(&one)),
            1 => drop(set.pop(rng, |_| ())),
            2 => assert!(!set.contains(&one) || !set.add(&one, rules)),
            _ => drop(set.add(&text(rng), rules)),
        }
        let members: BTreeSet<_> = set.iter().map(|member| member.to_vec()).collect();
        assert_eq!(members.len(), set.len());
    }
    goes_out(Object::Set(set.clone()), rules);
    let members: Vec<_> = set.iter().map(|member| member.to_vec()).collect();
    assert!(members.iter().all(|member| set.remove(member)) && set.is_empty());
}

fn with_sorted_set(mut set: SortedSet, rules: &Rules, rng: &mut Rng, steps: usize) {
    for _ in 0..steps {
        let one = known(set.iter().map(|(member, _)| member), set.len(), rng);
        match rng.below(5) {
            0 => assert_eq!(set.score(&one).is_some(), set.remove(&one).is_some()),
            1 => drop(set.insert(&one, rng.below(9) as f64 - 4.5, rules)),
            2 => drop(set.insert(&text(rng), f64::INFINITY, rules)),
            3 => set.remove_range(rng.below(9) as usize, 1, &mut |_, _| {}),
            _ => {
                let rank = set.rank(&one);
                assert_eq!(rank.map(|(_, score)| score), set.score(&one));
            }
        }
        let scores: Vec<f64> = set.iter().map(|(_, score)| score).collect();
        assert!(scores.is_sorted() && scores.len() == set.len());
    }
    goes_out(Object::SortedSet(set.clone()), rules);
    let len = set.len();
    set.remove_range(0, len, &mut |_, _| {});
    assert!(set.is_empty());
}

fn with_hash(mut hash: Hash, rules: &Rules, rng: &mut Rng, steps: usize) {
    for _ in 0..steps {
        let one = known(hash.iter().map(|(field, _, _)| field), hash.len(), rng);
        match rng.below(6) {
            0 => assert_eq!(hash.contains(&one), hash.remove(&one)),
            1 => drop(hash.set(&one, &text(rng), rules)),
            2 => drop(hash.set_keeping_deadline(&one, &text(rng), rules)),
            3 => drop(hash.set_deadline(&one, Some(UnixMs(1 + rng.below(1 << 40))))),
            4 => drop(hash.set_deadline(&one, None)),
            _ => drop(hash.expire(UnixMs(rng.below(1 << 40)), 3)),
        }
        let fields: BTreeSet<_> = hash.iter().map(|(field, _, _)| field.to_vec()).collect();
        assert_eq!(fields.len(), hash.len());
        let soonest = hash.iter().filter_map(|(_, _, deadline)| deadline).min();
        assert_eq!(soonest, hash.next_deadline());
    }
    goes_out(Object::Hash(hash.clone()), rules);
    let fields: Vec<_> = hash.iter().map(|(field, _, _)| field.to_vec()).collect();
    assert!(fields.iter().all(|field| hash.remove(field)) && hash.is_empty());
}

fn with_stream(mut stream: Stream, rules: &Rules, rng: &mut Rng, steps: usize) {
    let limits = BlockLimits { bytes: 400, entries: 10 };
    for _ in 0..steps {
        let at = rng.below(stream.len() as u64 + 1) as usize;
        let id = stream.iter().nth(at).map_or(StreamId { ms: 3, seq: 3 }, |entry| entry.id);
        match rng.below(7) {
            0 => assert_eq!(stream.contains(id), stream.remove(id)),
            1 | 2 => {
                if let Some(next) = stream.last_id().next() {
                    let (name, value) = (text(rng), text(rng));
                    stream.push(next, &[&name, &value], limits);
                }
            }
            3 => drop(stream.trim(Trim::MaxLen(rng.below(30)), rng.one_in(2), 0)),
            4 => drop(stream.trim(Trim::MinId(id), rng.one_in(2), 0)),
            5 => assert!(stream.range(StreamId::MIN, id, true).count() <= stream.len()),
            _ => with_groups(&mut stream, id, rng),
        }
        let ids: Vec<StreamId> = stream.iter().map(|entry| entry.id).collect();
        assert!(ids.is_sorted() && ids.len() == stream.len());
        let back = stream.range(StreamId::MIN, StreamId::MAX, true).map(|entry| entry.id);
        assert!(back.eq(ids.iter().rev().copied()));
        stream.iter().for_each(|entry| assert_eq!(entry.fields.len(), entry.fields.count()));
    }
    goes_out(Object::Stream(stream.clone()), rules);
    stream.trim(Trim::MaxLen(0), false, 0);
    assert_eq!(stream.iter().count(), 0);
}

fn with_groups(stream: &mut Stream, id: StreamId, rng: &mut Rng) {
    let names: Vec<Box<[u8]>> = stream.groups().keys().cloned().collect();
    for name in names {
        let Some(mut group) = stream.take_group(&name) else { continue };
        let _ = stream.lag(&group);
        stream.advance(&mut group, id);
        let pending: Vec<StreamId> = group.pending().keys().copied().collect();
        let held: usize = group.consumers().map(|consumer| consumer.pending().len()).sum();
        assert_eq!(held, pending.len());
        if let Some(first) = pending.first() {
            assert!(group.acknowledge(*first) && !group.acknowledge(*first));
        }
        let consumer = group.add(b"new", 7).or_else(|| group.find(b"new"));
        if let Some(consumer) = consumer {
            group.deliver(id, Pending { delivered_ms: 1, count: 1, consumer });
        }
        let gone = group.consumers().next().map(|consumer| consumer.name.clone());
        if let Some(gone) = gone.filter(|_| rng.one_in(3)) {
            group.remove(&gone);
        }
        stream.put_group(&name, group);
    }
    let _ = stream.tree_node_count();
}
