//! Hashes: fields with values, and with deadlines.

use stoa_stdx::UnixMs;
use stoa_value::{Hash, Rules, Str};

use super::{TWICE, listpacked, pairs};
use crate::read::{Damaged, Reader};
use crate::zipmap;

/// The last deadline that a field may have.
const DEADLINE_MAX: u64 = (1 << 48) - 2;
const BAD_DEADLINE: Damaged = Damaged("a field's deadline is none");

pub(super) fn plain(reader: &mut Reader<'_>, rules: &Rules) -> Result<Hash, Damaged> {
    let mut hash = Hash::default();
    for _ in 0..reader.count()? {
        let (field, value) = (reader.string()?, reader.string()?);
        add(&mut hash, &field, &value, rules)?;
    }
    Ok(hash)
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

/// Deadline (0: none), field, value; the deadlines are counted from one before the earliest, which
/// stands in front of all. Those of the first drafts of the layout are not.
pub(super) fn with_deadlines(
    reader: &mut Reader<'_>,
    from_earliest: bool,
    rules: &Rules,
) -> Result<Hash, Damaged> {
    let earliest = if from_earliest { earliest(reader)? } else { 1 };
    let mut hash = Hash::default();
    hash.expect_deadlines();
    for _ in 0..reader.count()? {
        let deadline = match reader.len()? {
            0 => 0,
            after => earliest.checked_add(after - 1).ok_or(BAD_DEADLINE)?,
        };
        let (field, value) = (reader.string()?, reader.string()?);
        add(&mut hash, &field, &value, rules)?;
        expire(&mut hash, &field, deadline)?;
    }
    Ok(hash)
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
