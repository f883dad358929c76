//! Lists of all node sizes against a vector.

use stoa_stdx::{HashSeed, Rng};

use super::{End, List};
use crate::{Limits, Rules};

fn rules(list_max_size: i32) -> Rules {
    let limits = Limits { list_max_size, ..Limits::default() };
    Rules { limits, seed: HashSeed::new([1, 2, 3, 4]) }
}

fn text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(30) {
        0 => vec![b'l'; 9_000],
        1 => vec![b'x'; rng.below(700) as usize],
        2..=10 => (rng.next() as i64 >> rng.below(64)).to_string().into_bytes(),
        _ => format!("e{}", rng.below(6)).into_bytes(),
    }
}

fn change(list: &mut List, model: &mut Vec<Vec<u8>>, rules: &Rules, rng: &mut Rng) {
    let new = text(rng);
    let at = rng.below(model.len() as u64 + 1) as usize;
    match rng.below(12) {
        0..=2 => {
            list.expect(&[&new], rules);
            list.push(End::Front, &new, rules);
            model.insert(0, new);
        }
        3..=5 => {
            list.expect(&[&new], rules);
            list.push(End::Back, &new, rules);
            model.push(new);
        }
        6 => {
            list.expect(&[&new], rules);
            list.insert(at, &new, rules);
            model.insert(at, new);
        }
        7 => {
            list.expect(&[&new], rules);
            assert_eq!(list.set(at, &new, rules), at < model.len());
            if let Some(held) = model.get_mut(at) {
                *held = new;
            }
            list.settle(rules);
        }
        8 => {
            let count = rng.below(4) as usize;
            list.cut(End::Front, count);
            model.drain(..count.min(model.len()));
            list.settle(rules);
        }
        9 => {
            let count = if rng.one_in(60) { 2_000 } else { rng.below(4) as usize };
            list.cut(End::Back, count);
            model.truncate(model.len().saturating_sub(count));
            list.settle(rules);
        }
        _ => {
            let from = if rng.one_in(2) { End::Front } else { End::Back };
            let count = if rng.one_in(10) { usize::MAX } else { 1 + rng.below(3) as usize };
            let matching = |(_, held): &(usize, &Vec<u8>)| **held == new;
            let mut found: Vec<usize> =
                model.iter().enumerate().filter(matching).map(|(at, _)| at).collect();
            if from == End::Back {
                found.reverse();
            }
            found.truncate(count);
            found.sort_unstable();
            for at in found.iter().rev() {
                model.remove(*at);
            }
            assert_eq!(list.remove_matching(&new, from, count), found.len());
            list.settle(rules);
        }
    }
}

#[test]
fn a_list_agrees_with_a_vector_in_every_form() {
    for seed in 0..if cfg!(miri) { 4 } else { 80 } {
        let mut rng = Rng::new(seed);
        let rules = rules([-2, 1, 5, -1, 128][seed as usize % 5]);
        let mut list = List::default();
        let mut model: Vec<Vec<u8>> = Vec::new();
        for step in 0..if cfg!(miri) { 80 } else { 1_500 } {
            let case = format!("seed {seed}, step {step}, {}", list.encoding());
            change(&mut list, &mut model, &rules, &mut rng);
            assert_eq!(list.len(), model.len(), "{case}");
            let at = rng.below(model.len() as u64 + 2) as usize;
            assert_eq!(list.get(at).map(|text| text.to_vec()).as_ref(), model.get(at), "{case}");
            assert_eq!(list.end(End::Front).map(|text| text.to_vec()).as_ref(), model.first());
            assert_eq!(list.end(End::Back).map(|text| text.to_vec()).as_ref(), model.last());
            if step % 20 == 0 {
                let from = at.min(model.len());
                let ahead: Vec<_> = list.iter_from(from).map(|text| text.to_vec()).collect();
                assert_eq!(ahead, model[from..], "{case}");
                let mut back: Vec<_> = list.iter_back_from(from).map(|t| t.to_vec()).collect();
                back.reverse();
                let upto = if from < model.len() { from + 1 } else { 0 };
                assert_eq!(back, model[..upto], "{case}");
            }
        }
        while list.free_some(&mut 3) {}
    }
}

#[test]
fn a_long_list_is_found_into_and_freed_in_portions() {
    let rules = rules(1);
    let mut list = List::default();
    let count = if cfg!(miri) { 300 } else { 5_000_usize };
    for n in 0..count {
        let text = n.to_string().into_bytes();
        list.expect(&[&text], &rules);
        list.push(End::Back, &text, &rules);
    }
    assert_eq!(list.encoding(), "quicklist");
    for n in (0..count).step_by(37) {
        assert_eq!(list.get(n), Some(crate::Str::Int(n as i64)));
        list.set(n, b"changed", &rules);
        assert_eq!(list.get(n), Some(crate::Str::Bytes(b"changed")));
    }
    let mut portions = 1;
    while list.free_some(&mut 64) {
        portions += 1;
    }
    assert!(portions >= count / 64);
}

#[test]
fn forms_change_where_the_directive_says() {
    let rules = rules(4);
    let mut list = List::default();
    let push = |list: &mut List, text: &[u8]| {
        list.expect(&[text], &rules);
        list.push(End::Back, text, &rules);
    };
    for _ in 0..4 {
        push(&mut list, b"e");
    }
    assert_eq!(list.encoding(), "listpack");
    push(&mut list, b"e");
    assert_eq!(list.encoding(), "quicklist");
    list.cut(End::Back, 2);
    list.settle(&rules);
    assert_eq!(list.encoding(), "quicklist");
    list.cut(End::Front, 1);
    list.settle(&rules);
    assert_eq!(list.encoding(), "listpack");
    let mut long = List::default();
    push(&mut long, &[b'x'; 9_000]);
    assert_eq!(long.encoding(), "quicklist");
}

/// A list as if pushed by `count` commands.
fn pushed(end: End, count: usize, rules: &Rules, text: impl Fn(usize) -> Vec<u8>) -> List {
    let mut list = List::default();
    for n in 0..count {
        let text = text(n);
        list.expect(&[&text], rules);
        list.push(end, &text, rules);
    }
    list
}

#[test]
fn an_element_of_sixteen_bytes_takes_seventeen_and_little_more() {
    let rules = rules(-2);
    let count = if cfg!(miri) { 2_000 } else { 100_000 };
    for end in [End::Front, End::Back] {
        let list = pushed(end, count, &rules, |n| format!("{n:016x}").into_bytes());
        let each = list.bytes() as f64 / count as f64;
        assert!(cfg!(miri) || each < 17.3, "{each} bytes for an element of 16");
    }
}

/// Nodes in the middle are sealed; whatever is asked of them and done to them, they hold the same.
#[test]
fn what_is_sealed_is_the_same() {
    let count = if cfg!(miri) { 1_200 } else { 6_000 };
    for (is_even, size) in [(true, -1), (false, -1), (true, -2), (false, 300)] {
        let rules = rules(size);
        let text = |n: usize| match is_even {
            true => format!("{n:016x}").into_bytes(),
            false => "x".repeat(n % 200).into_bytes(),
        };
        let mut list = pushed(End::Back, count, &rules, text);
        let mut model: Vec<Vec<u8>> = (0..count).map(text).collect();
        let case = format!("{is_even}, {size}");
        for n in (0..count).step_by(97) {
            assert_eq!(list.get(n).map(|text| text.to_vec()), Some(model[n].clone()), "{case}");
            let back: Vec<_> = list.iter_back_from(n).take(600).map(|text| text.to_vec()).collect();
            assert!(back.iter().eq(model[..=n].iter().rev().take(600)), "{case}, {n}");
        }
        let whole: Vec<_> = list.blocks().flat_map(|block| all(&block.to_packed())).collect();
        assert_eq!(whole, model, "{case}");
        let blocks: Vec<Vec<u8>> =
            list.blocks().map(|block| block.to_packed().as_bytes().to_vec()).collect();
        assert_eq!(list.block_count(), blocks.len(), "{case}");
        for at in (0..blocks.len() + 2).filter(|at| at % 31 < 2 || at + 2 > blocks.len()) {
            let rest = list.blocks_from(at).map(|block| block.to_packed().as_bytes().to_vec());
            assert!(rest.eq(blocks.iter().skip(at).cloned()), "{case}, from {at}");
        }
        // One of the same length, one that is not, one out, some from either end.
        for (n, new) in [(count / 2, text(count / 2)), (count / 3, b"other".to_vec())] {
            let new: Vec<u8> = new.iter().map(|byte| byte ^ 1).collect();
            assert!(list.set(n, &new, &rules), "{case}");
            model[n] = new;
        }
        let gone = model.remove(count / 4);
        let first = model.iter().position(|held| *held == gone).map_or(0, |n| n + 1);
        if first == 0 {
            assert_eq!(list.remove_matching(&gone, End::Front, 1), 1, "{case}");
        } else {
            model.insert(count / 4, gone);
        }
        while model.len() > 10 {
            let mut taken = Vec::new();
            list.pop(End::Front, |text| taken = text.to_vec());
            assert_eq!(taken, model.remove(0), "{case}");
            assert_eq!(list.end(End::Back).map(|text| text.to_vec()), model.last().cloned());
            list.cut(End::Back, 2);
            model.truncate(model.len() - 2);
        }
        assert!(list.iter().map(|text| text.to_vec()).eq(model), "{case}");
    }
}

fn all(packed: &crate::Packed) -> Vec<Vec<u8>> {
    packed.iter().map(|text| text.to_vec()).collect()
}
