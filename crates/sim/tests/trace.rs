//! The way of a sampled request: the stages come in their order, on whatever shards it ran.

use stoa_sim::{Options, World};

/// The words of a reply, without its lengths.
fn words(reply: &str) -> Vec<&str> {
    reply.split("\r\n").filter(|line| !line.starts_with(['*', '$']) && !line.is_empty()).collect()
}

/// The stages of the sampled requests of that command, each with its shard.
fn ways(reply: &str, command: &str) -> Vec<Vec<(String, String)>> {
    let words = words(reply);
    let mut ways = Vec::new();
    for (at, _) in words.iter().enumerate().filter(|(_, word)| **word == "command") {
        if words[at + 1] != command {
            continue;
        }
        let stages = words[at + 3..].iter().take_while(|word| **word != "id");
        let stages: Vec<&str> = stages.copied().collect();
        let way = stages.chunks(3).map(|stage| (stage[0].to_owned(), stage[1].to_owned()));
        ways.push(way.collect());
    }
    ways
}

fn sampling(shards: u16, one_in: &'static str) -> World {
    let mut options = Options::calm(shards, 1);
    options.directives.push(("trace-sample", one_in));
    World::new(&options)
}

#[test]
fn a_request_goes_through_its_stages_in_order_here_or_elsewhere() {
    for shards in [1, 2, 3, 8] {
        let mut world = sampling(shards, "1");
        let client = world.connect();
        let home = world.ask_to_rest(client, &["CLIENT", "ID"]);
        for key in ["a", "b", "c", "d", "e", "f"] {
            world.ask_to_rest(client, &["SET", key, "v"]);
        }
        let told = world.ask_to_rest(client, &["DEBUG", "TRACE"]);
        let ways = ways(&told, "set");
        assert_eq!(ways.len(), 6, "{shards} shards: {told}");
        let mut away = 0;
        for way in &ways {
            let names: Vec<&str> = way.iter().map(|(name, _)| name.as_str()).collect();
            let ran = ["parse", "execute", "engine", "database", "reply"];
            let here = [&["client", "dispatcher"][..], &ran].concat();
            let there =
                [&["client", "dispatcher", "sent", "received"][..], &ran, &["answered"]].concat();
            let (first, last) = (&way[0].1, &way[way.len() - 1].1);
            assert_eq!(first, last, "it ends where it began: {way:?}");
            if names == here {
                assert!(way.iter().all(|(_, shard)| shard == first), "{way:?}");
            } else {
                assert_eq!(names, there, "{shards} shards");
                let owner = &way[3].1;
                assert_ne!(owner, first);
                assert!(way[3..9].iter().all(|(_, shard)| shard == owner), "{way:?}");
                away += 1;
            }
        }
        assert_eq!(away > 0, shards > 1, "{shards} shards: {ways:?}");
        let client = words(&home)[0].trim_start_matches(':');
        assert!(told.contains(&format!("client\r\n:{client}\r\n")), "{told}");
    }
}

#[test]
fn a_command_on_keys_of_several_shards_shows_all_of_them() {
    let mut world = sampling(3, "1");
    let client = world.connect();
    world.ask_to_rest(client, &["MSET", "a", "1", "b", "2", "c", "3", "d", "4"]);
    world.ask_to_rest(client, &["MGET", "a", "b", "c", "d"]);
    let told = world.ask_to_rest(client, &["DEBUG", "TRACE"]);
    let ways = ways(&told, "mget");
    let received = ways[0].iter().filter(|(name, _)| name == "received").count();
    assert!(received >= 1, "{told}");
    assert_eq!(ways[0].last().map(|(name, _)| name.as_str()), Some("answered"), "{told}");
}

#[test]
fn one_in_so_many_is_followed_and_none_unless_asked_for() {
    let count = |one_in| {
        let mut world = sampling(2, one_in);
        let client = world.connect();
        for _ in 0..30 {
            world.ask_to_rest(client, &["SET", "k", "v"]);
        }
        let told = world.ask_to_rest(client, &["DEBUG", "TRACE"]);
        ways(&told, "set").len()
    };
    assert_eq!((count("0"), count("10"), count("1")), (0, 3, 30));
    let mut world = World::new(&Options::calm(2, 1));
    let client = world.connect();
    world.ask_to_rest(client, &["SET", "k", "v"]);
    assert_eq!(world.ask_to_rest(client, &["DEBUG", "TRACE"]), "*0\r\n");
}
