//! DEBUG LISTPACK: what lies in the one buffer of a small value, element by element.
//!
//! Redis prints it where the server was started; here whoever asks sees it.

use std::borrow::Cow;
use std::fmt::Write;

use stoa_engine::Ctx;
use stoa_value::{List, ObjectRef, Str};

/// The buffer's elements, if the key is on this shard; None inside: it has no such buffer.
pub(super) fn describe(key: &[u8], ctx: &mut Ctx<'_>) -> Option<Option<String>> {
    let key = ctx.key(key);
    let mut db = ctx.db();
    let entry = db.peek(&key)?;
    if entry.encoding() != "listpack" {
        return Some(None);
    }
    let packed = match entry.object()? {
        ObjectRef::List(list) => return Some(Some(of_list(list))),
        ObjectRef::Set(set) => set.to_packed().map(Cow::Owned),
        ObjectRef::SortedSet(set) => set.packed().map(Cow::Borrowed),
        ObjectRef::Hash(hash) => hash.to_packed(),
        ObjectRef::Stream(_) => None,
    };
    Some(packed.map(|packed| lines(packed.iter(), packed.len())))
}

fn of_list(list: &List) -> String {
    lines(list.iter(), list.len())
}

fn lines<'a>(elements: impl Iterator<Item = Str<'a>>, len: usize) -> String {
    let mut text = format!("{len} elements\n");
    for (number, element) in elements.enumerate() {
        let line = match element {
            Str::Int(value) => writeln!(text, "{number}: {value}"),
            Str::Bytes(bytes) => writeln!(text, "{number}: \"{}\"", bytes.escape_ascii()),
        };
        line.expect("a string takes any text");
    }
    text
}
