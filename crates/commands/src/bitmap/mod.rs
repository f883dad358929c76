//! Bitmaps: strings seen as bits, the highest bit of the first byte first.

mod bit;
mod bitcount;
mod bitfield;
mod bitop;
mod bitpos;
mod bits;
mod range;

use stoa_engine::{Entry, entry};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<bit::GetBit>(),
    entry::<bit::SetBit>(),
    entry::<bitcount::BitCount>(),
    entry::<bitfield::BitField>(),
    entry::<bitfield::BitFieldRo>(),
    entry::<bitop::BitOp>(),
    entry::<bitpos::BitPos>(),
];
