//! Lists: element by element, or in blocks.

use stoa_value::{End, List, Rules};

use super::{EMPTY, ziplisted};
use crate::read::{Damaged, Reader};
use crate::{listpack, ziplist};

/// How a block of the newest layout lies: an element by itself, or a listpack.
const LONG: u64 = 1;
const PACKED: u64 = 2;

struct Building<'a> {
    list: List,
    rules: &'a Rules,
}

impl<'a> Building<'a> {
    fn new(rules: &'a Rules) -> Self {
        Self { list: List::default(), rules }
    }

    fn push(&mut self, text: &[u8]) {
        self.list.expect(&[text], self.rules);
        self.list.push(End::Back, text, self.rules);
    }

    /// Blocks without elements were skipped; they may not be all.
    fn done(self) -> Result<List, Damaged> {
        if self.list.is_empty() { Err(EMPTY) } else { Ok(self.list) }
    }
}

pub(super) fn plain(reader: &mut Reader<'_>, rules: &Rules) -> Result<List, Damaged> {
    let mut building = Building::new(rules);
    for _ in 0..reader.count()? {
        building.push(&reader.string()?);
    }
    building.done()
}

pub(super) fn ziplist(reader: &mut Reader<'_>, rules: &Rules) -> Result<List, Damaged> {
    let mut building = Building::new(rules);
    for text in ziplisted(&reader.string()?)? {
        text.with(|text| building.push(text));
    }
    building.done()
}

pub(super) fn ziplists(reader: &mut Reader<'_>, rules: &Rules) -> Result<List, Damaged> {
    let mut building = Building::new(rules);
    for _ in 0..reader.count()? {
        for text in ziplist::open(&reader.string()?)?.0 {
            text.with(|text| building.push(text));
        }
    }
    building.done()
}

pub(super) fn listpacks(reader: &mut Reader<'_>, rules: &Rules) -> Result<List, Damaged> {
    let mut building = Building::new(rules);
    for _ in 0..reader.count()? {
        let form = reader.len()?;
        let bytes = reader.string()?;
        match form {
            LONG if !bytes.is_empty() => building.push(&bytes),
            PACKED => {
                for text in listpack::open(&bytes)?.0 {
                    text.with(|text| building.push(text));
                }
            }
            _ => return Err(Damaged("a block of a list has no known form")),
        }
    }
    building.done()
}
