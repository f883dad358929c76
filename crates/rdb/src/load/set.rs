//! Sets: member by member, integers in an array, or a listpack.

use stoa_value::{Rules, Set};

use super::{Count, EMPTY, Loaded, TWICE, listpacked};
use crate::read::{Damaged, Reader};

#[derive(Debug, Default)]
pub(super) struct Members {
    count: Count,
    set: Set,
}

impl Members {
    /// Takes a member.
    pub(super) fn step(
        &mut self,
        reader: &mut Reader<'_>,
        rules: &Rules,
    ) -> Result<Option<Loaded>, Damaged> {
        if !self.count.is_next(reader)? {
            return Ok(Some(Loaded::of(std::mem::take(&mut self.set))));
        }
        add(&mut self.set, &reader.string()?, rules)?;
        self.count.taken();
        Ok(None)
    }
}

pub(super) fn listpack(reader: &mut Reader<'_>, rules: &Rules) -> Result<Set, Damaged> {
    let mut set = Set::packed();
    for member in listpacked(&reader.string()?)? {
        member.with(|member| add(&mut set, member, rules))?;
    }
    Ok(set)
}

/// Width and count, 32 bits each, then the integers in ascending order.
pub(super) fn ints(reader: &mut Reader<'_>, rules: &Rules) -> Result<Set, Damaged> {
    const BAD: Damaged = Damaged("an array of integers is damaged");
    let bytes = reader.string()?;
    let (head, ints) = bytes.split_first_chunk::<8>().ok_or(BAD)?;
    let width = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let count = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    if !matches!(width, 2 | 4 | 8) || count.checked_mul(width) != Some(ints.len()) {
        return Err(BAD);
    }
    let (mut set, mut before) = (Set::default(), None);
    for int in ints.chunks_exact(width) {
        let mut le = [0; 8];
        le[..width].copy_from_slice(int);
        let unused = 64 - 8 * width as u32;
        let value = i64::from_le_bytes(le) << unused >> unused;
        if before.is_some_and(|before| before >= value) {
            return Err(BAD);
        }
        before = Some(value);
        add(&mut set, value.to_string().as_bytes(), rules)?;
    }
    if set.is_empty() { Err(EMPTY) } else { Ok(set) }
}

fn add(set: &mut Set, member: &[u8], rules: &Rules) -> Result<(), Damaged> {
    if set.add(member, rules) { Ok(()) } else { Err(TWICE) }
}
