//! How long a client waits: the timeouts of commands that block.

use stoa_command::ReplyError;
use stoa_engine::Ctx;
use stoa_stdx::{Extended, MonoMs};

/// A timeout in seconds, fractions too, as milliseconds; 0 is for ever.
pub(crate) fn parse_seconds(text: &[u8]) -> Result<u64, ReplyError> {
    let bad = ReplyError::Text("ERR timeout is not a float or out of range");
    // What is a number is decided in extended precision, as in the reference; its value as a double is
    // near enough for a wait.
    let read = Extended::parse(text).and_then(|_| std::str::from_utf8(text).ok()?.parse().ok());
    let seconds: f64 = read.ok_or(bad)?;
    let ms = (seconds * 1_000.0).ceil();
    if ms > i64::MAX as f64 {
        return Err(ReplyError::Text("ERR timeout is out of range"));
    }
    if ms < 0.0 { Err(ReplyError::Text("ERR timeout is negative")) } else { Ok(ms as u64) }
}

/// When a client that waits so long gives up; 0: never.
pub(crate) fn until(wait_ms: u64, ctx: &Ctx<'_>) -> Option<MonoMs> {
    (wait_ms > 0).then(|| MonoMs(ctx.mono.0.saturating_add(wait_ms)))
}

/// The keys to wait for, each once however often the request names it.
pub(crate) fn keys(keys: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut distinct: Vec<Vec<u8>> = Vec::with_capacity(keys.len());
    for key in keys {
        if !distinct.iter().any(|known| known == key) {
            distinct.push(key.to_vec());
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::parse_seconds;

    #[test]
    fn timeouts_are_seconds_up_to_what_fits() {
        assert_eq!(parse_seconds(b"0"), Ok(0));
        assert_eq!(parse_seconds(b"0.0001"), Ok(1));
        assert_eq!(parse_seconds(b"1.5"), Ok(1_500));
        for text in [&b"x"[..], b"", b"-1", b"1e300", b"inf", b"nan"] {
            assert!(parse_seconds(text).is_err(), "{text:?}");
        }
    }
}
