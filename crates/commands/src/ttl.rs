//! Deadlines as commands spell them: seconds or milliseconds, from now or since 1970.

use stoa_command::{ReplyError, parse_int};
use stoa_engine::Ctx;
use stoa_keyspace::Ttl;
use stoa_stdx::UnixMs;

/// How a number becomes a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Milliseconds in one.
    pub(crate) ms: i64,
    /// Counts from now on, not from 1970.
    pub(crate) relative: bool,
}

impl Unit {
    pub(crate) const EX: Self = Self { ms: 1_000, relative: true };
    pub(crate) const PX: Self = Self { ms: 1, relative: true };
    pub(crate) const EXAT: Self = Self { ms: 1_000, relative: false };
    pub(crate) const PXAT: Self = Self { ms: 1, relative: false };
}

/// A deadline as it was written; what it means depends on the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The number.
    pub(crate) value: i64,
    /// Its unit.
    pub(crate) unit: Unit,
}

impl Written {
    /// Reads the number after an option such as EX. Zero and less are refused.
    pub(crate) fn positive(
        text: &[u8],
        unit: Unit,
        command: &'static str,
    ) -> Result<Self, ReplyError> {
        let value = parse_int(text).ok_or(ReplyError::NotInteger)?;
        let fits = value > 0 && value.checked_mul(unit.ms).is_some();
        if fits { Ok(Self { value, unit }) } else { Err(ReplyError::InvalidExpire(command)) }
    }

    /// Milliseconds since 1970, possibly negative.
    pub(crate) fn at(self, now: UnixMs, command: &'static str) -> Result<i64, ReplyError> {
        let start = if self.unit.relative { now.0 as i64 } else { 0 };
        self.value
            .checked_mul(self.unit.ms)
            .and_then(|ms| ms.checked_add(start))
            .ok_or(ReplyError::InvalidExpire(command))
    }
}

/// What overwriting a whole value does to its deadline when the request says nothing about it.
pub(crate) fn unsaid_ttl(ctx: &Ctx<'_>) -> Ttl {
    if ctx.node.config.set_preserves_ttl { Ttl::Keep } else { Ttl::Clear }
}
