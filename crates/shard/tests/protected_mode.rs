//! Who may connect while nobody has set a password.

use std::sync::{Arc, OnceLock};

use stoa_config::Config;
use stoa_engine::{Facts, Table};
use stoa_shard::{Moment, PeerFacts, Setup, Shard};
use stoa_stdx::{ConnId, HashSeed, MonoNs, ShardId};

fn opens(directives: &[(&str, &str)], is_local: bool) -> (bool, String) {
    static NO_COMMANDS: OnceLock<Table> = OnceLock::new();
    let mut config = Config::default();
    for (name, value) in directives {
        config.settle(name, value.as_bytes()).expect("a directive of the table");
    }
    let mut shard = Shard::new(Setup {
        id: ShardId(0),
        shards: 1,
        table: NO_COMMANDS.get_or_init(|| Table::new(&[])),
        config,
        facts: Arc::new(Facts::default()),
        seed: HashSeed::new([1, 2, 3, 4]),
        chance: 1,
        now: Moment::default(),
        clock: || MonoNs(0),
    });
    let peer = PeerFacts { is_local, clients: 1, ..PeerFacts::default() };
    let mut out = Vec::new();
    let stays = shard.open(ConnId::default(), peer, Moment::default(), &mut out);
    (stays, String::from_utf8(out).expect("our own text"))
}

#[test]
fn another_host_is_denied_until_there_is_a_password_or_the_mode_is_off() {
    let (stays, text) = opens(&[], false);
    assert!(!stays && text.starts_with("-DENIED ") && text.ends_with("\r\n"), "{text:?}");
    assert_eq!(opens(&[], true), (true, String::new()));
    assert_eq!(opens(&[("requirepass", "secret")], false), (true, String::new()));
    assert_eq!(opens(&[("protected-mode", "no")], false), (true, String::new()));
}
