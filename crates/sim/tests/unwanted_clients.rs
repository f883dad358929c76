//! Clients that a server rids itself of, and what its operator reads about them.

use stoa_sim::{ClientId, Options, World};

fn world(shards: u16, directives: &[(&'static str, &'static str)]) -> World {
    let mut options = Options::calm(shards, 1);
    options.directives.extend(directives);
    World::new(&options)
}

fn settle(world: &mut World) {
    assert!(world.settle(1_000_000), "nothing moves");
}

fn text_of(world: &mut World, client: ClientId) -> String {
    let mut all = Vec::new();
    while let Some(reply) = world.next_reply(client) {
        all.extend(reply);
    }
    String::from_utf8(all).expect("text")
}

#[test]
fn a_browser_is_turned_away_before_what_it_carries_runs() {
    for request in [
        "POST / HTTP/1.1\r\nHost: localhost:6379\r\n\r\nSET k stolen\r\n",
        "GET / HTTP/1.1\r\nhOsT: localhost:6379\r\n\r\nSET k stolen\r\n",
        "post\r\nSET k stolen\r\n",
        "*1\r\n$4\r\nPOST\r\nSET k stolen\r\n",
    ] {
        // Also before it has proved a password.
        for directives in [&[][..], &[("requirepass", "secret")]] {
            for shards in [1, 3] {
                let mut world = world(shards, directives);
                let browser = world.connect();
                world.write(browser, request.as_bytes());
                settle(&mut world);
                assert!(world.is_closed(browser), "{request:?}");
                let client = world.connect();
                if !directives.is_empty() {
                    world.call(client, &["AUTH", "secret"]);
                }
                world.call(client, &["GET", "k"]);
                settle(&mut world);
                assert!(text_of(&mut world, client).ends_with("$-1\r\n"), "{request:?}");
                assert_eq!(world.log().len(), 1, "{:?}", world.log());
                assert!(world.log()[0].contains("SECURITY ATTACK"), "{:?}", world.log());
            }
        }
    }
}

#[test]
fn attacks_are_written_about_once_a_minute() {
    let mut world = world(1, &[]);
    for (wait_ms, lines) in [(0, 1), (59_999, 1), (1, 2), (1, 2)] {
        world.advance(wait_ms);
        for _ in 0..3 {
            let browser = world.connect();
            world.write(browser, b"POST /\r\n");
            settle(&mut world);
            assert!(world.is_closed(browser));
        }
        assert_eq!(world.log().len(), lines, "{:?}", world.log());
    }
}

#[test]
fn who_is_cut_off_by_a_limit_has_a_line_with_the_reason() {
    let limits =
        [("client-output-buffer-limit", "normal 100kb 0 0"), ("client-query-buffer-limit", "1mb")];
    let mut world = world(1, &limits);
    let (lazy, endless) = (world.connect(), world.connect());
    world.call(lazy, &["CLIENT", "SETNAME", "lazy"]);
    world.call(lazy, &["SET", "k", &"v".repeat(60_000)]);
    settle(&mut world);
    world.set_reads(lazy, false);
    for _ in 0..10 {
        world.call(lazy, &["GET", "k"]);
    }
    settle(&mut world);
    assert_eq!(world.log().len(), 1, "{:?}", world.log());
    assert!(world.log()[0].contains("name=lazy cmd=get"), "{:?}", world.log());
    assert!(
        world.log()[0].contains("client-output-buffer-limit (hard limit)"),
        "{:?}",
        world.log()
    );
    world.write(endless, b"*1000000\r\n");
    for _ in 0..100 {
        world.write(endless, format!("$20000\r\n{}\r\n", "x".repeat(20_000)).as_bytes());
    }
    settle(&mut world);
    assert_eq!(world.log().len(), 2, "{:?}", world.log());
    assert!(world.log()[1].contains("client-query-buffer-limit"), "{:?}", world.log());
}

#[test]
fn a_quiet_log_stays_quiet() {
    let mut world = world(1, &[("loglevel", "nothing")]);
    let browser = world.connect();
    world.write(browser, b"POST /\r\n");
    settle(&mut world);
    assert!(world.is_closed(browser));
    assert_eq!(world.log().len(), 0);
}

#[test]
fn a_directive_that_does_not_act_is_named_once_however_many_shards_take_it() {
    for shards in [1, 3] {
        let mut world = world(shards, &[]);
        let client = world.connect();
        for (number, line) in
            ["CONFIG SET activedefrag yes", "CONFIG SET hz 20 activedefrag no"].iter().enumerate()
        {
            assert_eq!(world.ask(client, line), "+OK\r\n");
            settle(&mut world);
            assert_eq!(world.log().len(), number + 1, "{:?}", world.log());
            assert!(world.log()[number].contains("'activedefrag' is accepted and not acting yet"));
        }
        world.ask(client, "CONFIG SET hz 10");
        assert_eq!(world.log().len(), 2, "{:?}", world.log());
    }
}

#[test]
fn while_what_time_brings_rests_idle_clients_and_keys_past_their_deadline_stay() {
    for shards in [1, 3] {
        let mut world = world(shards, &[("timeout", "5"), ("enable-debug-command", "yes")]);
        let (client, idle) = (world.connect(), world.connect());
        world.ask(idle, "SET k v PX 100");
        for (paused, keys) in [("1", ":1\r\n"), ("0", ":0\r\n")] {
            assert_eq!(world.ask(client, &format!("DEBUG PAUSE-CRON {paused}")), "+OK\r\n");
            for _ in 0..3 {
                world.advance(4_000);
                world.ask(client, "PING");
                settle(&mut world);
            }
            assert_eq!(world.ask(client, "DBSIZE"), keys, "{shards} shards, {paused}");
            assert_eq!(world.is_closed(idle), paused == "0", "{shards} shards, {paused}");
        }
    }
}

#[test]
fn idle_clients_are_closed_in_portions_and_the_busy_ones_stay() {
    let mut world = world(1, &[("timeout", "5"), ("hz", "2")]);
    let clients: Vec<_> = (0..700).map(|_| world.connect()).collect();
    settle(&mut world);
    let open = |world: &World| clients.iter().filter(|id| !world.is_closed(**id)).count();
    world.advance(4_900);
    for client in &clients[..5] {
        world.call(*client, &["PING"]);
    }
    settle(&mut world);
    assert_eq!(open(&world), 700, "nobody was idle for so long");
    // At the latest half a second after the time is over somebody looks.
    world.advance(700);
    let (mut before, mut rounds) = (700, 0);
    while world.step() {
        let now = open(&world);
        assert!(before - now <= 256, "{} closed at once", before - now);
        rounds += usize::from(now < before);
        before = now;
    }
    assert_eq!(before, 5, "those that said something stay");
    assert!(rounds >= 3, "{rounds} portions");
}
