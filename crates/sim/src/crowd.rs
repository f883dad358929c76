//! Many clients at once, of every habit: they pipeline, stop reading, leave, say goodbye.
//!
//! What they ask is random, so what is checked is what holds for any request: each gets one reply, in
//! order, nothing is left behind, and whoever comes afterwards is served. Markers (ECHO of a number)
//! between the requests tell one reply from the next.

use std::collections::VecDeque;

use stoa_stdx::Rng;

use crate::grammar::Pool;
use crate::{ClientId, Grammar, Options, World};

/// How a crowd behaves.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Clients at the same time.
    pub clients: usize,
    /// Requests in all.
    pub calls: usize,
    /// Requests that one client has waiting at most.
    pub waiting_max: usize,
    /// A client leaves without a word, once in so many requests of all; 0 is never.
    pub leave_one_in: u64,
    /// A client says that it writes no more, likewise.
    pub end_one_in: u64,
    /// A client has the node sleep or pause for some milliseconds, likewise.
    pub sleep_one_in: u64,
    /// A client writes what is no request, likewise.
    pub garbage_one_in: u64,
    /// A client has another closed, likewise.
    pub kill_one_in: u64,
}

impl Habits {
    /// They ask, and wait.
    pub const PATIENT: Self = Self {
        clients: 6,
        calls: 120,
        waiting_max: 8,
        leave_one_in: 0,
        end_one_in: 0,
        sleep_one_in: 0,
        garbage_one_in: 0,
        kill_one_in: 0,
    };
    /// They come and go.
    pub const RESTLESS: Self = Self { leave_one_in: 15, end_one_in: 15, ..Self::PATIENT };
    /// They come and go while nodes sleep.
    pub const SLEEPY: Self = Self { sleep_one_in: 12, ..Self::RESTLESS };
    /// They write what is no request.
    pub const WILD: Self = Self { garbage_one_in: 8, ..Self::RESTLESS };
    /// They have each other closed.
    pub const DEADLY: Self = Self { kill_one_in: 12, ..Self::SLEEPY };

    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("patient", Self::PATIENT),
        ("restless", Self::RESTLESS),
        ("sleepy", Self::SLEEPY),
        ("wild", Self::WILD),
        ("deadly", Self::DEADLY),
    ];
}

/// How many shards the node of a seed has.
#[must_use]
pub const fn shards(seed: u64) -> u16 {
    const SHARDS: [u16; 6] = [1, 2, 3, 5, 8, 16];
    SHARDS[(seed % SHARDS.len() as u64) as usize]
}

/// Steps of the world for one request, at most: more is a node that hangs.
const STEPS_PER_CALL_MAX: u64 = 20_000;

/// Lines of the trace that a failure tells.
const TOLD_LINES: usize = 40;

/// One of the crowd.
struct Member {
    id: ClientId,
    /// What it waits for: a marker, or any reply.
    waits: VecDeque<Option<Vec<u8>>>,
    ending: bool,
}

struct Crowd<'a> {
    world: World,
    grammar: &'a Grammar,
    pool: Pool,
    habits: Habits,
    rng: Rng,
    members: Vec<Member>,
    marker: u64,
    /// What all heard, in the order they heard it.
    heard: Vec<u8>,
}

/// Lets a crowd loose on a node; gives all that happened, which is the same for the same seed.
///
/// # Errors
/// What went wrong.
pub fn run(grammar: &Grammar, options: &Options, habits: Habits) -> Result<Vec<u8>, String> {
    let mut rng = Rng::new(!options.seed);
    let mut world = World::new(options);
    world.start_trace();
    let pool = grammar.pool(&mut rng);
    let (members, marker, heard) = (Vec::new(), 0, Vec::new());
    let mut crowd = Crowd { world, grammar, pool, habits, rng, members, marker, heard };
    if let Err(error) = crowd.live().and_then(|()| crowd.finish()) {
        // The last of what happened says most.
        let trace = crowd.world.trace();
        let lines: Vec<&str> = trace.lines().rev().take(TOLD_LINES).collect();
        let told: Vec<&str> = lines.into_iter().rev().collect();
        return Err(format!("{error}\n{}", told.join("\n")));
    }
    let mut all = crowd.world.trace().as_bytes().to_vec();
    all.extend(crowd.heard);
    Ok(all)
}

impl Crowd<'_> {
    fn live(&mut self) -> Result<(), String> {
        for _ in 0..self.habits.clients {
            self.join();
        }
        let mut calls = 0;
        let mut steps = 0;
        while calls < self.habits.calls {
            if self.rng.one_in(2) {
                calls += usize::from(self.speak());
            }
            self.world.step();
            self.listen()?;
            steps += 1;
            if steps > STEPS_PER_CALL_MAX * self.habits.calls as u64 {
                return Err(format!("after {calls} requests nobody gets on"));
            }
        }
        Ok(())
    }

    fn join(&mut self) {
        let id = self.world.connect();
        self.members.push(Member { id, waits: VecDeque::new(), ending: false });
    }

    /// One client does something; true if it was a request.
    fn speak(&mut self) -> bool {
        let at = self.rng.below(self.members.len() as u64) as usize;
        let (id, ending) = (self.members[at].id, self.members[at].ending);
        if one_in(&mut self.rng, self.habits.leave_one_in) {
            self.world.disconnect(id);
            self.members.swap_remove(at);
            self.join();
            return false;
        }
        if ending {
            return false;
        }
        if one_in(&mut self.rng, self.habits.garbage_one_in) {
            // From here on nothing is known of it, but that it must not harm the others.
            self.babble(id);
            self.members.swap_remove(at);
            self.join();
            return false;
        }
        if one_in(&mut self.rng, self.habits.sleep_one_in) {
            let how: &[&str] = match self.rng.below(3) {
                0 => &["DEBUG", "SLEEP", "0.005"],
                1 => &["CLIENT", "PAUSE", "7"],
                _ => &["CLIENT", "PAUSE", "9", "WRITE"],
            };
            self.world.call(id, how);
            self.members[at].waits.push_back(Some(b"+OK\r\n".to_vec()));
            return true;
        }
        if one_in(&mut self.rng, self.habits.kill_one_in) {
            let victim = self.members[self.rng.below(self.members.len() as u64) as usize].id;
            let addr = self.world.addr(victim);
            let all = self.rng.one_in(5);
            let how: &[&str] = if all { &["SKIPME", "yes"] } else { &["ADDR", &addr] };
            self.world.call(id, &[&["CLIENT", "KILL"], how].concat());
            self.members[at].waits.push_back(None);
            return true;
        }
        if one_in(&mut self.rng, self.habits.end_one_in) {
            self.world.end(id);
            self.members[at].ending = true;
            return false;
        }
        if self.rng.one_in(10) {
            let reads = self.rng.one_in(2);
            self.world.set_reads(id, reads);
        }
        if self.members[at].waits.len() >= 2 * self.habits.waiting_max {
            return false;
        }
        let call = self.grammar.call(&self.pool, &mut self.rng);
        self.world.call(id, &call);
        self.marker += 1;
        let marker = format!("#{}", self.marker);
        self.world.call(id, &["ECHO", &marker]);
        let echo = format!("${}\r\n{marker}\r\n", marker.len()).into_bytes();
        self.members[at].waits.extend([None, Some(echo)]);
        true
    }

    /// A request that goes wrong somewhere.
    fn babble(&mut self, id: ClientId) {
        let mut bytes = Vec::new();
        stoa_resp::write_request(&mut bytes, &self.grammar.call(&self.pool, &mut self.rng));
        let at = self.rng.below(bytes.len() as u64) as usize;
        match self.rng.below(3) {
            0 => bytes[at] = self.rng.next() as u8,
            1 => bytes.truncate(at),
            _ => bytes.insert(at, *self.rng.pick(b"$*-9\r\n\0")),
        }
        self.world.write(id, &bytes);
        self.world.set_reads(id, true);
        if self.rng.one_in(2) {
            self.world.end(id);
        }
    }

    /// All take what came for them.
    fn listen(&mut self) -> Result<(), String> {
        let mut at = 0;
        while at < self.members.len() {
            let member = &mut self.members[at];
            while let Some(reply) = self.world.next_reply(member.id) {
                let Some(wait) = member.waits.pop_front() else {
                    return Err(format!("client {} heard more than it asked", member.id.0));
                };
                if wait.is_some_and(|marker| marker != reply) {
                    let reply = String::from_utf8_lossy(&reply);
                    return Err(format!("client {} heard {reply:?} out of turn", member.id.0));
                }
                self.heard.extend_from_slice(format!("{}<", member.id.0).as_bytes());
                self.heard.extend(reply);
            }
            if self.world.is_closed(member.id) {
                let killed = self.habits.kill_one_in > 0;
                if !killed && (!member.ending || !member.waits.is_empty()) {
                    let left = member.waits.len();
                    return Err(format!("client {} was closed, {left} replies short", member.id.0));
                }
                self.members.swap_remove(at);
                self.join();
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    /// All read to the end; then somebody new looks around.
    fn finish(&mut self) -> Result<(), String> {
        for member in &self.members {
            self.world.set_reads(member.id, true);
        }
        let steps_max = STEPS_PER_CALL_MAX * 100;
        // Sleeps and pauses end with time, and each may be followed by the next.
        for _ in 0..=2 * self.habits.calls {
            if !self.world.settle(steps_max) {
                return Err(format!("no rest after {steps_max} steps"));
            }
            self.listen()?;
            if self.habits.sleep_one_in == 0
                || self.members.iter().all(|member| member.waits.is_empty())
            {
                break;
            }
            self.world.advance(10);
        }
        self.world.advance(10);
        for member in &self.members {
            if !member.waits.is_empty() || !self.world.is_even(member.id) {
                let left = member.waits.len();
                return Err(format!("client {} still waits for {left} replies", member.id.0));
            }
        }
        let left = self.world.mail_len();
        if left > 0 {
            return Err(format!("{left} messages are left"));
        }
        let id = self.world.connect();
        for request in [&["DBSIZE"] as &[&str], &["KEYS", "*"], &["FLUSHALL"], &["DBSIZE"]] {
            self.world.call(id, request);
            let settled = self.world.settle(steps_max);
            let reply = self.world.next_reply(id).filter(|_| settled);
            let Some(reply) = reply else {
                return Err(format!("{} is never answered afterwards", request[0]));
            };
            self.heard.extend(reply);
        }
        if self.heard.ends_with(b":0\r\n") {
            Ok(())
        } else {
            Err("keys are left after FLUSHALL".to_owned())
        }
    }
}

fn one_in(rng: &mut Rng, n: u64) -> bool {
    n > 0 && rng.one_in(n)
}
