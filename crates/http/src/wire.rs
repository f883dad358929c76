//! Commands that are about the connection's wire rather than about data.
//!
//! The wire here is HTTP and the session behind it speaks RESP3 to us alone: a command that changes
//! that, or whose answer is no answer, would leave us waiting for what never comes.

use stoa_json::Argv;

/// What a command is to the one who counts answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// One answer.
    Answer,
    /// Pushed confirmations: of that kind, and how many if the request says.
    Pushes { kind: Vec<u8>, count: Option<usize> },
    /// Not on this wire, and why.
    Refused(&'static str),
}

/// Answered by pushes, one for each channel.
const LISTENING: [&str; 6] =
    ["subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe"];

const RESP_ONLY: &str = "ERR HELLO and RESET are about RESP; this is JSON. Send AUTH, or an \
                         Authorization header, or begin a new connection";
const ALWAYS_ANSWERED: &str = "ERR CLIENT REPLY is not for JSON: each request gets its answer";
const NEWS: &str = "ERR news about cached keys is for RESP clients; over a WebSocket, subscribe to keyspace events";
const STREAMS: &str =
    "ERR this command turns the connection into a stream of RESP; use a RESP client";

pub(crate) fn of(argv: &Argv) -> Wire {
    let is = |at: usize, word: &str| {
        argv.get(at).is_some_and(|said| said.eq_ignore_ascii_case(word.as_bytes()))
    };
    if is(0, "hello") || is(0, "reset") {
        return Wire::Refused(RESP_ONLY);
    }
    if is(0, "client") && is(1, "reply") {
        return Wire::Refused(ALWAYS_ANSWERED);
    }
    if is(0, "client") && is(1, "tracking") {
        return Wire::Refused(NEWS);
    }
    if is(0, "monitor") || is(0, "sync") || is(0, "psync") {
        return Wire::Refused(STREAMS);
    }
    match LISTENING.iter().find(|name| is(0, name)) {
        Some(name) => {
            let count = argv.len() - 1;
            let pushes = Wire::Pushes {
                kind: name.as_bytes().to_vec(),
                count: (count > 0).then_some(count),
            };
            // Without a channel only leaving all makes sense; the others are an error, one answer.
            if count > 0 || name.contains("unsubscribe") { pushes } else { Wire::Answer }
        }
        None => Wire::Answer,
    }
}

/// Whether a command listens, which needs a connection that stays.
pub(crate) fn listens(argv: &Argv) -> bool {
    argv.first()
        .is_some_and(|name| LISTENING.iter().any(|word| name.eq_ignore_ascii_case(word.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::{Wire, listens, of};

    fn argv(line: &str) -> stoa_json::Argv {
        line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn a_subscription_is_confirmed_once_for_each_channel() {
        let pushes = |kind: &str, count| Wire::Pushes { kind: kind.as_bytes().to_vec(), count };
        assert_eq!(of(&argv("SUBSCRIBE a b")), pushes("subscribe", Some(2)));
        assert_eq!(of(&argv("unsubscribe")), pushes("unsubscribe", None));
        assert_eq!(of(&argv("SUBSCRIBE")), Wire::Answer);
        assert_eq!(of(&argv("PUBLISH a b")), Wire::Answer);
        assert!(listens(&argv("PSUBSCRIBE a*")) && !listens(&argv("PUBLISH a b")));
    }

    #[test]
    fn what_changes_the_wire_is_refused_in_any_case() {
        for line in ["HELLO 2", "reset", "Client Reply OFF", "MONITOR", "PSYNC ? -1"] {
            assert!(matches!(of(&argv(line)), Wire::Refused(_)), "{line}");
        }
        assert_eq!(of(&argv("CLIENT ID")), Wire::Answer);
    }
}
