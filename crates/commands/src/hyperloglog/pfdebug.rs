//! PFDEBUG: the registers of a sketch, for the tests of the encodings.

use std::fmt::Write as _;

use stoa_command::{Args, Arity, Category, Flags, Group, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

use super::sketch::{self, Sketch};
use super::{corrupt, read_sketch, store};

/// `PFDEBUG subcommand key`
pub struct PfDebug;

impl Command for PfDebug {
    const SPEC: Spec = Spec {
        name: "pfdebug",
        summary: "Shows or opens the registers of a HyperLogLog.",
        since: "2.8.9",
        is_internal: true,
        group: Group::HyperLogLog,
        complexity: "N/A",
        syntax: "subcommand key",
        arity: Arity(3),
        flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::ADMIN),
        categories: &[Category::HyperLogLog],
        keys: &[KeySpec::range(2, 0, 1, KeyFlags::RW.with(KeyFlags::ACCESS))],
        ..Spec::DEFAULT
    };

    type Args<'a> = (&'a [u8], &'a [u8]);

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok((args.bytes()?, args.bytes()?))
    }

    fn execute(
        (word, key): (&[u8], &[u8]),
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let key = ctx.key(key);
        let entry = ctx
            .db()
            .get_for_write(&key)
            .map(|entry| read_sketch(&entry, |bytes| Ok(Sketch(bytes.to_vec()))));
        let missing = ReplyError::Text("ERR The specified key does not exist");
        let mut sketch = entry.ok_or(missing)??;
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("encoding") {
            reply.simple(if sketch::is_dense(&sketch.0) { "dense" } else { "sparse" });
        } else if is("decode") {
            reply.bulk(decoded(&sketch.0)?.as_bytes());
        } else if is("getreg") || is("todense") {
            let opened = sketch.open().map_err(corrupt)?;
            if is("todense") {
                reply.int(opened.into());
            } else {
                reply.array(sketch::REGISTER_COUNT);
                sketch::for_each(&sketch.0, |_, _, value| reply.int(value.into()))
                    .map_err(corrupt)?;
            }
            if opened {
                store(&key, sketch.0, ctx);
                ctx.changed(1);
            }
        } else {
            reply.error_echo("ERR Unknown PFDEBUG subcommand '", word, "'");
        }
        Ok(())
    }
}

/// The runs of a sparse sketch as text: `z:` and `Z:` zeros, short and long form, `v:` a value.
fn decoded(sketch: &[u8]) -> Result<String, ReplyError> {
    if sketch::is_dense(sketch) {
        return Err(ReplyError::Text("ERR HLL encoding is not sparse"));
    }
    let mut text = String::new();
    for run in sketch::runs(sketch) {
        let run = run.map_err(corrupt)?;
        let separator = if text.is_empty() { "" } else { " " };
        let written = match (run.value, run.is_wide) {
            (0, false) => write!(text, "{separator}z:{}", run.len),
            (0, true) => write!(text, "{separator}Z:{}", run.len),
            (value, _) => write!(text, "{separator}v:{value},{}", run.len),
        };
        written.expect("a string takes all");
    }
    Ok(text)
}
