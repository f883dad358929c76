//! Sorted sets: members with scores.

use stoa_stdx::parse_double;
use stoa_value::{Rules, SortedSet, Str};

use super::{Count, Loaded, TWICE, pairs};
use crate::read::{Damaged, Reader};

const NO_NUMBER: Damaged = Damaged("a score is no number");

/// How a score lies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// As digits.
    Text,
    /// As eight bytes.
    Double,
}

#[derive(Debug)]
pub(super) struct Members {
    form: Form,
    count: Count,
    set: SortedSet,
}

impl Members {
    pub(super) fn new(form: Form) -> Self {
        Self { form, count: Count::default(), set: SortedSet::default() }
    }

    /// Takes a member with its score.
    pub(super) fn step(
        &mut self,
        reader: &mut Reader<'_>,
        rules: &Rules,
    ) -> Result<Option<Loaded>, Damaged> {
        if !self.count.is_next(reader)? {
            return Ok(Some(Loaded::of(std::mem::take(&mut self.set))));
        }
        let member = reader.string()?;
        let score = match self.form {
            Form::Text => text_score(reader)?,
            Form::Double => reader.double()?,
        };
        add(&mut self.set, &member, score, rules)?;
        self.count.taken();
        Ok(None)
    }
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
fn text_score(reader: &mut Reader<'_>) -> Result<f64, Damaged> {
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
