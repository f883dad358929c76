//! Lists: element by element, or in blocks.

use stoa_value::{End, List, Rules};

use super::{Count, EMPTY, Loaded, ziplisted};
use crate::read::{Damaged, Reader};
use crate::{listpack, ziplist};

/// How a block of the newest layout lies: an element by itself, or a listpack.
const LONG: u64 = 1;
const PACKED: u64 = 2;

/// What stands between two counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// Elements.
    Elements,
    /// Ziplists.
    Ziplists,
    /// Listpacks and long elements.
    Listpacks,
}

#[derive(Debug)]
pub(super) struct Blocks {
    form: Form,
    count: Count,
    list: List,
}

impl Blocks {
    pub(super) fn new(form: Form) -> Self {
        Self { form, count: Count::default(), list: List::default() }
    }

    /// Takes a block. Blocks without elements are skipped; they may not be all.
    pub(super) fn step(
        &mut self,
        reader: &mut Reader<'_>,
        rules: &Rules,
    ) -> Result<Option<Loaded>, Damaged> {
        if self.count.is_next(reader)? {
            match self.form {
                Form::Elements => push(&mut self.list, &reader.string()?, rules),
                Form::Ziplists => {
                    for text in ziplist::open(&reader.string()?)?.0 {
                        text.with(|text| push(&mut self.list, text, rules));
                    }
                }
                Form::Listpacks => self.block(reader, rules)?,
            }
            self.count.taken();
            return Ok(None);
        }
        if self.list.is_empty() {
            return Err(EMPTY);
        }
        Ok(Some(Loaded::of(std::mem::take(&mut self.list))))
    }

    fn block(&mut self, reader: &mut Reader<'_>, rules: &Rules) -> Result<(), Damaged> {
        let form = reader.len()?;
        let bytes = reader.string()?;
        match form {
            LONG if !bytes.is_empty() => push(&mut self.list, &bytes, rules),
            PACKED => {
                for text in listpack::open(&bytes)?.0 {
                    text.with(|text| push(&mut self.list, text, rules));
                }
            }
            _ => return Err(Damaged("a block of a list has no known form")),
        }
        Ok(())
    }
}

pub(super) fn ziplist(reader: &mut Reader<'_>, rules: &Rules) -> Result<List, Damaged> {
    let mut list = List::default();
    for text in ziplisted(&reader.string()?)? {
        text.with(|text| push(&mut list, text, rules));
    }
    Ok(list)
}

fn push(list: &mut List, text: &[u8], rules: &Rules) {
    list.expect(&[text], rules);
    list.push(End::Back, text, rules);
}
