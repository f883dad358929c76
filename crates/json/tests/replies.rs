//! Every reply has a form, no two different ones share it, and what comes out may be put in again.

use stoa_json::{Forms, Request, read, write_answer, write_value};
use stoa_resp::Value;

fn bulk(text: &[u8]) -> Value {
    Value::Bulk(text.to_vec())
}

fn json(value: &Value) -> String {
    let mut out = Vec::new();
    write_value(value, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[test]
fn each_type_of_resp3_has_its_form() {
    let map = |pairs: &[(&[u8], i64)]| {
        Value::Map(pairs.iter().map(|(key, value)| (bulk(key), Value::Int(*value))).collect())
    };
    for (value, want) in [
        (bulk(b"a \"b\"\n"), r#""a \"b\"\n""#),
        (Value::Simple(b"OK".to_vec()), r#""OK""#),
        (Value::Verbatim { format: *b"txt", text: b"x".to_vec() }, r#""x""#),
        (bulk(b"\xff\x00"), r#"{"$b64":"/wA="}"#),
        (Value::Error(b"ERR no".to_vec()), r#"{"$error":"ERR no"}"#),
        (Value::Int(-9_007_199_254_740_991), "-9007199254740991"),
        (Value::Int(9_007_199_254_740_992), r#"{"$int":"9007199254740992"}"#),
        (Value::Int(i64::MIN), r#"{"$int":"-9223372036854775808"}"#),
        (Value::BigNumber(b"123".to_vec()), r#"{"$int":"123"}"#),
        (Value::Double(2.0), "2.0"),
        (Value::Double(0.1), "0.1"),
        (Value::Double(f64::NEG_INFINITY), r#"{"$double":"-inf"}"#),
        (Value::Double(f64::NAN), r#"{"$double":"nan"}"#),
        (Value::Null, "null"),
        (Value::Boolean(true), "true"),
        (Value::Array(vec![Value::Int(1), Value::Null]), "[1,null]"),
        (Value::Set(vec![]), "[]"),
        (map(&[(b"a", 1), (b"b", 2)]), r#"{"a":1,"b":2}"#),
        // A hash with such a field must not read as bytes.
        (map(&[(b"$b64", 1)]), r#"{"$map":[["$b64",1]]}"#),
        (map(&[(b"\xff", 1)]), r#"{"$map":[[{"$b64":"/w=="},1]]}"#),
        (map(&[(b"a", 1), (b"a", 2)]), r#"{"$map":[["a",1],["a",2]]}"#),
        (Value::Map(vec![(Value::Int(1), Value::Int(2))]), r#"{"$map":[[1,2]]}"#),
        (Value::Attribute { attributes: vec![], value: Box::new(Value::Int(1)) }, "1"),
    ] {
        assert_eq!(json(&value), want, "{value:?}");
    }
}

#[test]
fn an_answer_says_what_it_is() {
    let answer = |value: &Value| {
        let mut out = Vec::new();
        write_answer(value, &mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    };
    assert_eq!(answer(&Value::Null), r#"{"result":null}"#);
    assert_eq!(answer(&Value::Error(b"ERR \xff".to_vec())), "{\"error\":\"ERR \u{fffd}\"}");
    assert_eq!(answer(&Value::Push(vec![Value::Int(1)])), r#"{"push":[1]}"#);
}

#[test]
fn any_bytes_come_back_as_they_were() {
    let mut state = 7_u64;
    for step in 0..2_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
        let len = (state >> 33) as usize % 12;
        let sent: Vec<u8> = (0..len)
            .map(|at| (state >> (at * 5)) as u8 & if step % 2 == 0 { 0x7f } else { 0xff })
            .collect();
        let text = format!("[\"ECHO\",{}]", json(&bulk(&sent)));
        let got = read(text.as_bytes(), &Forms::default());
        assert_eq!(got, Ok(Request::One(vec![b"ECHO".to_vec(), sent])), "step {step}: {text}");
    }
}
