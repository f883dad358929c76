//! Zipmaps: what small hashes were written as long ago.
//!
//! ```text
//! | pairs 8 | length | field | length | unused 8 | value | unused bytes | ... | 0xff |
//! length: one byte up to 253, or 0xfe and 32 bits
//! ```

use crate::read::Damaged;

const END: u8 = 0xff;
const BAD: Damaged = Damaged("a zipmap is damaged");

/// Hands over the pairs of `bytes`.
pub(crate) fn each(
    bytes: &[u8],
    mut pair: impl FnMut(&[u8], &[u8]) -> Result<(), Damaged>,
) -> Result<(), Damaged> {
    let (&told, mut left) = bytes.split_first().ok_or(BAD)?;
    let mut count = 0_usize;
    while left != [END] {
        let field = text(&mut left, |_| Some(0)).ok_or(BAD)?;
        let value = text(&mut left, |left| {
            let (&unused, rest) = left.split_first()?;
            *left = rest;
            Some(usize::from(unused))
        });
        pair(field, value.ok_or(BAD)?)?;
        count += 1;
    }
    if told < 254 && usize::from(told) != count {
        return Err(BAD);
    }
    Ok(())
}

/// A text, with as many bytes behind it as `unused` reads between length and text.
fn text<'a>(
    left: &mut &'a [u8],
    unused: impl FnOnce(&mut &'a [u8]) -> Option<usize>,
) -> Option<&'a [u8]> {
    let (&head, rest) = left.split_first()?;
    *left = rest;
    let len = match head {
        0xfe => {
            let (len, rest) = left.split_first_chunk()?;
            *left = rest;
            u32::from_le_bytes(*len) as usize
        }
        END => return None,
        len => usize::from(len),
    };
    let unused = unused(left)?;
    let (text, rest) = left.split_at_checked(len)?;
    *left = rest.get(unused..)?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::each;

    fn pairs(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut all = Vec::new();
        let read = each(bytes, |field, value| {
            all.push((field.to_vec(), value.to_vec()));
            Ok(())
        });
        read.ok().map(|()| all)
    }

    #[test]
    fn pairs_are_read_with_room_behind_values() {
        let bytes = b"\x02\x01f\x02\x00ab\xfe\x01\0\0\0g\x01\x03cxxx\xff";
        let want = [("f", "ab"), ("g", "c")];
        let want = want.map(|(field, value)| (field.into(), value.into()));
        assert_eq!(pairs(bytes), Some(want.to_vec()));
    }

    #[test]
    fn what_is_cut_or_miscounted_is_refused() {
        let whole = b"\x02\x01f\x02\x00ab\x01g\x01\x03cxxx\xff";
        assert!(pairs(whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(pairs(&whole[..end]), None, "{end}");
        }
        assert_eq!(pairs(b"\x01\x01f\x02\x00ab\x01g\x01\x03cxxx\xff"), None);
        assert_eq!(pairs(b"\x01\x01f\xfe\xff\xff\xff\xff\x00ab\xff"), None);
    }
}
