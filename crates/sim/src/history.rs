//! Did it look as if one thread served everybody? A checker for what clients saw of single keys.
//!
//! Each key is a register of its own, so its calls can be checked apart from all others: there must
//! be an order of them, in which a call that was answered before another began stands before it, and
//! in which a plain register gives every reply that was seen. The search tries calls in any order
//! that the times allow and remembers where it has been (which calls are done, and what the register
//! holds), after Wing & Gong and Lowe.

use std::collections::BTreeSet;

/// Calls of one key at most: the set of those done is one word.
pub const CALLS_MAX: usize = 64;

/// What a client asked of a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// GET
    Get,
    /// SET
    Set(Vec<u8>),
    /// SET with NX
    SetNew(Vec<u8>),
    /// GETSET
    Swap(Vec<u8>),
    /// GETDEL
    Take,
    /// APPEND
    Append(Vec<u8>),
    /// INCR
    Incr,
}

impl Ask {
    /// The request.
    #[must_use]
    pub fn argv(&self, key: &[u8]) -> Vec<Vec<u8>> {
        let words: Vec<&[u8]> = match self {
            Self::Get => vec![b"GET", key],
            Self::Set(value) => vec![b"SET", key, value],
            Self::SetNew(value) => vec![b"SET", key, value, b"NX"],
            Self::Swap(value) => vec![b"GETSET", key, value],
            Self::Take => vec![b"GETDEL", key],
            Self::Append(value) => vec![b"APPEND", key, value],
            Self::Incr => vec![b"INCR", key],
        };
        words.into_iter().map(<[u8]>::to_vec).collect()
    }

    /// What the register holds afterwards, and the reply (RESP2).
    fn apply(&self, held: Option<&[u8]>) -> (Option<Vec<u8>>, Vec<u8>) {
        let kept = || held.map(<[u8]>::to_vec);
        match self {
            Self::Get => (kept(), bulk(held)),
            Self::Set(value) => (Some(value.clone()), b"+OK\r\n".to_vec()),
            Self::SetNew(value) if held.is_none() => (Some(value.clone()), b"+OK\r\n".to_vec()),
            Self::SetNew(_) => (kept(), bulk(None)),
            Self::Swap(value) => (Some(value.clone()), bulk(held)),
            Self::Take => (None, bulk(held)),
            Self::Append(value) => {
                let joined = [held.unwrap_or_default(), value].concat();
                let len = joined.len();
                (Some(joined), format!(":{len}\r\n").into_bytes())
            }
            Self::Incr => {
                let number = held.map_or(Some(0), stoa_command::parse_int);
                match number.and_then(|number| number.checked_add(1)) {
                    Some(next) => {
                        (Some(next.to_string().into_bytes()), format!(":{next}\r\n").into_bytes())
                    }
                    None => {
                        let error = b"-ERR value is not an integer or out of range\r\n";
                        (kept(), error.to_vec())
                    }
                }
            }
        }
    }
}

fn bulk(value: Option<&[u8]>) -> Vec<u8> {
    match value {
        None => b"$-1\r\n".to_vec(),
        Some(value) => {
            let mut out = format!("${}\r\n", value.len()).into_bytes();
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
            out
        }
    }
}

/// One call of one key.
#[derive(Clone, Debug)]
pub struct Call {
    /// What was asked.
    pub ask: Ask,
    /// When the client wrote it, in steps of the world.
    pub began: u64,
    /// When it had read the reply, and the reply; [`None`] if it never came, and the call may have
    /// happened or not.
    pub ended: Option<(u64, Vec<u8>)>,
}

/// Whether there is an order of `calls` that a register explains.
///
/// # Panics
/// On more than [`CALLS_MAX`] calls.
#[must_use]
pub fn is_linearizable(calls: &[Call]) -> bool {
    assert!(calls.len() <= CALLS_MAX, "{} calls are too many to search", calls.len());
    let mut seen = BTreeSet::new();
    let mut open = vec![(0_u64, None::<Vec<u8>>)];
    while let Some((done, held)) = open.pop() {
        if !seen.insert((done, held.clone())) {
            continue;
        }
        let left = |at: &usize| done & 1 << at == 0;
        let answered = |at: &usize| calls[*at].ended.is_some();
        if !(0..calls.len()).filter(left).any(|at| answered(&at)) {
            return true;
        }
        // What began after another's reply cannot stand before it.
        let first_end = (0..calls.len())
            .filter(left)
            .filter_map(|at| calls[at].ended.as_ref().map(|(end, _)| *end))
            .min()
            .unwrap_or(u64::MAX);
        for at in (0..calls.len()).filter(left).filter(|at| calls[*at].began <= first_end) {
            let (next, reply) = calls[at].ask.apply(held.as_deref());
            if calls[at].ended.as_ref().is_none_or(|(_, seen)| *seen == reply) {
                open.push((done | 1 << at, next));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Ask, Call, bulk, is_linearizable};

    fn call(ask: Ask, began: u64, ended: u64, reply: &[u8]) -> Call {
        Call { ask, began, ended: Some((ended, reply.to_vec())) }
    }

    #[test]
    fn a_read_may_see_a_write_at_the_same_time_but_not_forget_it_again() {
        let write = call(Ask::Set(b"1".to_vec()), 0, 10, b"+OK\r\n");
        let new = call(Ask::Get, 1, 2, &bulk(Some(b"1")));
        let old = call(Ask::Get, 3, 4, &bulk(None));
        assert!(is_linearizable(&[write.clone(), new.clone()]));
        assert!(is_linearizable(&[write.clone(), old.clone()]));
        assert!(!is_linearizable(&[write, new, old]));
    }

    #[test]
    fn a_lost_increment_is_found() {
        let one = call(Ask::Incr, 0, 5, b":1\r\n");
        assert!(!is_linearizable(&[one.clone(), call(Ask::Incr, 0, 5, b":1\r\n")]));
        assert!(is_linearizable(&[one.clone(), call(Ask::Incr, 0, 5, b":2\r\n")]));
        // A call that was never answered may have counted, or not.
        let lost = Call { ask: Ask::Incr, began: 0, ended: None };
        for reply in [b":2\r\n", b":3\r\n"] {
            let after = call(Ask::Incr, 6, 7, reply);
            assert!(is_linearizable(&[one.clone(), lost.clone(), after]));
        }
    }

    #[test]
    fn a_stale_read_is_found() {
        let write = call(Ask::Set(b"1".to_vec()), 0, 1, b"+OK\r\n");
        assert!(!is_linearizable(&[write, call(Ask::Get, 2, 3, &bulk(None))]));
    }
}
