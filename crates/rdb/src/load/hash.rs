//! Hashes: fields with values, and with deadlines.

use stoa_stdx::UnixMs;
use stoa_value::{Hash, Rules, Str};

use super::{Count, Loaded, TWICE, listpacked, pairs};
use crate::read::{Damaged, Reader};
use crate::zipmap;

/// The last deadline that a field may have.
const DEADLINE_MAX: u64 = (1 << 48) - 2;
const BAD_DEADLINE: Damaged = Damaged("a field's deadline is none");

/// What stands beside a field and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing.
    Plain,
    /// In front of them the deadline, 0 for none.
    Deadlines0,
    /// The same, counted from one before the earliest, which stands in front of all.
    Deadlines,
    /// Behind them the deadline, or minus one: Valkey's.
    DeadlinesBehind,
}

#[derive(Debug)]
pub(super) struct Fields {
    form: Form,
    /// What deadlines are counted from, once it was read.
    earliest: Option<u64>,
    count: Count,
    hash: Hash,
}

impl Fields {
    pub(super) fn new(form: Form) -> Self {
        let mut hash = Hash::default();
        if form != Form::Plain {
            hash.expect_deadlines();
        }
        Self { form, earliest: None, count: Count::default(), hash }
    }

    /// Takes a field with what belongs to it.
    pub(super) fn step(
        &mut self,
        reader: &mut Reader<'_>,
        rules: &Rules,
    ) -> Result<Option<Loaded>, Damaged> {
        if self.form == Form::Deadlines && self.earliest.is_none() {
            self.earliest = Some(earliest(reader)?);
            return Ok(None);
        }
        if !self.count.is_next(reader)? {
            return Ok(Some(Loaded::of(std::mem::take(&mut self.hash))));
        }
        let before = match self.form {
            Form::Plain | Form::DeadlinesBehind => 0,
            Form::Deadlines0 | Form::Deadlines => match reader.len()? {
                0 => 0,
                after => {
                    let from = self.earliest.unwrap_or(1);
                    from.checked_add(after - 1).ok_or(BAD_DEADLINE)?
                }
            },
        };
        let (field, value) = (reader.string()?, reader.string()?);
        let deadline = match self.form {
            Form::DeadlinesBehind => behind(reader)?,
            Form::Plain | Form::Deadlines0 | Form::Deadlines => before,
        };
        add(&mut self.hash, &field, &value, rules)?;
        expire(&mut self.hash, &field, deadline)?;
        self.count.taken();
        Ok(None)
    }
}

/// A deadline, or minus one for none. One that is long past is as good as any.
fn behind(reader: &mut Reader<'_>) -> Result<u64, Damaged> {
    let deadline = reader.word()?;
    Ok(if deadline == u64::MAX { 0 } else { deadline.max(1) })
}

pub(super) fn of<'a>(texts: impl Iterator<Item = Str<'a>>, rules: &Rules) -> Result<Hash, Damaged> {
    let mut hash = Hash::default();
    pairs(texts, &mut |field, value| {
        field.with(|field| value.with(|value| add(&mut hash, field, value, rules)))
    })?;
    Ok(hash)
}

pub(super) fn zipmap(reader: &mut Reader<'_>, rules: &Rules) -> Result<Hash, Damaged> {
    let mut hash = Hash::default();
    zipmap::each(&reader.string()?, |field, value| add(&mut hash, field, value, rules))?;
    if hash.is_empty() { Err(super::EMPTY) } else { Ok(hash) }
}

/// Field, value, deadline (0: none), as they lie in memory.
pub(super) fn listpack(
    reader: &mut Reader<'_>,
    with_earliest: bool,
    rules: &Rules,
) -> Result<Hash, Damaged> {
    if with_earliest {
        earliest(reader)?;
    }
    let mut hash = Hash::default();
    hash.expect_deadlines();
    let bytes = reader.string()?;
    let mut texts = listpacked(&bytes)?;
    while let Some(field) = texts.next() {
        let value = texts.next().ok_or(BAD_DEADLINE)?;
        let deadline = match texts.next() {
            Some(Str::Int(deadline)) => u64::try_from(deadline).map_err(|_| BAD_DEADLINE)?,
            Some(Str::Bytes(_)) | None => return Err(BAD_DEADLINE),
        };
        field.with(|field| {
            value.with(|value| add(&mut hash, field, value, rules))?;
            expire(&mut hash, field, deadline)
        })?;
    }
    Ok(hash)
}

fn earliest(reader: &mut Reader<'_>) -> Result<u64, Damaged> {
    // One more than a deadline may be says that there is none.
    reader.word().and_then(|at| if at > DEADLINE_MAX + 1 { Err(BAD_DEADLINE) } else { Ok(at) })
}

fn expire(hash: &mut Hash, field: &[u8], deadline: u64) -> Result<(), Damaged> {
    if deadline > DEADLINE_MAX {
        return Err(BAD_DEADLINE);
    }
    if deadline != 0 {
        hash.set_deadline(field, Some(UnixMs(deadline)));
    }
    Ok(())
}

fn add(hash: &mut Hash, field: &[u8], value: &[u8], rules: &Rules) -> Result<(), Damaged> {
    if hash.set(field, value, rules) { Ok(()) } else { Err(TWICE) }
}
