//! Scripts on several shards: which of them runs one must not show.

use stoa_sim::law::{Pace, replies};
use stoa_sim::{Item, Program};

/// The SHA-1 of `INCREMENT`.
const SHA: &str = "2bab3b661081db58bd2341920e0ba7cf5dc77b25";
const INCREMENT: &str = "return redis.call('incr', KEYS[1])";
/// The SHA-1 of `return KEYS[1]`.
const SHA_QUEUED: &str = "4a2267357833227dd98abdedb8cf24b15a986445";

fn same_on_any_number_of_shards(lines: &[Vec<&str>]) {
    let call =
        |line: &Vec<&str>| Item::Call(line.iter().map(|word| word.as_bytes().to_vec()).collect());
    let program = Program(lines.iter().map(call).collect());
    let one = replies(&program, 1, 7, Pace::OneByOne).expect("one shard answers");
    for shards in [2, 3, 7] {
        for pace in [Pace::OneByOne, Pace::Pipelined] {
            let got = replies(&program, shards, 7, pace).expect("all answer");
            assert_eq!(got, one, "{shards} shards, {pace:?}");
        }
    }
}

#[test]
fn a_script_that_ran_anywhere_is_found_everywhere_by_its_sha1() {
    let mut lines = vec![
        vec!["EVALSHA", SHA, "1", "a"],
        vec!["EVAL", INCREMENT, "1", "a"],
        vec!["EVAL", "return {1", "0"],
        vec!["MULTI"],
        vec!["EVAL", "return KEYS[1]", "1", "b"],
        vec!["EXEC"],
        vec!["SCRIPT", "EXISTS", SHA, SHA_QUEUED],
    ];
    for key in ["a", "b", "c", "d", "e", "f", "g"] {
        lines.push(vec!["EVALSHA", SHA, "1", key]);
        lines.push(vec!["EVALSHA", SHA_QUEUED, "1", key]);
    }
    lines.push(vec!["SCRIPT", "FLUSH"]);
    lines.push(vec!["EVALSHA", SHA, "1", "a"]);
    same_on_any_number_of_shards(&lines);
}

#[test]
fn which_scripts_make_room_for_others_does_not_hang_on_the_shard() {
    let text = |number: usize| format!("return {number}");
    let texts: Vec<String> = (0..510).map(text).collect();
    let mut lines = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        lines.push(vec!["EVAL", text, "1", ["a", "b", "c", "d"][number % 4]]);
        // Used again and again, on one shard.
        lines.push(vec!["EVAL", &texts[0], "1", "a"]);
    }
    // Of `return 0`, `return 1` and `return 11`.
    let shas = [
        "06d3d9b2060dd51343d5f19f0e531f15c507e3d1",
        "e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
        "a3d7ac8b61b5b5f31433c8dcd2dd07312612f9a1",
    ];
    for sha in shas {
        lines.push(vec!["SCRIPT", "EXISTS", sha]);
        for key in ["a", "b", "c", "d"] {
            lines.push(vec!["EVALSHA", sha, "1", key]);
        }
    }
    same_on_any_number_of_shards(&lines);
}

#[test]
fn declared_keys_of_any_shards_are_at_hand() {
    let swap = "local a, b = redis.call('get', KEYS[1]), redis.call('get', KEYS[2]) \
                redis.call('mset', KEYS[1], b or '0', KEYS[2], a or '0') return {a, b}";
    let library = "#!lua name=lib\nredis.register_function('add', function(keys, args) \
                   local sum = 0 for _, key in ipairs(keys) do sum = sum + redis.call('incr', key) end \
                   return sum end)";
    let mut lines =
        vec![vec!["MSET", "a", "1", "b", "2", "c", "3"], vec!["FUNCTION", "LOAD", library]];
    for (one, other) in [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("a", "a")] {
        lines.push(vec!["EVAL", swap, "2", one, other]);
        lines.push(vec!["FCALL", "add", "3", one, other, "f"]);
    }
    lines.push(vec!["FUNCTION", "STATS"]);
    lines.push(vec!["FUNCTION", "DELETE", "lib"]);
    lines.push(vec!["FCALL", "add", "1", "a"]);
    same_on_any_number_of_shards(&lines);
}
