//! The payload of DUMP and RESTORE: kind, value, version of the format, checksum.

use stoa_stdx::{Crc64, crc64};
use stoa_value::{Limits, Rules};

use crate::read::{Damaged, Reader};
use crate::write::{Place, Portions, ValueRef, Writer};
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
    dump_in(VERSION, value, limits, compresses)
}

fn dump_in(version: u16, value: ValueRef<'_>, limits: &Limits, compresses: bool) -> Vec<u8> {
    let mut dumping = Dumping::in_version(version, value, compresses);
    while dumping.go_on(value, limits, usize::MAX) {}
    dumping.finish()
}

/// A payload that is written in portions, of a value that nobody changes meanwhile.
///
/// ```
/// # use stoa_rdb::{Dumping, ValueRef, dump};
/// let (value, limits) = (ValueRef::String(stoa_value::Str::Bytes(b"v")), Default::default());
/// let mut dumping = Dumping::oldest(value, true);
/// while dumping.go_on(value, &limits, 8 << 10) {}
/// assert_eq!(dumping.finish()[..3], dump(value, &limits, true)[..3]);
/// ```
#[derive(Clone, Debug)]
pub struct Dumping {
    writer: Writer,
    version: u16,
    /// Where in the value it goes on.
    place: Place,
    /// Of what was written.
    sum: Crc64,
    summed: usize,
}

impl Dumping {
    /// Begins a payload in the oldest version that holds all of the value: for a server that may be older
    /// than the one whose DUMP this is.
    #[must_use]
    pub fn oldest(value: ValueRef<'_>, compresses: bool) -> Self {
        Self::in_version(value.version(), value, compresses)
    }

    fn in_version(version: u16, value: ValueRef<'_>, compresses: bool) -> Self {
        let mut writer = Writer::new(compresses);
        writer.byte(value.kind_in(version) as u8);
        Self { writer, version, place: Place::default(), sum: Crc64::new(), summed: 0 }
    }

    /// Writes about `len` bytes more of the same value, counted before they are compressed. True when there
    /// are more. A string, and what lies packed as one, is written at once.
    pub fn go_on(&mut self, value: ValueRef<'_>, limits: &Limits, len: usize) -> bool {
        let place = std::mem::take(&mut self.place);
        let mut portions = Portions::from_place(value, limits, self.version, place);
        let until = self.writer.worked().saturating_add(len);
        portions.write(&mut self.writer, until);
        let goes_on = !portions.is_over();
        self.place = portions.into_place();
        self.add_up();
        goes_on
    }

    /// Bytes that wait to be taken.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.writer.waiting()
    }

    /// Gives away what was written so far, as the next piece of the payload.
    pub fn take(&mut self) -> Vec<u8> {
        self.summed = 0;
        self.writer.take()
    }

    /// The payload once the value is written, or its last piece.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.writer.raw(&self.version.to_le_bytes());
        self.add_up();
        self.writer.raw(&self.sum.sum().to_le_bytes());
        self.writer.into_bytes()
    }

    fn add_up(&mut self) {
        self.sum.update(&self.writer.bytes()[self.summed..]);
        self.summed = self.writer.waiting();
    }
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

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;
    use stoa_value::Str;

    use super::{Dumping, dump_in, restore};
    use crate::load::tests::{object, rules, text};
    use crate::{Loaded, VERSION, ValueRef};

    #[test]
    fn a_payload_in_portions_and_pieces_is_the_one_that_is_written_at_once() {
        for seed in 0..if cfg!(miri) { 5 } else { 2_000 } {
            let mut rng = Rng::new(seed);
            let rules = rules(&mut rng);
            let loaded = match rng.below(6) {
                0 => Loaded::String(text(&mut rng)),
                _ => Loaded::Object(object(&mut rng, &rules)),
            };
            let value = match &loaded {
                Loaded::String(text) => ValueRef::String(Str::Bytes(text)),
                Loaded::Object(object) => ValueRef::Object(object.as_ref()),
            };
            let compresses = rng.one_in(2);
            for version in [value.version(), VERSION] {
                let mut dumping = Dumping::in_version(version, value, compresses);
                let len = *rng.pick(&[0, 1, 30, 1_000]);
                let mut payload = Vec::new();
                while dumping.go_on(value, &rules.limits, len) {
                    if rng.one_in(3) {
                        payload.append(&mut dumping.take());
                    }
                }
                payload.append(&mut dumping.finish());
                let case = format!("seed {seed}, version {version}, {:?}", value.kind());
                let whole = dump_in(version, value, &rules.limits, compresses);
                assert_eq!(payload, whole, "{case}");
                assert_eq!(restore(&payload, true, &rules).as_ref(), Ok(&loaded), "{case}");
            }
        }
    }
}
