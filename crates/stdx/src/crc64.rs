//! The checksum behind serialized values: CRC-64 with the Jones polynomial, reflected, from zero.

use crc::{CRC_64_REDIS, Crc, Digest, Table};

static CRC64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// The checksum of `bytes`.
#[must_use]
pub fn crc64(bytes: &[u8]) -> u64 {
    CRC64.checksum(bytes)
}

/// The same of bytes that come in pieces.
#[derive(Clone)]
pub struct Crc64(Digest<'static, u64, Table<16>>);

impl Crc64 {
    /// Of no bytes yet.
    #[must_use]
    pub fn new() -> Self {
        Self(CRC64.digest())
    }

    /// More bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all that came.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.clone().finalize()
    }
}

impl Default for Crc64 {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Crc64 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Crc64").field(&self.sum()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Crc64, crc64};

    #[test]
    fn the_published_check_value_comes_out() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(b""), 0);
    }

    #[test]
    fn bytes_in_pieces_have_the_sum_of_the_whole() {
        let text: Vec<u8> = (0..1_000_u32).map(|n| (n * n) as u8).collect();
        for cut in [0, 1, 7, 500, 999, 1_000] {
            let mut sum = Crc64::new();
            sum.update(&text[..cut]);
            sum.update(&text[cut..]);
            assert_eq!(sum.sum(), crc64(&text), "cut at {cut}");
        }
    }
}
