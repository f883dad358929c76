//! Ways out of the sandbox that were published, each shut: none may do more than fail.

use crate::stub::{Stub, eval, scripting};
use stoa_scripting::Stop;

fn says(text: &str, wanted: &str) {
    let mut scripting = scripting();
    let reply = eval(&mut scripting, &mut Stub::default(), text.as_bytes());
    assert!(reply.contains(wanted), "{text}\n  wanted {wanted}\n  got    {reply}");
    // Whatever it did, the next script is served.
    assert_eq!(eval(&mut scripting, &mut Stub::default(), b"return 'here'"), "\"here\"", "{text}");
}

#[test]
fn nothing_that_scripts_share_can_be_changed() {
    // CVE-2022-24735 and CVE-2025-46818: code left behind for the next user's script.
    for text in [
        "x = 1",
        "_G.x = 1",
        "rawset(_G, 'x', 1)",
        "setmetatable(_G, {})",
        "getmetatable(_G).__index = 1",
        "rawset(getmetatable(_G), '__index', 1)",
        "redis.call = 1",
        "rawset(redis, 'call', 1)",
        "setmetatable(redis, {})",
        "string.rep = 1",
        "cjson.encode = 1",
        "cmsgpack.pack = 1",
        "struct.pack = 1",
        "bit.band = 1",
        "math.random = 1",
        "coroutine.resume = 1",
        "os.clock = 1",
        "table.insert(table, 1)",
        "getmetatable('').__index = 1",
        "getmetatable('').__index.rep = 1",
        "rawset(getmetatable(''), '__index', 1)",
        "setmetatable(getmetatable(''), {})",
    ] {
        says(text, "Attempt to modify a readonly table");
    }
    says("return getmetatable(1) == nil and getmetatable(print_) == nil", "nonexistent global");
    says("local _, t = pairs(redis) t.call = 1", "Attempt to modify a readonly table");
    says("return next(redis) ~= nil and #redis", "0");
}

#[test]
fn what_reaches_outside_is_not_there() {
    for name in [
        "dofile", "loadfile", "print", "require", "module", "package", "io", "debug", "newproxy",
        "setfenv", "getfenv", "jit", "ffi",
    ] {
        says(&format!("return {name}"), &format!("nonexistent global variable \\'{name}\\'"));
    }
    says("return os.execute == nil and os.getenv == nil and os.exit == nil", "1");
}

#[test]
fn bytecode_is_not_run() {
    says("return loadstring(string.dump(function() end)) == nil", "1");
    says("return (select(2, loadstring('\\27Lua\\81\\0')))", "attempt to load");
    says(
        "local p = '\\27Lua' return (load(function() local r = p p = nil return r end)) == nil",
        "1",
    );
    let mut scripting = scripting();
    let reply = eval(&mut scripting, &mut Stub::default(), b"\x1bLua\x51");
    assert!(reply.starts_with("-ERR Error compiling script"), "{reply}");
}

#[test]
fn json_and_messagepack_of_any_size_and_depth_fail_cleanly() {
    // CVE-2022-24834: lengths that overflow; and the older deep nesting.
    says("local t = {} for i = 1, 5000 do t = {t} end return cjson.encode(t)", "excessive nesting");
    says(
        "cjson.encode_max_depth(1e9) local t = {} for i = 1, 5000 do t = {t} end \
         return cjson.encode(t)",
        "excessive nesting",
    );
    says("return cjson.decode(string.rep('[', 1e5))", "too many nested data structures");
    says(
        "cjson.decode_max_depth(1e9) return cjson.decode(string.rep('[', 1e5))",
        "too many nested",
    );
    says("return cmsgpack.unpack(string.rep('\\145', 1e5))", "stack overflow");
    says("return cmsgpack.unpack('\\221\\255\\255\\255\\255')", "Missing bytes");
    says("return cmsgpack.unpack('\\223\\255\\255\\255\\255')", "Missing bytes");
    says("return cmsgpack.unpack('\\219\\255\\255\\255\\255')", "Missing bytes");
    says("return #cjson.encode(string.rep('\\0', 1e6))", "6000002");
    says(
        "cjson.encode_sparse_array(false, 0) return cjson.encode({[2147483647] = 1})",
        "not enough",
    );
}

#[test]
fn a_hexadecimal_number_has_no_more_digits_than_there_are() {
    // CVE-2024-31449.
    says("return bit.tohex(65535, -2147483648)", "\"0000FFFF\"");
    says("return bit.tohex(65535, 2147483647)", "\"0000ffff\"");
}

#[test]
fn garbage_may_be_collected_at_any_moment() {
    // CVE-2024-46981: a collection while something is still in use.
    says(
        "local t = setmetatable({}, {__mode = 'k'}) for i = 1, 100 do t[{}] = {} \
         collectgarbage('step') end collectgarbage() return 'fine'",
        "fine",
    );
    says("collectgarbage('stop') collectgarbage('setpause', 0) return 'fine'", "fine");
    let mut scripting = scripting();
    for round in 0..50 {
        let text = format!("local t = {{}} for i = 1, 100 do t[i] = {{i}} end return {round}");
        assert_eq!(eval(&mut scripting, &mut Stub::default(), text.as_bytes()), round.to_string());
        scripting.flush_scripts();
    }
}

#[test]
fn unpack_counts_without_overflow() {
    // CVE-2025-46817.
    for range in [
        "1, 1e8",
        "-2147483648, 2147483647",
        "0, 2147483647",
        "-2147483648, 0",
        "1, 8001",
        "-1e300, 1e300",
        "1, 1/0",
        "-1/0, 1",
        "0/0, 1",
        "'1', '2147483647'",
    ] {
        says(&format!("return {{unpack({{}}, {range})}}"), "too many results to unpack");
    }
    says("local t = {} for i = 1, 7999 do t[i] = i end return select('#', unpack(t))", "7999");
    says("local t = {} for i = 1, 8001 do t[i] = i end return {unpack(t)}", "too many results");
    says("return {unpack({1, 2, 3}, 2)}", "[2 3]");
    says("return {unpack({1, 2, 3}, 2147483647, 2147483648)}", "[");
    says("return select('#', unpack({}, 1, 7000))", "7000");
}

#[test]
fn long_brackets_of_any_level_are_read_within_bounds() {
    // CVE-2025-46819.
    let equals = "=".repeat(100_000);
    says(&format!("return [{equals}[x]{equals}]"), "long bracket");
    says(&format!("--[{equals}[x"), "long bracket");
    says("return loadstring('return [' .. ('='):rep(1e6) .. '[x') == nil", "1");
    says("return [==[x]==]", "\"x\"");
    says("return [==", "Error compiling script");
}

#[test]
fn a_text_is_parsed_while_nothing_is_collected() {
    // CVE-2025-49844: the parser holds strings that the collector does not know of.
    says(
        "for i = 1, 200 do local s = 'return {' .. ('\"' .. i .. 'x\",'):rep(200) .. '}' \
         loadstring(s, ('n'):rep(i * 50) .. i) end return 'fine'",
        "fine",
    );
    says(
        "for i = 1, 100 do collectgarbage('step') loadstring(('x'):rep(1000) .. i, 'y' .. i) end \
         return 'fine'",
        "fine",
    );
    says("return loadstring(('('):rep(1e5)) == nil", "1");
}

#[test]
fn what_would_run_away_inside_c_is_bounded() {
    says("return ('x'):rep(1e18)", "resulting string too large");
    says("return #(''):rep(1e18)", "0");
    says("return ('a'):rep(1e5):find(('a?'):rep(1e5) .. 'b')", "malformed pattern");
    says("return ('a'):match(('('):rep(1e5))", "malformed pattern");
    says("return ('x'):gsub(('.-'):rep(1e5), '')", "malformed pattern");
    says("local s = 'x' while true do s = s .. s end", "not enough memory");
    says("local t = {} for i = 1, 1e9 do t[i] = {} end", "not enough memory");
    says("local f f = function() return f() + 1 end f()", "stack overflow");
    says(
        "local t = {} t.__index = function(_, k) return t[k .. 'x'] end setmetatable(t, t) return t.x",
        "",
    );
    says("local a = {} a[1] = a return a", "reached lua stack limit");
}

#[test]
fn a_script_that_is_stopped_cannot_go_on() {
    for text in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        // Redis itself never gets out of this one.
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "local c = coroutine.wrap(function() while true do end end) while true do pcall(c) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "local function f() pcall(f) while true do end end f()",
    ] {
        let mut scripting = scripting();
        for pauses in [false, true] {
            let mut host = Stub { patience: Some(2), pauses, ..Stub::default() };
            let reply = eval(&mut scripting, &mut host, text.as_bytes());
            assert!(reply.contains("Script killed by user"), "{text}: {reply}");
        }
        let mut host = Stub::default();
        assert_eq!(eval(&mut scripting, &mut host, b"return 'here'"), "\"here\"", "{text}");
        let reply = eval(&mut scripting, &mut host, b"for i = 1, 1e6 do end return 'here'");
        assert_eq!(reply, "\"here\"", "{text}");
    }
}

#[test]
fn a_script_that_wants_what_is_not_at_hand_calls_nothing_more() {
    let mut scripting = scripting();
    let mut host = Stub { stop: Some(Stop::Undeclared), ..Stub::default() };
    let text = b"while true do pcall(redis.call, 'ping') redis.pcall('ping') end";
    let reply = eval(&mut scripting, &mut host, text);
    assert!(reply.contains("did not declare"), "{reply}");
    assert_eq!(host.calls, 1);
}

#[test]
fn a_script_that_pauses_anywhere_goes_on_as_if_nothing_had_been() {
    let text = b"local sum = 0 \
        local ok = pcall(function() for i = 1, 300000 do sum = sum + i % 3 end error('x') end) \
        local c = coroutine.wrap(function() for i = 1, 300000 do sum = sum + 1 end \
        redis.call('ping') return sum end) \
        return {tostring(ok), c(), KEYS[1]}";
    let mut scripting = scripting();
    for pauses in [false, true] {
        let mut host = Stub { pauses, ..Stub::default() };
        let reply = eval(&mut scripting, &mut host, text);
        assert_eq!(reply, "[\"false\" 600000 \"key\"]");
    }
}

#[test]
fn a_server_may_end_while_a_script_pauses() {
    let mut scripting = scripting();
    let found =
        scripting.script(b"while true do pcall(redis.call, 'ping') end").expect("it compiles");
    let mut host = Stub { pauses: true, ..Stub::default() };
    let mut tape = stoa_scripting::Tape::default();
    let outcome = scripting.run(&found, &[], &[], &mut host, &mut tape);
    assert_eq!(outcome, stoa_scripting::Outcome::Paused);
    drop(scripting);
}

#[test]
fn a_command_that_has_to_wait_is_asked_for_again_when_the_script_goes_on() {
    let mut scripting = scripting();
    let text = b"local n = 1; return redis.call('echo', 'x' .. n) .. redis.call('echo', 'y')";
    let found = scripting.script(text).expect("it compiles");
    let mut host = Stub { waits: true, ..Stub::default() };
    let mut tape = stoa_scripting::Tape::default();
    let outcome = scripting.run(&found, &[], &[], &mut host, &mut tape);
    assert_eq!((outcome, host.calls), (stoa_scripting::Outcome::Paused, 0));
    let outcome = scripting.resume(&mut host, &mut tape);
    assert_eq!((outcome, host.calls), (stoa_scripting::Outcome::Answered, 2));
    assert!(matches!(tape.read().item(), Some(stoa_scripting::Item::Bulk(b"x1y"))));
}
