//! Replies of commands as scripts see them, and what scripts return as replies.

use crate::stub::{Stub, eval, scripting};

#[test]
fn replies_come_in_the_shape_the_script_asked_for() {
    let shape = "local function shape(v) if type(v) ~= 'table' then return type(v) .. ' ' .. tostring(v) end \
                 local t = {} for k, e in pairs(v) do t[#t + 1] = tostring(k) .. '=' .. shape(e) end \
                 table.sort(t) return '{' .. table.concat(t, ',') .. '}' end ";
    for (call, two, three) in [
        ("ping", "{ok=string PONG}", "{ok=string PONG}"),
        ("map", "{1=string k,2=string 0.5}", "{map={k={double=number 0.5}}}"),
        ("set", "{1=string m}", "{set={m=boolean true}}"),
        ("null", "boolean false", "nil nil"),
        ("true", "number 1", "boolean true"),
        ("big", "string 12345678901234567890", "{big_number=string 12345678901234567890}"),
        ("text", "string words", "{verbatim_string={format=string txt,string=string words}}"),
    ] {
        let mut scripting = scripting();
        for (version, wanted) in [(2, two), (3, three)] {
            let text =
                format!("{shape} redis.setresp({version}) return shape(redis.call('{call}'))");
            let reply = eval(&mut scripting, &mut Stub::default(), text.as_bytes());
            assert_eq!(reply, format!("\"{wanted}\""), "{call} in version {version}");
        }
    }
}

#[test]
fn a_reply_may_pass_through_a_script_unchanged() {
    let mut scripting = scripting();
    for (call, wanted) in [
        ("map", "{\"k\" ,0.5}"),
        ("set", "<\"m\">"),
        ("true", "#true"),
        ("null", "nil"),
        ("big", "(12345678901234567890"),
        ("text", "=txt:words"),
        // Who runs the command counted its error.
        ("nothing", "!ERR no such command here"),
    ] {
        let text = format!("redis.setresp(3) return redis.pcall('{call}')");
        assert_eq!(eval(&mut scripting, &mut Stub::default(), text.as_bytes()), wanted);
    }
}

#[test]
fn arguments_are_bytes_and_numbers() {
    let mut scripting = scripting();
    for (argument, wanted) in [
        ("'a\\0\\255'", "\"a\\x00\\xff\""),
        ("3", "\"3\""),
        ("-1e15", "\"-1000000000000000\""),
        ("1e17", "\"1e+17\""),
        ("0.1", "\"0.10000000000000001\""),
    ] {
        let text = format!("return redis.call('echo', {argument})");
        assert_eq!(eval(&mut scripting, &mut Stub::default(), text.as_bytes()), wanted);
    }
}

#[test]
fn scripts_that_only_eval_brought_make_room_for_others() {
    let mut scripting = scripting();
    let kept = scripting.load_script(b"return 'kept'").expect("it compiles");
    for number in 0..600 {
        eval(&mut scripting, &mut Stub::default(), format!("return {number}").as_bytes());
    }
    assert_eq!(scripting.script_figures().0, 501);
    assert!(scripting.has_script(&kept));
    assert_eq!(eval(&mut scripting, &mut Stub::default(), b"return 1"), "1");
}
