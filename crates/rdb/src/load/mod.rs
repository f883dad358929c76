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
pub(crate) mod tests;

use stoa_value::{Object, Rules, Str};

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

impl Loaded {
    fn of(value: impl stoa_value::Kind) -> Self {
        Self::Object(value.into_object())
    }
}

/// What is said of a value without elements. Some servers wrote such by mistake.
pub(crate) const EMPTY: Damaged = Damaged("it is empty");
const TWICE: Damaged = Damaged("an element is there twice");

/// The value of a kind that `reader` stands before.
///
/// # Errors
/// What is wrong with it.
pub fn load(kind: Kind, reader: &mut Reader<'_>, rules: &Rules) -> Result<Loaded, Damaged> {
    Loading::new(kind).advance(reader, rules)
}

/// A value whose bytes come bit by bit: what is whole is taken in, element by element.
#[derive(Debug)]
pub(crate) struct Loading(Parts);

#[derive(Debug)]
enum Parts {
    /// A single string holds it all.
    One(Kind),
    List(list::Blocks),
    Set(set::Members),
    SortedSet(sorted_set::Members),
    Hash(hash::Fields),
    Stream(Box<stream::Parts>),
}

impl Loading {
    pub(crate) fn new(kind: Kind) -> Self {
        let list = |form| Parts::List(list::Blocks::new(form));
        let hash = |form| Parts::Hash(hash::Fields::new(form));
        let stream = |form| Parts::Stream(Box::new(stream::Parts::new(form)));
        Self(match kind {
            Kind::String
            | Kind::HashZipmap
            | Kind::ListZiplist
            | Kind::SetInts
            | Kind::ZsetZiplist
            | Kind::HashZiplist
            | Kind::HashListpack
            | Kind::ZsetListpack
            | Kind::SetListpack
            | Kind::HashListpackDeadlines0
            | Kind::HashListpackDeadlines => Parts::One(kind),
            Kind::List => list(list::Form::Elements),
            Kind::ListZiplists => list(list::Form::Ziplists),
            Kind::ListListpacks => list(list::Form::Listpacks),
            Kind::Set => Parts::Set(set::Members::default()),
            Kind::ZsetText => Parts::SortedSet(sorted_set::Members::new(sorted_set::Form::Text)),
            Kind::Zset => Parts::SortedSet(sorted_set::Members::new(sorted_set::Form::Double)),
            Kind::Hash => hash(hash::Form::Plain),
            Kind::HashDeadlines0 => hash(hash::Form::Deadlines0),
            Kind::HashDeadlines => hash(hash::Form::Deadlines),
            Kind::Stream1 => stream(stream::Form::First),
            Kind::Stream2 => stream(stream::Form::Second),
            Kind::Stream3 => stream(stream::Form::Third),
        })
    }

    /// Valkey's hash with deadlines, whose number means another layout in Redis.
    pub(crate) fn valkey_hash() -> Self {
        Self(Parts::Hash(hash::Fields::new(hash::Form::DeadlinesBehind)))
    }

    /// Takes all there is. When it ends too early, `reader` stands behind the last whole element, and
    /// this may be called again with more.
    ///
    /// # Errors
    /// What is wrong with it, and [`read::CUT`](crate::read::CUT) when it is not whole.
    pub(crate) fn advance(
        &mut self,
        reader: &mut Reader<'_>,
        rules: &Rules,
    ) -> Result<Loaded, Damaged> {
        loop {
            match self.step(reader, rules) {
                Ok(Some(loaded)) => return Ok(loaded),
                Ok(None) => reader.keep(),
                // Whoever does without the value goes on behind it.
                Err(EMPTY) => return Err(EMPTY),
                Err(damaged) => {
                    reader.back();
                    return Err(damaged);
                }
            }
        }
    }

    /// Takes an element. Nothing but [`Reader::keep`] has been done when it is cut off.
    fn step(&mut self, reader: &mut Reader<'_>, rules: &Rules) -> Result<Option<Loaded>, Damaged> {
        match &mut self.0 {
            Parts::One(kind) => one(*kind, reader, rules).map(Some),
            Parts::List(blocks) => blocks.step(reader, rules),
            Parts::Set(members) => members.step(reader, rules),
            Parts::SortedSet(members) => members.step(reader, rules),
            Parts::Hash(fields) => fields.step(reader, rules),
            Parts::Stream(parts) => parts.step(reader),
        }
    }
}

/// A value that lies in one string.
fn one(kind: Kind, reader: &mut Reader<'_>, rules: &Rules) -> Result<Loaded, Damaged> {
    Ok(match kind {
        Kind::String => Loaded::String(reader.string()?.into_owned()),
        Kind::ListZiplist => Loaded::of(list::ziplist(reader, rules)?),
        Kind::SetInts => Loaded::of(set::ints(reader, rules)?),
        Kind::SetListpack => Loaded::of(set::listpack(reader, rules)?),
        Kind::ZsetListpack => Loaded::of(sorted_set::of(listpacked(&reader.string()?)?, rules)?),
        Kind::ZsetZiplist => Loaded::of(sorted_set::of(ziplisted(&reader.string()?)?, rules)?),
        Kind::HashZipmap => Loaded::of(hash::zipmap(reader, rules)?),
        Kind::HashListpack => Loaded::of(hash::of(listpacked(&reader.string()?)?, rules)?),
        Kind::HashZiplist => Loaded::of(hash::of(ziplisted(&reader.string()?)?, rules)?),
        Kind::HashListpackDeadlines => Loaded::of(hash::listpack(reader, true, rules)?),
        Kind::HashListpackDeadlines0 => Loaded::of(hash::listpack(reader, false, rules)?),
        Kind::List
        | Kind::Set
        | Kind::ZsetText
        | Kind::Hash
        | Kind::Zset
        | Kind::ListZiplists
        | Kind::Stream1
        | Kind::ListListpacks
        | Kind::Stream2
        | Kind::Stream3
        | Kind::HashDeadlines0
        | Kind::HashDeadlines => unreachable!("it has parts"),
    })
}

/// How many elements are still to come, once that was read.
#[derive(Clone, Copy, Debug, Default)]
struct Count(Option<u64>);

impl Count {
    /// Whether another element follows. None at all is a value that is not there.
    fn is_next(&mut self, reader: &mut Reader<'_>) -> Result<bool, Damaged> {
        let is_new = self.0.is_none();
        let is_next = self.is_next_of_any(reader)?;
        if is_new && !is_next { Err(EMPTY) } else { Ok(is_next) }
    }

    /// The same, where none at all is good. Its number is not read again if the element is cut off.
    fn is_next_of_any(&mut self, reader: &mut Reader<'_>) -> Result<bool, Damaged> {
        let left = match self.0 {
            Some(left) => left,
            None => {
                let count = reader.len()?;
                reader.keep();
                *self.0.insert(count)
            }
        };
        Ok(left > 0)
    }

    /// An element was taken in.
    const fn taken(&mut self) {
        if let Some(left) = &mut self.0 {
            *left -= 1;
        }
    }
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
