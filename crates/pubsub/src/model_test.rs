//! The tables against a plain list of who subscribed to what.

use stoa_stdx::{ConnId, Rng, ShardId, glob_match};

use crate::{Counts, Kind, Outgoing, PubSub};

const NAMES: [&[u8]; 6] = [b"a", b"ab", b"abc", b"a*", b"*b*", b"?"];
const SHARDS: u16 = 3;

/// What the outbox of each shard says, done at once everywhere.
fn settle(shards: &mut [PubSub]) {
    for from in 0..shards.len() {
        for outgoing in shards[from].take_outbox() {
            let Outgoing::Change(change) = outgoing else { continue };
            let (kind, name) = (change.kind, &change.name);
            for shard in shards.iter_mut() {
                shard.counts.set(kind, name, ShardId(from as u16), change.count);
            }
            if change.begins {
                shards[from].subscribers.add(kind, name, change.conn);
            } else {
                shards[from].subscribers.remove(kind, name, change.conn);
            }
        }
    }
}

/// Everybody who hears a message, once for each reason.
fn hearers(list: &[(usize, ConnId, Kind, &[u8])], kind: Kind, channel: &[u8]) -> usize {
    let hears = |entry: &&(usize, ConnId, Kind, &[u8])| match entry.2 {
        Kind::Pattern => kind == Kind::Channel && glob_match(entry.3, channel, false),
        Kind::Channel | Kind::Shard => entry.2 == kind && entry.3 == channel,
    };
    list.iter().filter(hears).count()
}

#[test]
fn the_tables_agree_with_a_list() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let mut shards: Vec<PubSub> = (0..SHARDS).map(|n| PubSub::new(ShardId(n))).collect();
        let mut list: Vec<(usize, ConnId, Kind, &[u8])> = Vec::new();
        for step in 0..300 {
            let home = rng.below(u64::from(SHARDS)) as usize;
            let conn = ConnId { index: rng.below(4) as u32, generation: 0 };
            let (kind, name) = (*rng.pick(&Kind::ALL), *rng.pick(&NAMES));
            let entry = (home, conn, kind, name);
            match rng.below(12) {
                0..7 => {
                    let fresh = shards[home].subscribe(conn, kind, name);
                    assert_eq!(fresh, !list.contains(&entry), "seed {seed}, step {step}");
                    if fresh {
                        list.push(entry);
                    }
                }
                7..11 => {
                    let had = shards[home].unsubscribe(conn, kind, name);
                    assert_eq!(had, list.contains(&entry), "seed {seed}, step {step}");
                    list.retain(|other| *other != entry);
                }
                _ => {
                    shards[home].forget(conn);
                    list.retain(|(there, who, ..)| (*there, *who) != (home, conn));
                }
            }
            settle(&mut shards);
            check(&mut shards, &list, &format!("seed {seed}, step {step}"));
        }
    }
}

fn check(shards: &mut [PubSub], list: &[(usize, ConnId, Kind, &[u8])], at: &str) {
    for (home, shard) in shards.iter_mut().enumerate() {
        for index in 0..4 {
            let conn = ConnId { index, generation: 0 };
            let want = Kind::ALL
                .map(|kind| list.iter().filter(|e| (e.0, e.1, e.2) == (home, conn, kind)).count());
            assert_eq!(shard.memberships.counts(conn), want, "{at}");
        }
        for channel in NAMES {
            for kind in [Kind::Channel, Kind::Shard] {
                let want = hearers(list, kind, channel);
                let said = shard.publish(kind, channel, b"m");
                assert_eq!(said, want as u64, "{at}, {kind:?} {channel:?}");
                assert_eq!(shard.is_stirred(), want > 0, "{at}: it is sent if somebody hears it");
                shard.take_outbox();
                let here = list.iter().filter(|e| e.0 == home).copied().collect::<Vec<_>>();
                let mut local = shard.subscribers.of(kind, channel).count();
                if kind == Kind::Channel {
                    let matching = shard.subscribers.matching(channel);
                    local += matching.map(|(_, clients)| clients.count()).sum::<usize>();
                }
                assert_eq!(local, hearers(&here, kind, channel), "{at}, {kind:?} {channel:?}");
            }
        }
    }
    // Only the shards that have somebody are asked.
    for channel in NAMES {
        let want = (0..shards.len()).filter(|home| {
            let here: Vec<_> = list.iter().filter(|e| e.0 == *home).copied().collect();
            hearers(&here, Kind::Channel, channel) > 0
        });
        let want: Vec<ShardId> = want.map(|home| ShardId(home as u16)).collect();
        assert_eq!(shards[0].counts.shards(Kind::Channel, channel), want, "{at}");
    }
}

#[test]
fn nothing_is_left_of_names_nobody_listens_to() {
    let mut shard = PubSub::new(ShardId(0));
    for kind in Kind::ALL {
        shard.subscribe(ConnId::default(), kind, b"name");
    }
    assert_eq!(Kind::ALL.map(|kind| shard.counts.len(kind)), [1; 3]);
    shard.unsubscribe_all(ConnId::default());
    assert!(shard.counts.is_empty());
    assert_eq!(shard.memberships.counts(ConnId::default()), [0; 3]);
    let mut counts = Counts::default();
    counts.set(Kind::Channel, &(*b"c").into(), ShardId(1), 0);
    assert!(counts.is_empty());
}
