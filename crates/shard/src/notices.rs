//! What the operator is to read: lines for the log, made where something happened and written by whoever
//! drives the shard.
//!
//! A client can cause them at will, so none is made for what a client may do often, or only once a
//! while. They cost nothing until then.

use stoa_config::LogLevel;
use stoa_stdx::{ConnId, MonoMs};

use crate::Shard;
use crate::event::Action;

/// How often an attack is written about, milliseconds.
const ATTACK_REST_MS: u64 = 60_000;

/// What was written about lately.
#[derive(Default)]
pub(crate) struct Notices {
    /// The last attack that has a line.
    attack: Option<MonoMs>,
}

/// First words of an HTTP request that a browser can be made to send here. No command has such a name:
/// whoever says one is not our client, and what follows may be commands chosen by somebody else.
pub(crate) fn is_other_protocol(word: &[u8]) -> bool {
    [&b"post"[..], b"host:"].iter().any(|other| word.eq_ignore_ascii_case(other))
}

impl Shard {
    /// Puts a line into the log.
    pub(crate) fn log(&mut self, level: LogLevel, text: String) {
        if level >= self.node.config.log_level {
            self.actions.push_back(Action::Log(level, text));
        }
    }

    /// Ends a connection that speaks HTTP, before anything that came with it runs.
    pub(crate) fn end_other_protocol(&mut self, id: ConnId) {
        let now = self.now.mono.ms();
        let rests = |at: MonoMs| now.0.saturating_sub(at.0) < ATTACK_REST_MS;
        if !self.notices.attack.is_some_and(rests) {
            self.notices.attack = Some(now);
            let who = self.client_text(id);
            self.log(LogLevel::Warning, format!(
                "Possible SECURITY ATTACK detected: {who} sent POST or Host:, which is HTTP. Somebody may \
                 be using a browser on a trusted host to send commands here; its connection is closed. \
                 The next line of this kind comes in a minute at the earliest"
            ));
        }
        self.close(id, false);
    }

    /// Says which client was cut off, and why.
    pub(crate) fn log_cut_off(&mut self, id: ConnId, why: &str) {
        if self.node.config.log_level <= LogLevel::Warning {
            let who = self.client_text(id);
            self.log(LogLevel::Warning, format!("{who} is closed: {why}"));
        }
    }

    /// A client, for people. Its name is its own choice and was checked for printable characters.
    fn client_text(&mut self, id: ConnId) -> String {
        let Some(session) = self.sessions.get(id) else { return "a client".to_owned() };
        let name = String::from_utf8_lossy(&session.name).into_owned();
        let (client, addr, cmd) = (session.id, &session.addr, session.last_command);
        let cmd = if cmd.is_empty() { "NULL" } else { cmd };
        format!("Client id={client} addr={addr} name={name} cmd={cmd}")
    }
}
