//! The payload of DUMP and RESTORE: kind, value, version of the format, checksum.

use stoa_stdx::crc64;
use stoa_value::{Limits, Rules};

use crate::read::{Damaged, Reader};
use crate::write::{ValueRef, Writer};
use crate::{Kind, Loaded, VERSION, load};

const SUM_LEN: usize = 8;
const FOOTER_LEN: usize = 2 + SUM_LEN;

/// What a payload may unpack to without regard to its own length: the longest string there is, as one of
/// nothing but zeros shrinks to almost nothing.
const UNPACKED_MAX: usize = 512 << 20;
/// What it may unpack to times its own length.
const UNPACKED_TIMES: usize = 16;

/// Why a payload is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its version is too new, or the checksum is not its own.
    Footer,
    /// It is not the value that it says it is.
    Content(Damaged),
}

/// A value as a payload.
#[must_use]
pub fn dump(value: ValueRef<'_>, limits: &Limits, compresses: bool) -> Vec<u8> {
    let mut writer = Writer::new(compresses);
    writer.byte(value.kind() as u8);
    writer.value(value, limits);
    let mut out = writer.into_bytes();
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&crc64(&out).to_le_bytes());
    out
}

/// The value of a payload.
///
/// # Errors
/// [`Refusal`]: nothing of it is kept then.
pub fn restore(payload: &[u8], checks_sum: bool, rules: &Rules) -> Result<Loaded, Refusal> {
    let (covered, sum) = payload.split_last_chunk::<SUM_LEN>().ok_or(Refusal::Footer)?;
    let (content, version) = covered.split_last_chunk::<2>().ok_or(Refusal::Footer)?;
    let is_whole = !checks_sum || u64::from_le_bytes(*sum) == crc64(covered);
    if u16::from_le_bytes(*version) > VERSION || !is_whole {
        return Err(Refusal::Footer);
    }
    debug_assert_eq!(payload.len() - content.len(), FOOTER_LEN);
    let unpacked_max = UNPACKED_MAX.max(payload.len().saturating_mul(UNPACKED_TIMES));
    let mut reader = Reader::new(content, unpacked_max);
    value(&mut reader, rules).map_err(Refusal::Content)
}

/// What stands behind the value is left alone, as in Redis.
fn value(reader: &mut Reader<'_>, rules: &Rules) -> Result<Loaded, Damaged> {
    let kind = Kind::of(reader.byte()?).ok_or(Damaged("it is of no type that is known here"))?;
    load(kind, reader, rules)
}
