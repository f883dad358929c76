//! CRC-16/XMODEM (polynomial 0x1021, no reflection, from 0): the checksum that the cluster
//! specification takes slots from.
//!
//! Every key of every request passes here, and keys are ten to thirty bytes long: shorter than the
//! blocks that general libraries are fast on. Eight bytes at a time from eight tables of 512 bytes
//! cost a third of the instructions of a byte at a time (docs/perf/2026-11-21-multi-key.md).

const POLYNOMIAL: u16 = 0x1021;

/// `TABLES[n][b]`: what byte `b` does to the checksum with `n` bytes to come behind it.
static TABLES: [[u16; 256]; 8] = tables();

const fn tables() -> [[u16; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ POLYNOMIAL };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut behind = 1;
    while behind < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[behind - 1][byte];
            tables[behind][byte] = (before << 8) ^ tables[0][(before >> 8) as usize];
            byte += 1;
        }
        behind += 1;
    }
    tables
}

/// The checksum of `bytes`.
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let (fours, rest) = rest.as_chunks::<4>();
    let crc = eights.iter().fold(0, chunk);
    let crc = fours.iter().fold(crc, chunk);
    rest.iter().fold(crc, |crc, byte| {
        (crc << 8) ^ TABLES[0][((crc >> 8) ^ u16::from(*byte)) as usize & 0xff]
    })
}

/// Two bytes or more at once: what was before them meets the first two.
#[inline]
fn chunk<const LEN: usize>(crc: u16, bytes: &[u8; LEN]) -> u16 {
    let [high, low] = crc.to_be_bytes();
    let mut sum = TABLES[LEN - 1][(bytes[0] ^ high) as usize];
    sum ^= TABLES[LEN - 2][(bytes[1] ^ low) as usize];
    for at in 2..LEN {
        sum ^= TABLES[LEN - 1 - at][bytes[at] as usize];
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::crc16;
    use crate::Rng;

    #[test]
    fn it_is_the_published_check_value() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b""), 0);
    }

    #[test]
    fn it_is_the_checksum_a_bit_at_a_time_of_every_length() {
        let by_bits = |bytes: &[u8]| {
            bytes.iter().fold(0_u16, |crc, byte| {
                (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
                    if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
                })
            })
        };
        let mut rng = Rng::new(16);
        for len in 0..100 {
            let bytes: Vec<u8> = (0..len).map(|_| rng.below(256) as u8).collect();
            assert_eq!(crc16(&bytes), by_bits(&bytes), "{bytes:?}");
        }
    }
}
