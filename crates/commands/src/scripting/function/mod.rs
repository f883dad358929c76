//! FUNCTION: libraries of functions. Each shard has its own compiled copy of every library.

pub(super) mod dump;
pub(super) mod library;
pub(super) mod list;
pub(super) mod stats;

use stoa_command::Spec;
use stoa_engine::Ctx;

use super::SCRIPTING;

const FUNCTION: Spec = Spec { since: "7.0.0", ..SCRIPTING };

/// Counts one change, though all shards make it.
fn changed(ctx: &mut Ctx<'_>) {
    if ctx.node.shard.0 == 0 {
        ctx.changed(1);
    }
}
