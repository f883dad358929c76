//! CLIENT: connections, seen from inside.

pub mod id;
pub mod kill;
pub mod list;
pub mod name;
pub mod pause;
pub mod reply;
pub mod switches;
pub mod tracking;
pub mod unblock;

use stoa_command::{Args, Flags, ReplyError, Spec};
use stoa_engine::{Reply, Session};

use super::CONNECTION;

/// What the subcommands for operators have in common.
const OPERATOR: Spec = Spec { flags: CONNECTION.flags.with(Flags::ADMIN), ..CONNECTION };

/// What kind of client somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientType {
    /// Runs commands.
    Normal,
    /// The primary this server follows.
    Primary,
    /// Follows this server.
    Replica,
    /// Waits for messages of channels.
    PubSub,
}

impl ClientType {
    /// There are no replicas here yet.
    fn of(session: &Session) -> Self {
        if session.is_subscriber() { Self::PubSub } else { Self::Normal }
    }
}

/// A word that names a type, or the word that does not, to be refused by name.
type Typed<'a> = Result<ClientType, &'a [u8]>;

fn client_type<'a>(args: &mut Args<'a>) -> Result<Typed<'a>, ReplyError> {
    let word = args.bytes()?;
    let known = [
        ("normal", ClientType::Normal),
        ("slave", ClientType::Replica),
        ("replica", ClientType::Replica),
        ("pubsub", ClientType::PubSub),
        ("master", ClientType::Primary),
    ];
    let found = known.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
    Ok(found.map(|(_, client_type)| *client_type).ok_or(word))
}

fn refuse_type(word: &[u8], reply: &mut dyn Reply) {
    reply.error_echo("ERR Unknown client type '", word, "'");
}
