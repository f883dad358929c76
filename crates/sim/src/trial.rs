//! One run for the checkers: a seed makes a node, clients, their deeds and all that goes wrong, and
//! the checkers judge what the clients saw.
//!
//! Clients wait for their replies, read slowly, and leave without a word; shards stall, links keep
//! their mail back, time jumps over deadlines. Histories are timed by a counter of events, so "before"
//! is what really was before. A deadline is a call of the history, too: it passes at some moment
//! between the first at which it could have and the first at which it must have.

use std::fmt::Write;
use std::ops::Range;

use stoa_resp::{Value, decode};
use stoa_stdx::Rng;

use crate::checker::Key;
use crate::checker::search::Call;
use crate::checker::spec::EXPIRE;
use crate::mix::{Deed, Features, Mix, Progress, Record, Space, TOKENS_MAX, Torn, Verdicts, Whole};
use crate::{Chaos, ClientId, Options, World};

/// What a seed stands for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of all chance.
    pub seed: u64,
    /// Shards of the node.
    pub shards: u16,
    /// Clients at a time.
    pub clients: usize,
    /// Deeds in all.
    pub deeds: u64,
    /// What goes wrong in the node.
    pub chaos: Chaos,
    /// A waiting client leaves, once in so many looks at it.
    pub leave_one_in: u64,
    /// It is closed by somebody else (CLIENT KILL), likewise.
    pub kill_one_in: u64,
    /// A client stops reading, or goes on, likewise.
    pub deaf_one_in: u64,
    /// What clients do.
    pub mix: Mix,
    /// What is wrong with the shards.
    #[cfg(feature = "simulated")]
    pub planted: stoa_shard::Planted,
}

impl Plan {
    /// The plan of a seed: rare things are common in some seeds, and absent in others.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x7472_6961);
        let chaos = Chaos {
            stall_one_in: *rng.pick(&[0, 12, 20, 60]),
            stall_steps_max: *rng.pick(&[30, 60, 60, 1_500]),
            delay_one_in: *rng.pick(&[0, 3, 10, 30]),
            delay_steps_max: *rng.pick(&[10, 60, 60, 600]),
            time_one_in: *rng.pick(&[0, 3, 10, 10]),
            time_ms_max: *rng.pick(&[1, 20, 20, 80]),
            rare_one_in: 0,
        };
        let space = Space {
            prefix: String::new(),
            lists: 2 + rng.below(4) as u32,
            registers: 2 + rng.below(4) as u32,
            deeds_per_window: 30 + rng.below(60),
            hidden: 3 + rng.below(3) as u32,
            deeds_per_group: 50 + rng.below(60),
        };
        let shards = *rng.pick(&[1, 2, 2, 3, 3, 5, 8]);
        let mut plan = Self {
            seed,
            shards,
            clients: 3 + rng.below(10) as usize,
            deeds: 80 + rng.below(240),
            chaos,
            leave_one_in: *rng.pick(&[0, 0, 300, 1_000]),
            kill_one_in: *rng.pick(&[0, 0, 0, 400]),
            deaf_one_in: *rng.pick(&[0, 100, 400]),
            mix: Mix {
                features: Features::here(),
                space,
                hidden_one_in: 4,
                deadline_one_in: *rng.pick(&[0, 20, 6, 2]),
                whole: Whole::Alone,
                torn: Torn::Nothing,
            },
            #[cfg(feature = "simulated")]
            planted: stoa_shard::Planted::None,
        };
        plan.chaos.rare_one_in = *rng.pick(&[0, 0, 30, 4]);
        plan
    }

    /// The same on two shards or more, and what clients do is what shards do together and nothing else:
    /// commands on one key, MSET and MGET. Transactions on loans wait for all their keys, so a bug in
    /// the order of shards would rather stop them than show.
    #[must_use]
    pub fn of_splits(seed: u64) -> Self {
        let mut plan = Self::of(seed);
        plan.shards = plan.shards.max(2);
        plan.mix.features.exec = false;
        plan.mix.features.eval = false;
        plan.mix.hidden_one_in = 0;
        plan
    }

    /// The same with many deadlines: half of all is on hidden keys, of a few clients, because the search
    /// has to try their orders, and each second command there sets one.
    #[must_use]
    pub fn of_deadlines(seed: u64) -> Self {
        let mut plan = Self::of(seed);
        plan.mix.hidden_one_in = 2;
        plan.mix.deadline_one_in = 2;
        plan.clients = plan.clients.min(7);
        plan.mix.space.hidden = 3;
        // Often within a transaction, and seldom far enough to end all keys at once.
        (plan.chaos.time_one_in, plan.chaos.time_ms_max) = (3, 12);
        plan.chaos.delay_one_in = plan.chaos.delay_one_in.min(10);
        plan
    }
}

/// What came of a plan.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What the checkers say.
    pub verdicts: Verdicts,
    /// Transactions.
    pub deeds: u64,
    /// Steps of the world.
    pub steps: u64,
    /// All that clients did and saw, a line each.
    pub history: String,
    /// All that happened in the node, if it was wanted.
    pub trace: String,
    /// How often each turn was taken that there was no need to take.
    #[cfg(feature = "simulated")]
    pub taken: [u64; stoa_shard::SITES],
}

/// Steps for one deed at most: more is a node that hangs.
const STEPS_PER_DEED_MAX: u64 = 20_000;

/// Runs a plan.
///
/// # Errors
/// When the node hangs: what the clients wait for.
pub fn run(plan: &Plan, traced: bool) -> Result<Trial, String> {
    let mut options = Options::calm(plan.shards, plan.seed);
    options.chaos = plan.chaos;
    let mut world = World::new(&options);
    #[cfg(feature = "simulated")]
    world.plant(plan.planted);
    if traced {
        world.start_trace();
    }
    let killer = world.connect();
    let rng = Rng::new(plan.seed ^ 0x6465_6564);
    let (members, expiries, record) = (Vec::new(), Vec::new(), Record::default());
    let mut stage =
        Stage { plan, world, rng, clock: 0, next: 0, members, killer, expiries, record };
    if let Err(error) = stage.live().and_then(|()| stage.last_look()) {
        return Err(format!("{error}\n{}{}", stage.record.text(), stage.world.trace()));
    }
    let names = plan.mix.space.names(plan.deeds);
    let (history, trace) = (stage.record.text(), stage.world.trace().to_owned());
    let (deeds, steps) = (stage.next, stage.world.steps());
    #[cfg(feature = "simulated")]
    let taken = stage.world.taken();
    let verdicts = stage.record.judge(names);
    Ok(Trial {
        verdicts,
        deeds,
        steps,
        history,
        trace,
        #[cfg(feature = "simulated")]
        taken,
    })
}

/// A client, and what it is at.
struct Member {
    id: ClientId,
    number: u32,
    at: Option<Doing>,
}

/// A deed that is under way.
struct Doing {
    deed: Deed,
    began: u64,
    /// Replies that are still to come.
    owed: usize,
    replies: Vec<Value>,
    /// Where the deadlines are that it sets.
    expiries: Range<usize>,
}

/// A deadline that was set.
struct Expiry {
    group: u32,
    number: u64,
    length_ms: u64,
    /// The earliest it can pass.
    from_ms: u64,
    /// By when it must have passed; unknown while its command is.
    until_ms: Option<u64>,
    began: Option<u64>,
    ended: Option<u64>,
}

struct Stage<'a> {
    plan: &'a Plan,
    world: World,
    rng: Rng,
    /// Events so far.
    clock: u64,
    /// The number of the next deed.
    next: u64,
    members: Vec<Member>,
    /// Says CLIENT KILL.
    killer: ClientId,
    expiries: Vec<Expiry>,
    record: Record,
}

impl Stage<'_> {
    fn live(&mut self) -> Result<(), String> {
        for number in 0..self.plan.clients {
            let id = self.world.connect();
            self.members.push(Member { id, number: number as u32, at: None });
        }
        let steps_max = STEPS_PER_DEED_MAX * self.plan.deeds;
        while self.next < self.plan.deeds || self.is_busy() {
            let at = self.rng.below(self.members.len() as u64) as usize;
            if self.members[at].at.is_some() {
                self.wait(at)?;
            } else if self.world.is_closed(self.members[at].id) {
                self.lose(at);
            } else if self.next < self.plan.deeds && self.rng.one_in(3) {
                self.start(at);
            }
            self.step();
            if self.world.steps() > steps_max {
                return Err(format!("seed {}: nobody gets on: {}", self.plan.seed, self.waiting()));
            }
        }
        Ok(())
    }

    fn is_busy(&self) -> bool {
        self.members.iter().any(|member| member.at.is_some())
    }

    fn waiting(&self) -> String {
        let mut told = String::new();
        for member in &self.members {
            if let Some(doing) = &member.at {
                let requests = doing.deed.requests();
                let _ = write!(told, "\n  client {} for {requests:?}", member.number);
            }
        }
        told
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// A step of the world; deadlines that time ran past are noted.
    fn step(&mut self) {
        let before = self.world.now().unix;
        // With nothing to do, whoever is blocked waits for time.
        if !self.world.step() {
            self.world.advance(1 + self.rng.below(20));
        }
        if self.world.now().unix != before {
            self.pass_deadlines();
        }
    }

    fn pass_deadlines(&mut self) {
        let now = self.world.now().unix.0;
        for expiry in &mut self.expiries {
            if expiry.began.is_none() && expiry.from_ms <= now {
                self.clock += 1;
                expiry.began = Some(self.clock);
            }
            if expiry.ended.is_none() && expiry.until_ms.is_some_and(|until| until <= now) {
                self.clock += 1;
                expiry.ended = Some(self.clock);
            }
        }
    }

    fn start(&mut self, at: usize) {
        let token = 1 + self.next * TOKENS_MAX;
        let deed = self.plan.mix.deed(self.next, token, &mut self.rng);
        self.next += 1;
        let (now, first) = (self.world.now().unix.0, self.expiries.len());
        self.expiries.extend(deed.deadlines().map(|(group, number, length_ms)| {
            let (until_ms, began, ended) = (None, None, None);
            Expiry { group, number, length_ms, from_ms: now + length_ms, until_ms, began, ended }
        }));
        let expiries = first..self.expiries.len();
        self.send(at, deed, expiries);
    }

    fn send(&mut self, at: usize, deed: Deed, expiries: Range<usize>) {
        let (began, requests) = (self.tick(), deed.requests());
        let member = &mut self.members[at];
        requests.iter().for_each(|request| self.world.call(member.id, request));
        let (owed, replies) = (requests.len(), Vec::new());
        member.at = Some(Doing { deed, began, owed, replies, expiries });
    }

    /// A client that waits takes what came for it, or loses patience.
    fn wait(&mut self, at: usize) -> Result<(), String> {
        let plan = self.plan;
        if one_in(&mut self.rng, plan.leave_one_in) {
            self.world.disconnect(self.members[at].id);
            self.lose(at);
            return Ok(());
        }
        if one_in(&mut self.rng, plan.kill_one_in) {
            let addr = self.world.addr(self.members[at].id);
            self.world.call(self.killer, &["CLIENT", "KILL", "ADDR", &addr]);
            while self.world.next_reply(self.killer).is_some() {}
        }
        if one_in(&mut self.rng, plan.deaf_one_in) {
            let reads = self.rng.one_in(2);
            self.world.set_reads(self.members[at].id, reads);
        } else if self.rng.one_in(20) {
            self.world.set_reads(self.members[at].id, true);
        }
        let member = &mut self.members[at];
        let doing = member.at.as_mut().expect("it waits");
        while let Some(reply) = self.world.next_reply(member.id) {
            let (reply, _) = decode(&reply).ok().flatten().ok_or("a reply that is none")?;
            doing.replies.push(reply);
        }
        if doing.replies.len() > doing.owed {
            return Err(format!("client {} was told more than it asked", member.number));
        }
        if doing.replies.len() == doing.owed {
            self.take(at);
        } else if self.world.is_closed(member.id) {
            if plan.kill_one_in == 0 {
                return Err(format!("client {} was closed", member.number));
            }
            self.lose(at);
        }
        Ok(())
    }

    /// All replies are there.
    fn take(&mut self, at: usize) {
        let ended = self.tick();
        let now = self.world.now().unix.0;
        let member = &mut self.members[at];
        let Some(mut doing) = member.at.take() else { return };
        for expiry in &mut self.expiries[doing.expiries.clone()] {
            // A key lives through the millisecond of its deadline.
            expiry.until_ms = Some(now + expiry.length_ms + 1);
        }
        let times = (doing.began, ended);
        let progress = doing.deed.answer(member.number, times, doing.replies, &mut self.record);
        if progress == Progress::More {
            self.send(at, doing.deed, doing.expiries);
        }
    }

    /// The connection is gone, and with it what was still to come.
    fn lose(&mut self, at: usize) {
        let member = &mut self.members[at];
        member.id = self.world.connect();
        if let Some(doing) = member.at.take() {
            doing.deed.lose(member.number, doing.began, &mut self.record);
        }
    }

    /// Somebody new reads all open keys, one by one, when all is done and all deadlines are over.
    fn last_look(&mut self) -> Result<(), String> {
        self.world.advance(10_000);
        self.pass_deadlines();
        let keys = self.plan.mix.space.names(self.plan.deeds).len() as u32;
        self.members.clear();
        let id = self.world.connect();
        self.members.push(Member { id, number: u32::MAX, at: None });
        for key in (0..keys).map(Key) {
            self.send(0, self.plan.mix.last_look(key), 0..0);
            let steps_max = self.world.steps() + STEPS_PER_DEED_MAX;
            while self.members[0].at.is_some() {
                self.step();
                let (plan, id) = (self.plan, self.members[0].id);
                self.world.set_reads(id, true);
                if self.world.steps() > steps_max {
                    return Err(format!("seed {}: the last look hangs", plan.seed));
                }
                self.collect()?;
            }
        }
        self.add_expiries();
        Ok(())
    }

    fn collect(&mut self) -> Result<(), String> {
        let member = &mut self.members[0];
        let Some(doing) = member.at.as_mut() else { return Ok(()) };
        if let Some(reply) = self.world.next_reply(member.id) {
            let (reply, _) = decode(&reply).ok().flatten().ok_or("a reply that is none")?;
            doing.replies.push(reply);
            self.take(0);
        }
        Ok(())
    }

    /// Deadlines become calls of their groups' histories.
    fn add_expiries(&mut self) {
        for expiry in &self.expiries {
            let Some(began) = expiry.began else { continue };
            let commands = vec![vec![EXPIRE.to_owned(), expiry.number.to_string()]];
            let ok = || vec![Value::Simple(b"OK".to_vec())];
            let ended = expiry.ended.map(|ended| (ended, ok()));
            let client = u32::MAX;
            self.record.calls.push((expiry.group, Call { client, commands, began, ended }));
        }
    }
}

fn one_in(rng: &mut Rng, n: u64) -> bool {
    n > 0 && rng.one_in(n)
}
