//! The types that keys hold, besides strings: list, set, hash, sorted set, stream.
//!
//! Each is 16 bytes that lie in their key's entry: a tag, and one pointer to a packed buffer while the
//! value is small, to a structure that grows and is freed in portions when it is large. What the two
//! are called and where one turns into the other is what OBJECT ENCODING and the `*-max-*` directives
//! say (see [`Limits`]). Nothing here knows of keys, deadlines of keys or commands.
#![expect(
    unsafe_code,
    reason = "a small value is one pointer (buf), and lies in its key's entry without a tag (object)"
)]

mod buf;
mod copying;
mod element;
mod hash;
mod intset;
mod limits;
mod list;
mod object;
mod packed;
mod set;
mod sorted_set;
mod stream;
mod table;
mod text;

pub use copying::Copying;
pub use hash::{Fields, Hash};
pub use limits::{Limits, Rules};
pub use list::{Block as ListBlock, Elements, ElementsBack, End, List};
pub use object::{Kind, OBJECT_SIZE, Object, ObjectRef, Type};
pub use packed::{Forward, Iter, IterBack, Packed, Place, Row};
pub use set::{Members, Set};
pub use sorted_set::{Range, SortedSet};
pub use stream::{
    Block as StreamBlock, BlockLimits, Consumer, ConsumerId, Entry as StreamEntry,
    Fields as StreamFields, Group, Pending, Range as StreamRange, Stream, StreamId, Trim,
};
pub use text::Str;
