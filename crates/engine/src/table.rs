//! The command table: what is known by name, and how it is found.

use std::any::Any;
use std::collections::BTreeMap;

use stoa_command::{Args, Flags, ReplyError, Spec};

use crate::{Ctx, Reply, Stage};

/// What one shard contributes to a command of all shards ([`ResponsePolicy::Merge`] and walks).
///
/// [`ResponsePolicy::Merge`]: stoa_command::ResponsePolicy::Merge
pub type Part = Box<dyn Any + Send>;

/// A command: its description, how its arguments are read, and what it does.
pub trait Command: 'static {
    /// The description, from which everything but execution is derived.
    const SPEC: Spec;
    /// The arguments as typed values.
    type Args<'a>;

    /// Reads the arguments. Pure: no state, no key is looked at.
    ///
    /// # Errors
    /// What is wrong with the arguments, in the protocol's words.
    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError>;

    /// Does it, and answers.
    ///
    /// # Errors
    /// Refusals that depend on the keys. Nothing has been changed then.
    fn execute(
        args: Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError>;

    /// For commands of all shards whose answers need more than adding up: what this shard says.
    fn collect(args: Self::Args<'_>, ctx: &mut Ctx<'_>) -> Part {
        let _ = (args, ctx);
        unreachable!("{} does not merge", Self::SPEC.name)
    }

    /// The answer from what all shards said, in the order of shards. Runs at home.
    ///
    /// # Errors
    /// As [`Command::execute`].
    fn merge(
        args: Self::Args<'_>,
        parts: Vec<Part>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let _ = (args, parts, ctx, reply);
        unreachable!("{} does not merge", Self::SPEC.name)
    }
}

type Execute = fn(&mut Args<'_>, &mut Ctx<'_>, &mut dyn Reply) -> Result<(), ReplyError>;
type Check = fn(&mut Args<'_>) -> Result<(), ReplyError>;
type Collect = fn(&mut Args<'_>, &mut Ctx<'_>) -> Result<Part, ReplyError>;
type Merge = fn(&mut Args<'_>, Vec<Part>, &mut Ctx<'_>, &mut dyn Reply) -> Result<(), ReplyError>;

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The description.
    pub spec: Spec,
    /// Parse and execute.
    pub execute: Execute,
    /// Parse only: refuses what can be refused without looking at keys.
    pub check: Check,
    /// Parse and collect.
    pub collect: Collect,
    /// Parse and merge.
    pub merge: Merge,
}

/// The row of a command.
#[must_use]
pub const fn entry<C: Command>() -> Entry {
    Entry {
        spec: C::SPEC,
        execute: |args, ctx, reply| C::execute(parsed::<C>(args, ctx)?, ctx, reply),
        check: |args| C::parse(args).map(drop),
        collect: |args, ctx| Ok(C::collect(parsed::<C>(args, ctx)?, ctx)),
        merge: |args, parts, ctx, reply| C::merge(C::parse(args)?, parts, ctx, reply),
    }
}

/// The typed arguments of a command that is about to run.
#[inline]
fn parsed<'a, C: Command>(
    args: &mut Args<'a>,
    ctx: &mut Ctx<'_>,
) -> Result<C::Args<'a>, ReplyError> {
    ctx.node.tracer.mark(Stage::Parse);
    let parsed = C::parse(args)?;
    ctx.node.tracer.mark(Stage::Execute);
    Ok(parsed)
}

/// All commands, found by name in any case.
pub struct Table {
    entries: Vec<Entry>,
    /// Places of names by their hash.
    places: Vec<Place>,
    /// Subcommands of each container, by lower-case own name.
    children: Vec<BTreeMap<&'static str, u16>>,
}

/// A name in two words, in one case: a look-up compares these and never goes to the row, which lies
/// elsewhere in memory. Names of the same length of at most [`FOLDED_LEN`] bytes are equal if their
/// folded forms are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Folded {
    low: u64,
    high: u64,
}

/// The name that was looked up last. Pipelines mostly repeat one, letter for letter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lately {
    name: Folded,
    /// 0: none yet. No command is called that, though a client may say it.
    len: usize,
    index: u16,
}

/// Bytes of a name that its folded form tells.
const FOLDED_LEN: usize = 16;

/// A place of the table: a name, and whose it is.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    name: Folded,
    len: u32,
    /// 0 is empty, else index + 1.
    row: u16,
}

impl Folded {
    #[inline]
    fn of(name: &[u8]) -> Self {
        let Self { low, high } = Self::written(name);
        Self { low: lower_case(low), high: lower_case(high) }
    }

    /// The name as it is written, in whatever case.
    #[inline]
    fn written(name: &[u8]) -> Self {
        let word = |at: usize| {
            let bytes: [u8; 8] = name[at..at + 8].try_into().expect("it is as long");
            u64::from_le_bytes(bytes)
        };
        let half = |at: usize| {
            let bytes: [u8; 4] = name[at..at + 4].try_into().expect("it is as long");
            u64::from(u32::from_le_bytes(bytes))
        };
        // Words that overlap where the name is shorter than both: nothing is read byte by byte.
        let (low, high) = match name.len() {
            0 => (0, 0),
            len @ 1..=3 => {
                let [first, middle, last] = [name[0], name[len / 2], name[len - 1]].map(u64::from);
                (first | middle << 8 | last << 16, 0)
            }
            len @ 4..=7 => (half(0) | half(len - 4) << 32, 0),
            len => (word(0), word(len.min(FOLDED_LEN) - 8)),
        };
        Self { low, high }
    }

    const fn hash(self, len: usize) -> usize {
        let mixed = self.low ^ self.high.rotate_left(29) ^ len as u64;
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
    }
}

/// Eight bytes, those of upper-case letters in lower case.
#[inline]
const fn lower_case(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7f * ONES);
    // The top bit of each byte that is at least 'A', and of each that is above 'Z'.
    let from = low + (0x80 - b'A' as u64) * ONES;
    let above = low + (0x7f - b'Z' as u64) * ONES;
    let letters = from & !above & !word & (0x80 * ONES);
    word | (letters >> 2)
}

impl Table {
    /// A table of the given groups.
    ///
    /// # Panics
    /// When two commands share a name, or a subcommand has no parent: the table is part of the
    /// program.
    #[must_use]
    pub fn new(groups: &[&[Entry]]) -> Self {
        let entries: Vec<Entry> = groups.iter().flat_map(|group| group.iter().copied()).collect();
        let size = (entries.len() * 4).next_power_of_two();
        let places = vec![Place::default(); size];
        let mut table = Self { places, children: vec![BTreeMap::new(); entries.len()], entries };
        for index in 0..table.entries.len() {
            let spec = &table.entries[index].spec;
            if spec.parent().is_some() {
                continue;
            }
            assert!(table.find(spec.name.as_bytes()).is_none(), "{} twice", spec.name);
            let (name, len) = (Folded::of(spec.name.as_bytes()), spec.name.len());
            let mut place = name.hash(len) & (size - 1);
            while table.places[place].row != 0 {
                place = (place + 1) & (size - 1);
            }
            table.places[place] = Place { name, len: len as u32, row: index as u16 + 1 };
        }
        for index in 0..table.entries.len() {
            let spec = table.entries[index].spec;
            let Some(parent) = spec.parent() else { continue };
            let parent = table.find(parent.as_bytes()).expect("a subcommand has a container");
            let twice = table.children[parent as usize].insert(spec.own_name(), index as u16);
            assert!(twice.is_none(), "{} twice", spec.name);
        }
        table
    }

    /// The index of a command, in any case. Containers are found too, subcommands are not.
    #[must_use]
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<u16> {
        let folded = Folded::of(name);
        let mut at = folded.hash(name.len());
        loop {
            let place = &self.places[at & (self.places.len() - 1)];
            let index = place.row.checked_sub(1)?;
            if place.name == folded
                && place.len as usize == name.len()
                && (name.len() <= FOLDED_LEN || self.is_called(index, name))
            {
                return Some(index);
            }
            at += 1;
        }
    }

    /// As [`Table::find`], for names that come in rows: `lately` remembers the last one as it was written.
    #[inline]
    pub fn find_lately(&self, name: &[u8], lately: &mut Lately) -> Option<u16> {
        let written = Folded::written(name);
        if written == lately.name && name.len() == lately.len && lately.len > 0 {
            return Some(lately.index);
        }
        let index = self.find(name)?;
        if name.len() <= FOLDED_LEN {
            *lately = Lately { name: written, len: name.len(), index };
        }
        Some(index)
    }

    fn is_called(&self, index: u16, name: &[u8]) -> bool {
        self.entries[index as usize].spec.name.as_bytes().eq_ignore_ascii_case(name)
    }

    /// The index of a subcommand of container `parent`, in any case.
    #[must_use]
    pub fn find_child(&self, parent: u16, name: &[u8]) -> Option<u16> {
        let own = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        self.children[parent as usize].get(own.as_str()).copied()
    }

    /// A full name, `client|list` or `client list` forms included.
    #[must_use]
    pub fn find_full(&self, name: &[u8]) -> Option<u16> {
        match name.iter().position(|byte| *byte == b'|') {
            Some(at) => self.find_child(self.find(&name[..at])?, &name[at + 1..]),
            None => self.find(name),
        }
    }

    /// The row at `index`.
    #[must_use]
    #[inline]
    pub fn at(&self, index: u16) -> &Entry {
        &self.entries[index as usize]
    }

    /// All rows.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The subcommands of a container, by name.
    pub fn children(&self, parent: u16) -> impl Iterator<Item = &Entry> {
        self.children[parent as usize].values().map(|index| self.at(*index))
    }

    /// Whether the row only holds subcommands.
    #[must_use]
    pub fn is_container(&self, index: u16) -> bool {
        self.at(index).spec.flags.has(Flags::CONTAINER)
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::{FOLDED_LEN, Folded, Lately, Table};

    #[test]
    fn no_name_is_no_command_whatever_was_looked_up_before() {
        let table = Table::new(&[]);
        let mut lately = Lately::default();
        assert_eq!(table.find_lately(b"", &mut lately), None);
        assert_eq!(table.find_lately(b"get", &mut lately), None);
        assert_eq!(table.find_lately(b"", &mut lately), None);
    }

    #[test]
    fn folded_names_are_equal_exactly_when_the_names_are_but_for_case() {
        let mut rng = Rng::new(7);
        let alphabet = b"aAbBzZ@[`{_-|.09\x0d\x7f\xc1\xe1";
        for len in 0..=FOLDED_LEN {
            for _ in 0..3_000 {
                let mut word = || -> Vec<u8> {
                    (0..len).map(|_| alphabet[rng.below(alphabet.len() as u64) as usize]).collect()
                };
                let one = word();
                let mut other = one.clone();
                if let Some(byte) = other.get_mut(rng.below(len.max(1) as u64) as usize) {
                    *byte = alphabet[rng.below(alphabet.len() as u64) as usize];
                }
                let same = one.eq_ignore_ascii_case(&other);
                assert_eq!(Folded::of(&one) == Folded::of(&other), same, "{one:?} {other:?}");
            }
        }
    }
}
