//! The digits of a double, as Redis finds them: the second of Florian Loitsch's algorithms in "Printing
//! Floating-Point Numbers Quickly and Accurately with Integers" (PLDI 2010).
//!
//! It works in 64 bits and gives up a little: one double in a thousand or so gets a digit more than it
//! needs, or a last one that is not the nearest; it reads back as the same number all the same. Clients
//! compare texts, so those must be the same texts, which hang on the choice of powers and on how products
//! are rounded: powers of ten eight apart, each the nearest, and products rounded half up.

/// Most digits it gives.
pub(crate) const DIGITS_MAX: usize = 18;

/// Bits of a double behind the leading one.
const FRACTION_BITS: u32 = 52;
const LEADING: u64 = 1 << FRACTION_BITS;
/// What to take off the exponent of a double to have that of its last bit.
const BIAS: i32 = 1_023 + FRACTION_BITS as i32;

/// The powers of ten at hand: the first one's exponent, and how far they are apart.
const FIRST: i32 = -348;
const STEP: i32 = 8;
/// Where the exponent of two of a scaled number must lie: its whole part then fits 32 bits.
const SCALED: std::ops::RangeInclusive<i32> = -60..=-32;

/// A number: 64 bits, and the exponent of two of the last.
#[derive(Clone, Copy, Debug)]
struct Float {
    bits: u64,
    exponent: i32,
}

impl Float {
    /// With the first bit set.
    const fn normalized(self) -> Self {
        let by = self.bits.leading_zeros();
        Self { bits: self.bits << by, exponent: self.exponent - by as i32 }
    }

    /// The upper half of the product, rounded.
    const fn times(self, other: Self) -> Self {
        let product = self.bits as u128 * other.bits as u128 + (1 << 63);
        Self { bits: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }
}

/// The digits of a number above zero, how many they are, and the power of ten of the last.
pub(crate) fn digits(value: f64) -> ([u8; DIGITS_MAX], usize, i32) {
    debug_assert!(value.is_finite() && value > 0.0, "{value} has no digits of this kind");
    let float = parts(value);
    // Whatever lies between here reads back as the same number.
    let above = Float { bits: (float.bits << 1) + 1, exponent: float.exponent - 1 }.normalized();
    // The next double below a power of two is only half as far away.
    let nearer = if float.bits == LEADING { 2 } else { 1 };
    let below = (float.bits << nearer) - 1;
    let below = below << (float.exponent - nearer - above.exponent);
    let below = Float { bits: below, exponent: above.exponent };

    let (power, exponent) = scale(above.exponent);
    let float = float.normalized().times(power);
    let (mut above, mut below) = (above.times(power), below.times(power));
    // A product is wrong by one at most.
    above.bits -= 1;
    below.bits += 1;
    generate(float, above, below.bits, -exponent)
}

fn parts(value: f64) -> Float {
    let bits = value.to_bits();
    let (fraction, exponent) = (bits & (LEADING - 1), (bits >> FRACTION_BITS) as i32 & 0x7ff);
    if exponent == 0 {
        return Float { bits: fraction, exponent: 1 - BIAS };
    }
    Float { bits: fraction | LEADING, exponent: exponent - BIAS }
}

/// The power of ten that brings a number with this exponent of two where its digits are easy to take, and
/// its exponent of ten.
fn scale(exponent: i32) -> (Float, i32) {
    // The guess goes by the logarithm, and may be one off.
    let guess = (f64::from(-(exponent + POWERS.len() as i32)) * std::f64::consts::LOG10_2) as i32;
    let mut at = (guess - FIRST) / STEP;
    loop {
        let (bits, two) = POWERS[at as usize];
        let scaled = exponent + i32::from(two) + 64;
        if scaled < *SCALED.start() {
            at += 1;
        } else if scaled > *SCALED.end() {
            at -= 1;
        } else {
            return (Float { bits, exponent: i32::from(two) }, FIRST + STEP * at);
        }
    }
}

/// The shortest digits between `below` and `above` that it finds, near `value`.
fn generate(value: Float, above: Float, below: u64, tens: i32) -> ([u8; DIGITS_MAX], usize, i32) {
    let shift = -above.exponent;
    let one = 1_u64 << shift;
    let (mut whole, mut part) = (above.bits >> shift, above.bits & (one - 1));
    let (mut room, mut off) = (above.bits - below, above.bits - value.bits);
    let (mut digits, mut len) = ([0; DIGITS_MAX], 0);
    let mut push = |digits: &mut [u8; DIGITS_MAX], digit: u64| {
        if digit > 0 || len > 0 {
            digits[len] = b'0' + digit as u8;
            len += 1;
        }
        len
    };
    let mut unit = 1_000_000_000_u64;
    for left in (0..10).rev() {
        let len = push(&mut digits, whole / unit);
        whole %= unit;
        let rest = (whole << shift) + part;
        if rest <= room {
            round(&mut digits[len - 1], room, rest, unit << shift, off);
            return (digits, len, tens + left);
        }
        unit /= 10;
    }
    for behind in 1.. {
        (part, room) = (part * 10, room * 10);
        off = off.wrapping_mul(10);
        let len = push(&mut digits, part >> shift);
        part &= one - 1;
        if part < room {
            round(&mut digits[len - 1], room, part, one, off);
            return (digits, len, tens - behind);
        }
    }
    unreachable!("the room grows until a digit fits")
}

/// Takes the last digit down as long as that comes nearer to the number.
fn round(digit: &mut u8, room: u64, mut rest: u64, unit: u64, off: u64) {
    while rest < off && room - rest >= unit && (rest + unit < off || off - rest > rest + unit - off)
    {
        *digit -= 1;
        rest += unit;
    }
}

/// Each the nearest to its power of ten: 64 bits, and the exponent of two of the last.
#[rustfmt::skip]
const POWERS: [(u64, i16); 87] = [
    (0xfa8f_d5a0_081c_0288, -1220), (0xbaae_e17f_a23e_bf76, -1193), (0x8b16_fb20_3055_ac76, -1166),
    (0xcf42_894a_5dce_35ea, -1140), (0x9a6b_b0aa_5565_3b2d, -1113), (0xe61a_cf03_3d1a_45df, -1087),
    (0xab70_fe17_c79a_c6ca, -1060), (0xff77_b1fc_bebc_dc4f, -1034), (0xbe56_91ef_416b_d60c, -1007),
    (0x8dd0_1fad_907f_fc3c, -980), (0xd351_5c28_3155_9a83, -954), (0x9d71_ac8f_ada6_c9b5, -927),
    (0xea9c_2277_23ee_8bcb, -901), (0xaecc_4991_4078_536d, -874), (0x823c_1279_5db6_ce57, -847),
    (0xc210_9436_4dfb_5637, -821), (0x9096_ea6f_3848_984f, -794), (0xd774_85cb_2582_3ac7, -768),
    (0xa086_cfcd_97bf_97f4, -741), (0xef34_0a98_172a_ace5, -715), (0xb238_67fb_2a35_b28e, -688),
    (0x84c8_d4df_d2c6_3f3b, -661), (0xc5dd_4427_1ad3_cdba, -635), (0x936b_9fce_bb25_c996, -608),
    (0xdbac_6c24_7d62_a584, -582), (0xa3ab_6658_0d5f_daf6, -555), (0xf3e2_f893_dec3_f126, -529),
    (0xb5b5_ada8_aaff_80b8, -502), (0x8762_5f05_6c7c_4a8b, -475), (0xc9bc_ff60_34c1_3053, -449),
    (0x964e_858c_91ba_2655, -422), (0xdff9_7724_7029_7ebd, -396), (0xa6df_bd9f_b8e5_b88f, -369),
    (0xf8a9_5fcf_8874_7d94, -343), (0xb944_7093_8fa8_9bcf, -316), (0x8a08_f0f8_bf0f_156b, -289),
    (0xcdb0_2555_6531_31b6, -263), (0x993f_e2c6_d07b_7fac, -236), (0xe45c_10c4_2a2b_3b06, -210),
    (0xaa24_2499_6973_92d3, -183), (0xfd87_b5f2_8300_ca0e, -157), (0xbce5_0864_9211_1aeb, -130),
    (0x8cbc_cc09_6f50_88cc, -103), (0xd1b7_1758_e219_652c, -77), (0x9c40_0000_0000_0000, -50),
    (0xe8d4_a510_0000_0000, -24), (0xad78_ebc5_ac62_0000, 3), (0x813f_3978_f894_0984, 30),
    (0xc097_ce7b_c907_15b3, 56), (0x8f7e_32ce_7bea_5c70, 83), (0xd5d2_38a4_abe9_8068, 109),
    (0x9f4f_2726_179a_2245, 136), (0xed63_a231_d4c4_fb27, 162), (0xb0de_6538_8cc8_ada8, 189),
    (0x83c7_088e_1aab_65db, 216), (0xc45d_1df9_4271_1d9a, 242), (0x924d_692c_a61b_e758, 269),
    (0xda01_ee64_1a70_8dea, 295), (0xa26d_a399_9aef_774a, 322), (0xf209_787b_b47d_6b85, 348),
    (0xb454_e4a1_79dd_1877, 375), (0x865b_8692_5b9b_c5c2, 402), (0xc835_53c5_c896_5d3d, 428),
    (0x952a_b45c_fa97_a0b3, 455), (0xde46_9fbd_99a0_5fe3, 481), (0xa59b_c234_db39_8c25, 508),
    (0xf6c6_9a72_a398_9f5c, 534), (0xb7dc_bf53_54e9_bece, 561), (0x88fc_f317_f222_41e2, 588),
    (0xcc20_ce9b_d35c_78a5, 614), (0x9816_5af3_7b21_53df, 641), (0xe2a0_b5dc_971f_303a, 667),
    (0xa8d9_d153_5ce3_b396, 694), (0xfb9b_7cd9_a4a7_443c, 720), (0xbb76_4c4c_a7a4_4410, 747),
    (0x8bab_8eef_b640_9c1a, 774), (0xd01f_ef10_a657_842c, 800), (0x9b10_a4e5_e991_3129, 827),
    (0xe710_9bfb_a19c_0c9d, 853), (0xac28_20d9_623b_f429, 880), (0x8044_4b5e_7aa7_cf85, 907),
    (0xbf21_e440_03ac_dd2d, 933), (0x8e67_9c2f_5e44_ff8f, 960), (0xd433_179d_9c8c_b841, 986),
    (0x9e19_db92_b4e3_1ba9, 1013), (0xeb96_bf6e_badf_77d9, 1039), (0xaf87_023b_9bf0_ee6b, 1066),
];

#[cfg(test)]
mod tests {
    use super::{DIGITS_MAX, FIRST, POWERS, STEP, digits};
    use crate::Rng;

    /// Doubles whose texts are not the shortest, as Redis 7.4.1 says them (`ZADD`, `ZSCORE`).
    const SAID: &[(u64, &str)] = &[
        (0x4311_11c3_2f75_2f6d, "1201151154146267.3"),
        (0x4302_957f_c691_2ace, "653865700697433.7"),
        (0x42ec_2620_141f_f314, "247600580198296.63"),
        (0x4307_678c_2545_1202, "823472010338880.3"),
        (0xa365_7073_c52f_b255, "-3.6006584069477857e-138"),
        (0x5f9b_7ad2_87b1_e887, "3.5980814870098334e+152"),
        (0x4302_c847_0f2a_9eb2, "660844637934550.3"),
        (0x430b_91d8_1582_7f12, "970022703878114.3"),
        (0x7500_7892_f317_86df, "3.8642578648040174e+255"),
        (0x3fa0_9749_7339_711c, "0.032404227557636583"),
        (0x949f_7437_0eba_e72d, "-2.3918747119914851e-209"),
        (0x1f46_3cb4_cd62_1c42, "5.0614050580870126e-158"),
        (0xc318_3471_0408_e9e7, "-1703264861174393.7"),
        (0x42d6_8f82_bd52_8ed8, "99222518319675.37"),
        (0x42b3_d73d_41f8_1890, "21815166629912.563"),
        (0x41ab_4cb5_0c45_c6fd, "2.2900595813628379e+8"),
        (0x411b_fbcd_82c2_247c, "4.5848337769371993e+5"),
        (0x4312_5d0e_196d_35cb, "1292216179576178.7"),
        (0xa7c7_4542_7ecc_57fe, "-4.6140071864003846e-117"),
        (0x4312_1a1a_c72a_f87d, "1273812973436447.3"),
        (0x4302_edc6_1f9d_23d6, "665998096311418.7"),
        (0xfec1_56ed_fb3c_20e7, "-3.7158994444855474e+302"),
        (0x42bd_ffa2_5b41_7370, "32983777755507.437"),
        (0xd9e9_a26c_c605_20c6, "-1.3556656711248091e+125"),
    ];

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        crate::write_double(&mut out, value);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn doubles_that_are_not_written_in_the_fewest_digits_are_written_as_redis_does() {
        for (bits, said) in SAID {
            let value = f64::from_bits(*bits);
            assert_eq!(text(value), *said, "{value:?}");
            assert_eq!(said.parse(), Ok(value));
        }
    }

    #[test]
    fn digits_read_back_as_the_same_number_and_are_hardly_ever_too_many() {
        let (mut rng, mut longer) = (Rng::new(3), 0);
        for _ in 0..100_000 {
            let value = f64::from_bits(rng.next() & !(1 << 63));
            if value.is_finite() && value > 0.0 {
                let (digits, len, exponent) = digits(value);
                assert!(len < DIGITS_MAX, "{value:e}: {len} digits");
                let digits = std::str::from_utf8(&digits[..len]).expect("ASCII");
                assert_eq!(format!("{digits}e{exponent}").parse(), Ok(value), "{value:e}");
                let shortest = format!("{value:e}")
                    .split('e')
                    .next()
                    .map_or(0, |it| it.bytes().filter(u8::is_ascii_digit).count());
                assert!(len >= shortest, "{value:e}: {digits} is shorter than the shortest");
                longer += usize::from(len > shortest);
            }
        }
        assert!((1..500).contains(&longer), "{longer} of 100,000");
    }

    /// A whole number of any length, the lowest word first.
    fn times(number: &mut Vec<u32>, by: u32) {
        let mut carry = 0_u64;
        for word in number.iter_mut() {
            carry += u64::from(*word) * u64::from(by);
            *word = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            number.push(carry as u32);
        }
    }

    fn bit(number: &[u32], at: i32) -> bool {
        at >= 0 && number.get(at as usize / 32).is_some_and(|word| word >> (at % 32) & 1 == 1)
    }

    /// Ten to the `n`, to 64 bits and rounded: five to the `n` has the same bits.
    fn power(n: u32) -> (u64, i32) {
        let mut five = vec![1];
        (0..n).for_each(|_| times(&mut five, 5));
        let len = five.len() as i32 * 32 - five.last().map_or(0, |top| top.leading_zeros() as i32);
        let bits = (0..64).fold(0, |bits, at| bits << 1 | u64::from(bit(&five, len - 1 - at)));
        (bits + u64::from(bit(&five, len - 65)), len - 64 + n as i32)
    }

    #[test]
    fn each_power_is_the_nearest() {
        for (at, (bits, exponent)) in POWERS.iter().enumerate() {
            let tens = FIRST + STEP * at as i32;
            if tens >= 0 {
                assert_eq!((*bits, i32::from(*exponent)), power(tens as u32), "1e{tens}");
                continue;
            }
            // Times its opposite it is one, up to what the rounding of both can make.
            let (opposite, two) = power(tens.unsigned_abs());
            let product = u128::from(*bits) * u128::from(opposite);
            let scale = i32::from(*exponent) + two;
            assert!((-127..=-126).contains(&scale), "1e{tens}");
            let off = product.abs_diff(1 << -scale);
            assert!(off <= u128::from(bits / 2 + opposite / 2), "1e{tens} is off by {off}");
        }
    }
}
