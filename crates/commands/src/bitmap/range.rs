//! The ranges of BITCOUNT and BITPOS: in bytes or bits, from the start or from the end.

use std::ops::Range;

use stoa_command::{Args, ReplyError};

/// What a range counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Byte,
    Bit,
}

impl Unit {
    /// Reads the word at the end of a range, if there is one.
    pub(super) fn read(args: &mut Args<'_>) -> Result<Self, ReplyError> {
        match args.left() {
            0 => Ok(Self::Byte),
            _ => args.choice(&[("BIT", Self::Bit), ("BYTE", Self::Byte)]),
        }
    }
}

/// From `start` to `end`, the last one included; negative numbers count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) unit: Unit,
}

impl Wanted {
    /// All of a string.
    pub(super) const ALL: Self = Self { start: 0, end: -1, unit: Unit::Byte };

    /// The bits meant in a string of `len` bytes.
    pub(super) fn bits(self, len: usize) -> Range<usize> {
        let step = match self.unit {
            Unit::Byte => 8,
            Unit::Bit => 1,
        };
        let total = (len * 8 / step) as i64;
        let place = |index: i64| if index < 0 { total + index.max(-total) } else { index };
        let (start, end) = (place(self.start), place(self.end).min(total - 1));
        if start > end {
            return 0..0;
        }
        start as usize * step..(end as usize + 1) * step
    }
}
