//! PFSELFTEST: the encodings and the estimate checked inside a running server.
//!
//! The reference hashes ten million elements, which stops it for seconds. A shard must not stop, and
//! the same claims are tested at length below the sketch itself, so this looks at a few hundred
//! registers and some thousand elements.

use stoa_command::{Args, Arity, Category, Flags, Group, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use super::sketch::{self, Sketch};

/// `PFSELFTEST`
pub struct PfSelfTest;

/// Elements counted.
const ELEMENT_COUNT: u64 = 4_000;
/// Registers written and read back.
const REGISTERS_TRIED: usize = 256;

impl Command for PfSelfTest {
    const SPEC: Spec = Spec {
        name: "pfselftest",
        summary: "Checks the HyperLogLog encodings.",
        since: "2.8.9",
        is_internal: true,
        group: Group::HyperLogLog,
        complexity: "N/A",
        arity: Arity(1),
        flags: Flags::ADMIN,
        categories: &[Category::HyperLogLog],
        ..Spec::DEFAULT
    };

    type Args<'a> = ();

    fn parse<'a>(args: &mut Args<'a>) -> Result<(), ReplyError> {
        args.end()
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        match failure(ctx.node.config.hll_sparse_max_bytes as usize) {
            None => reply.ok(),
            Some(text) => return Err(ReplyError::Text(text)),
        }
        Ok(())
    }
}

/// What does not hold, if anything.
fn failure(sparse_len_max: usize) -> Option<&'static str> {
    let mut sketch = Sketch::new();
    let mut dense = Sketch::new();
    dense.open().ok()?;
    for index in 0..REGISTERS_TRIED {
        let value = (index * 7 % 32) as u8 + 1;
        let at = index * (sketch::REGISTER_COUNT / REGISTERS_TRIED);
        sketch.set(at, value, usize::MAX).ok()?;
        dense.set(at, value, 0).ok()?;
    }
    sketch.open().ok()?;
    if sketch.0[sketch::HEAD_LEN..] != dense.0[sketch::HEAD_LEN..] {
        return Some("TESTFAILED dense/sparse disagree");
    }
    let mut counted = Sketch::new();
    for element in 0..ELEMENT_COUNT {
        counted.add(&element.to_le_bytes(), sparse_len_max).ok()?;
    }
    // Four standard errors, as the reference allows.
    let error = sketch::count(&counted.0).ok()?.abs_diff(ELEMENT_COUNT);
    (error as f64 > ELEMENT_COUNT as f64 * 1.04 / 128.0 * 4.0).then_some("TESTFAILED Too big error")
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_passes_whatever_the_limit_of_the_sparse_form() {
        for limit in [0, 16, 3_000, usize::MAX] {
            assert_eq!(super::failure(limit), None, "{limit}");
        }
    }
}
