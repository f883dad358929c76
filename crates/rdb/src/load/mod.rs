//! A value of each layout, put together element by element.
//!
//! Elements go in the way commands put them, so a value from outside is one of ours whatever it was
//! there: small or large by our own limits, in our own order. What a command could not have made is
//! refused: members twice, scores that are no number, values without elements.

mod hash;
mod list;
mod set;
mod sorted_set;
mod stream;
#[cfg(test)]
mod tests;

use stoa_value::{Kind as _, Object, Rules, Str};

use crate::Kind;
use crate::read::{Damaged, Reader};
use crate::{listpack, ziplist};

/// A value that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// A string.
    String(Vec<u8>),
    /// Any other.
    Object(Object),
}

const EMPTY: Damaged = Damaged("it is empty");
const TWICE: Damaged = Damaged("an element is there twice");

/// The value of a kind that `reader` stands before.
///
/// # Errors
/// What is wrong with it.
pub fn load(kind: Kind, reader: &mut Reader<'_>, rules: &Rules) -> Result<Loaded, Damaged> {
    let object = match kind {
        Kind::String => return Ok(Loaded::String(reader.string()?.into_owned())),
        Kind::List => list::plain(reader, rules)?.into_object(),
        Kind::ListZiplist => list::ziplist(reader, rules)?.into_object(),
        Kind::ListZiplists => list::ziplists(reader, rules)?.into_object(),
        Kind::ListListpacks => list::listpacks(reader, rules)?.into_object(),
        Kind::Set => set::plain(reader, rules)?.into_object(),
        Kind::SetInts => set::ints(reader, rules)?.into_object(),
        Kind::SetListpack => set::listpack(reader, rules)?.into_object(),
        Kind::Zset => sorted_set::plain(reader, Reader::double, rules)?.into_object(),
        Kind::ZsetText => sorted_set::plain(reader, sorted_set::text_score, rules)?.into_object(),
        Kind::ZsetListpack => sorted_set::of(listpacked(&reader.string()?)?, rules)?.into_object(),
        Kind::ZsetZiplist => sorted_set::of(ziplisted(&reader.string()?)?, rules)?.into_object(),
        Kind::Hash => hash::plain(reader, rules)?.into_object(),
        Kind::HashZipmap => hash::zipmap(reader, rules)?.into_object(),
        Kind::HashListpack => hash::of(listpacked(&reader.string()?)?, rules)?.into_object(),
        Kind::HashZiplist => hash::of(ziplisted(&reader.string()?)?, rules)?.into_object(),
        Kind::HashDeadlines => hash::with_deadlines(reader, true, rules)?.into_object(),
        Kind::HashDeadlines0 => hash::with_deadlines(reader, false, rules)?.into_object(),
        Kind::HashListpackDeadlines => hash::listpack(reader, true, rules)?.into_object(),
        Kind::HashListpackDeadlines0 => hash::listpack(reader, false, rules)?.into_object(),
        Kind::Stream1 => stream::load(reader, stream::Form::First)?.into_object(),
        Kind::Stream2 => stream::load(reader, stream::Form::Second)?.into_object(),
        Kind::Stream3 => stream::load(reader, stream::Form::Third)?.into_object(),
    };
    Ok(Loaded::Object(object))
}

/// The elements of a listpack that is not empty.
fn listpacked(bytes: &[u8]) -> Result<listpack::Elements<'_>, Damaged> {
    let (elements, count) = listpack::open(bytes)?;
    if count == 0 { Err(EMPTY) } else { Ok(elements) }
}

/// The entries of a ziplist that is not empty.
fn ziplisted(bytes: &[u8]) -> Result<ziplist::Entries<'_>, Damaged> {
    let (entries, count) = ziplist::open(bytes)?;
    if count == 0 { Err(EMPTY) } else { Ok(entries) }
}

/// Takes two elements at a time.
fn pairs<'a>(
    mut texts: impl Iterator<Item = Str<'a>>,
    pair: &mut dyn FnMut(Str<'a>, Str<'a>) -> Result<(), Damaged>,
) -> Result<(), Damaged> {
    while let Some(first) = texts.next() {
        pair(first, texts.next().ok_or(Damaged("an element lacks its value"))?)?;
    }
    Ok(())
}
