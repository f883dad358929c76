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
    /// Places of folded names; 0 is empty, else index + 1.
    places: Vec<u16>,
    /// Subcommands of each container, by lower-case own name.
    children: Vec<BTreeMap<&'static str, u16>>,
}

/// A name folded for hashing: its first 16 bytes, in one case.
const fn fold(name: &[u8]) -> u64 {
    let mut word = [0_u8; 16];
    let mut at = 0;
    while at < name.len() && at < 16 {
        word[at] = name[at] | 0x20;
        at += 1;
    }
    let folded = u128::from_le_bytes(word);
    let mixed = (folded as u64) ^ ((folded >> 64) as u64).rotate_left(29) ^ name.len() as u64;
    mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
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
        let mut table =
            Self { places: vec![0; size], children: vec![BTreeMap::new(); entries.len()], entries };
        for index in 0..table.entries.len() {
            let spec = &table.entries[index].spec;
            if spec.parent().is_some() {
                continue;
            }
            assert!(table.find(spec.name.as_bytes()).is_none(), "{} twice", spec.name);
            let mut place = table.place(spec.name.as_bytes());
            while table.places[place] != 0 {
                place = (place + 1) & (size - 1);
            }
            table.places[place] = index as u16 + 1;
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

    fn place(&self, name: &[u8]) -> usize {
        (fold(name) >> 32) as usize & (self.places.len() - 1)
    }

    /// The index of a command, in any case. Containers are found too, subcommands are not.
    #[must_use]
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<u16> {
        let mut place = self.place(name);
        loop {
            let index = self.places[place].checked_sub(1)?;
            if self.entries[index as usize].spec.name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(index);
            }
            place = (place + 1) & (self.places.len() - 1);
        }
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
