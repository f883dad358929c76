//! All libraries as one string of bytes: records of an RDB file, its version, its checksum.
//!
//! Written without compression, read with and without.

use crc::{CRC_64_REDIS, Crc};

/// The record of a library in an RDB file.
const FUNCTION2: u8 = 245;
/// The RDB version that is written, and the last that is read.
const VERSION: u16 = 12;
const FOOTER_LEN: usize = 10;
/// A library of a dump may be so long, bytes: what a request may bring at most.
const CODE_LEN_MAX: usize = 512 << 20;

static CRC: Crc<u64> = Crc::<u64>::new(&CRC_64_REDIS);

const BAD_FOOTER: &str = "DUMP payload version or checksum are wrong";
const BAD_RECORD: &str = "failed loading functions payload";

/// Writes libraries.
#[must_use]
pub fn write<'a>(libraries: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for code in libraries {
        out.push(FUNCTION2);
        write_len(code.len(), &mut out);
        out.extend_from_slice(code);
    }
    out.extend_from_slice(&VERSION.to_le_bytes());
    let sum = CRC.checksum(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

fn write_len(len: usize, out: &mut Vec<u8>) {
    if len < 1 << 6 {
        out.push(len as u8);
    } else if len < 1 << 14 {
        out.extend_from_slice(&[0x40 | (len >> 8) as u8, len as u8]);
    } else if let Ok(len) = u32::try_from(len) {
        out.push(0x80);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(0x81);
        out.extend_from_slice(&(len as u64).to_be_bytes());
    }
}

/// Reads libraries.
///
/// # Errors
/// What is wrong with the bytes.
pub fn read(payload: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let (records, footer) =
        payload.len().checked_sub(FOOTER_LEN).map(|at| payload.split_at(at)).ok_or(BAD_FOOTER)?;
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let sum: [u8; 8] = footer[2..].try_into().expect("a footer is ten bytes");
    let sum = u64::from_le_bytes(sum);
    // Zero: whoever wrote it computes none.
    let right = sum == 0 || sum == CRC.checksum(&payload[..payload.len() - 8]);
    if version > VERSION || !right {
        return Err(BAD_FOOTER);
    }
    let mut left = records;
    let mut libraries = Vec::new();
    while let Some((tag, rest)) = left.split_first() {
        if *tag != FUNCTION2 {
            return Err("given type is not a function");
        }
        left = rest;
        libraries.push(read_string(&mut left).ok_or(BAD_RECORD)?);
    }
    Ok(libraries)
}

enum Len {
    Plain(usize),
    Encoded(u8),
}

fn take<'a>(left: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = left.split_at_checked(len)?;
    *left = rest;
    Some(taken)
}

fn read_len(left: &mut &[u8]) -> Option<Len> {
    let first = take(left, 1)?[0];
    let low = first & 0x3f;
    let len = match (first >> 6, low) {
        (0, _) => usize::from(low),
        (1, _) => usize::from(low) << 8 | usize::from(take(left, 1)?[0]),
        (2, 0) => u32::from_be_bytes(take(left, 4)?.try_into().ok()?) as usize,
        (2, 1) => usize::try_from(u64::from_be_bytes(take(left, 8)?.try_into().ok()?)).ok()?,
        (3, _) => return Some(Len::Encoded(low)),
        _ => return None,
    };
    Some(Len::Plain(len))
}

fn read_plain_len(left: &mut &[u8]) -> Option<usize> {
    match read_len(left)? {
        Len::Plain(len) => Some(len),
        Len::Encoded(_) => None,
    }
}

fn read_string(left: &mut &[u8]) -> Option<Vec<u8>> {
    match read_len(left)? {
        Len::Plain(len) => take(left, len).map(<[u8]>::to_vec),
        // Digits are no library, so the other encodings cannot be right.
        Len::Encoded(3) => {
            let packed_len = read_plain_len(left)?;
            let len = read_plain_len(left)?;
            unpack(take(left, packed_len)?, len)
        }
        Len::Encoded(_) => None,
    }
}

/// Undoes LZF.
fn unpack(mut packed: &[u8], len: usize) -> Option<Vec<u8>> {
    if len > CODE_LEN_MAX {
        return None;
    }
    let mut out: Vec<u8> = Vec::new();
    while !packed.is_empty() {
        let control = usize::from(take(&mut packed, 1)?[0]);
        if control < 32 {
            out.extend_from_slice(take(&mut packed, control + 1)?);
        } else {
            let mut count = control >> 5;
            if count == 7 {
                count += usize::from(take(&mut packed, 1)?[0]);
            }
            let back = (control & 31) << 8 | usize::from(take(&mut packed, 1)?[0]);
            let from = out.len().checked_sub(back + 1)?;
            // What is copied may be what it has just written.
            for at in from..from + count + 2 {
                out.push(out[at]);
            }
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn what_is_written_is_read() {
        let long = vec![b'x'; 20_000];
        let codes: [&[u8]; 3] = [b"#!lua name=a\n", &[b'y'; 100], &long];
        let bytes = write(codes.into_iter());
        assert_eq!(read(&bytes), Ok(codes.map(<[u8]>::to_vec).to_vec()));
    }

    #[test]
    fn what_the_reference_packs_is_unpacked() {
        // "abababab..." as one literal and one reference that overlaps itself.
        let packed = [1, b'a', b'b', 0xe0, 3, 1];
        assert_eq!(super::unpack(&packed, 14), Some(b"ababababababab".to_vec()));
        assert_eq!(super::unpack(&packed, 13), None);
        assert_eq!(super::unpack(&[0x20, 9], 3), None);
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let mut bytes = write([b"#!lua name=a\n".as_slice()].into_iter());
        bytes[5] ^= 1;
        assert_eq!(read(&bytes), Err("DUMP payload version or checksum are wrong"));
        assert_eq!(read(b""), Err("DUMP payload version or checksum are wrong"));
    }
}
