//! LOLWUT: a small picture, other each time, and the version it is compatible with.
//!
//! The picture is a stoa: a row of columns under one roof, some of them weathered by chance.

use stoa_command::{Args, Arity, Flags, Group, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};
use stoa_observability::info::REDIS_VERSION;
use stoa_stdx::Rng;

/// Columns drawn when nobody says how many.
const COLUMNS: i64 = 8;
/// The most that fit a terminal.
const COLUMNS_MAX: i64 = 24;
const ROWS: usize = 6;

/// `LOLWUT [VERSION version] [columns]`
pub struct Lolwut;

impl Command for Lolwut {
    const SPEC: Spec = Spec {
        name: "lolwut",
        summary: "Draws a picture and tells the version.",
        since: "5.0.0",
        group: Group::Server,
        complexity: "",
        syntax: "[VERSION version:integer]",
        arity: Arity(-1),
        flags: Flags::READONLY.with(Flags::FAST),
        ..Spec::DEFAULT
    };

    type Args<'a> = i64;

    fn parse(args: &mut Args<'_>) -> Result<i64, ReplyError> {
        if args.left() >= 2 && args.word("VERSION") {
            // There is one picture for all versions.
            args.int()?;
        }
        // What this picture has no use for is no mistake: those of other versions have parameters.
        let columns = args.int().unwrap_or(COLUMNS);
        args.rest();
        Ok(columns.clamp(1, COLUMNS_MAX))
    }

    fn execute(columns: i64, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        let mut text = picture(columns as usize, &mut ctx.node.rng);
        text.push_str(&format!("\nRedis ver. {REDIS_VERSION}\n"));
        reply.verbatim("txt", text.as_bytes());
        Ok(())
    }
}

fn picture(columns: usize, rng: &mut Rng) -> String {
    let width = columns * 4 + 1;
    let mut text = format!(" {}\n{}\n", "_".repeat(width - 2), "=".repeat(width));
    let standing: Vec<usize> =
        (0..columns).map(|_| ROWS - (rng.below(4) as usize).saturating_sub(1)).collect();
    for row in 0..ROWS {
        text.push(' ');
        for height in &standing {
            // The roof rests on what still stands; the rest lies below.
            text.push_str(if row < *height { "|||" } else { " . " });
            text.push(' ');
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text + &"=".repeat(width) + "\n"
}
