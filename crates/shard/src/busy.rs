//! A script that takes long: it pauses again and again, and meanwhile others hear that the server is
//! busy instead of nothing at all, and may end it.
//!
//! Only a shard that is alone lets scripts pause. Of several, the others go on serving, and SCRIPT KILL
//! by a client of any of them is heard (see `ScriptBoard` of the engine); what is asked of the busy one
//! waits. A turn gives the script one stretch of some 100,000 instructions, about a millisecond.

use stoa_engine::Sessions;
use stoa_stdx::{ConnId, Key};

use crate::Shard;
use crate::conn::Stall;
use crate::execute::Req;
use crate::reply::RespReply;

/// Whose script it is.
#[derive(Clone, Copy)]
pub(crate) struct BusyScript {
    conn: ConnId,
    ticket: u32,
    /// Row in the command table.
    index: u16,
}

impl Shard {
    /// Runs a script that may pause, for a client of this shard.
    pub(crate) fn run_pausable(&mut self, req: Req<'_>, key: Option<Key<'_>>) {
        self.node.scripts.may_pause = true;
        self.run_unpaused(req, key);
        self.node.scripts.may_pause = false;
        let Some(paused) = &mut self.node.scripts.paused else { return };
        paused.set_command(req.argv);
        let Some(conn) = self.conn(req.conn) else { return };
        let ticket = conn.hole(false);
        conn.stall = Some(Stall::Answer);
        let index = req.verdict.index;
        self.busy_script = Some(BusyScript { conn: req.conn, ticket, index });
    }

    /// Lets the script that pauses go on for a while.
    pub(crate) fn resume_busy_script(&mut self) {
        let Some(BusyScript { conn, ticket, index }) = self.busy_script else { return };
        // Its client may have left; it goes on all the same.
        let row = match self.conn(conn) {
            Some(_) => Sessions::row(conn),
            None => Sessions::PROXY,
        };
        let proto = self.sessions.at(row).proto;
        let mut out = Vec::new();
        let mut ctx = self.context(row, None);
        if !ctx.resume_script(&mut RespReply::new(&mut out, proto)) {
            return;
        }
        self.busy_script = None;
        self.ran_whole(index, &out);
        self.publish_then_answer(conn, ticket, out, true);
        if !self.node.orders.is_empty() {
            self.carry_out_orders();
        }
        self.serve_waiters();
    }
}
