//! Sorted sets: members with scores.

use stoa_stdx::parse_double;
use stoa_value::{Rules, SortedSet, Str};

use super::{TWICE, pairs};
use crate::read::{Damaged, Reader};

const NO_NUMBER: Damaged = Damaged("a score is no number");

type ReadScore<'a> = fn(&mut Reader<'a>) -> Result<f64, Damaged>;

pub(super) fn plain<'a>(
    reader: &mut Reader<'a>,
    score: ReadScore<'a>,
    rules: &Rules,
) -> Result<SortedSet, Damaged> {
    let mut set = SortedSet::default();
    for _ in 0..reader.count()? {
        let member = reader.string()?;
        add(&mut set, &member, score(reader)?, rules)?;
    }
    Ok(set)
}

pub(super) fn of<'a>(
    texts: impl Iterator<Item = Str<'a>>,
    rules: &Rules,
) -> Result<SortedSet, Damaged> {
    let mut set = SortedSet::default();
    pairs(texts, &mut |member, score| {
        let score = match score {
            Str::Int(score) => score as f64,
            Str::Bytes(text) => parse_double(text).ok_or(NO_NUMBER)?,
        };
        member.with(|member| add(&mut set, member, score, rules))
    })?;
    Ok(set)
}

/// A length, or one of three that stand for what has no digits, and the digits.
pub(super) fn text_score(reader: &mut Reader<'_>) -> Result<f64, Damaged> {
    match reader.byte()? {
        255 => Ok(f64::NEG_INFINITY),
        254 => Ok(f64::INFINITY),
        253 => Err(NO_NUMBER),
        len => parse_double(reader.bytes(len.into())?).ok_or(NO_NUMBER),
    }
}

fn add(set: &mut SortedSet, member: &[u8], score: f64, rules: &Rules) -> Result<(), Damaged> {
    if score.is_nan() {
        return Err(NO_NUMBER);
    }
    match set.insert(member, score, rules) {
        None => Ok(()),
        Some(_) => Err(TWICE),
    }
}
