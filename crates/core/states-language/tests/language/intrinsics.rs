//! Intrinsic functions: the examples of the developer guide, and what each refuses.

use roadstead_states_language::{Dice, Failure, Intrinsic, Variables, View, names};
use serde_json::{Value, json};

fn call(text: &str) -> Result<Value, Failure> {
    let input = json!({
        "name": "Arnav", "template": "Hello, my name is {}.", "Id": 123456, "text": "{\"foo\": \"bar\"}",
        "object": {"foo": "bar"}, "numbers": [1, 2, 3, 4, 5, 6, 7, 8, 9], "n": 5,
        "twice": [1, 2, 3, 3, 3, 1.0], "json1": {"a": {"a1": 1, "a2": 2}, "b": 2}, "json2": {"a": {"a3": 1}, "c": 3},
        "odd": [1, 1.0, "1", 0, -0.0, {"a": 1, "b": 2}, {"b": 2, "a": 1}, null, false, null],
        "many": (0..50_000).chain(0..50_000).collect::<Vec<u32>>(), "value1": 111, "step": -1, "csv": "1,2,3,4,5", "mixed": "This.is+a,test=string", "sep": ".+,=", "parens": {"a(b": 1}
    });
    let context = json!({"State": {"Name": "S"}});
    let view = View {
        input: &input,
        context: &context,
        variables: Variables::default(),
    };
    Intrinsic::parse(text)
        .unwrap_or_else(|fault| panic!("{text}: {fault}"))
        .call(&view, &Dice::new(7), "x.$")
}

#[test]
fn each_function_gives_what_the_guide_says() {
    let cases = [
        (
            "States.Format('Hello, my name is {}.', $.name)",
            json!("Hello, my name is Arnav."),
        ),
        (
            "States.Format($.template, $.name)",
            json!("Hello, my name is Arnav."),
        ),
        ("States.Format('{}{}{}', 1, true, null)", json!("1truenull")),
        ("States.Format('\\{\\} it\\'s {}', 'x')", json!("{} it's x")),
        ("States.StringToJson($.text)", json!({"foo": "bar"})),
        ("States.JsonToString($.object)", json!("{\"foo\":\"bar\"}")),
        ("States.Array($.Id)", json!([123456])),
        ("States.Array()", json!([])),
        (
            "States.Array(1, 'a', $$.State.Name, States.Array())",
            json!([1, "a", "S", []]),
        ),
        (
            "States.ArrayPartition($.numbers, 4)",
            json!([[1, 2, 3, 4], [5, 6, 7, 8], [9]]),
        ),
        ("States.ArrayContains($.numbers, $.n)", json!(true)),
        ("States.ArrayContains($.numbers, 10)", json!(false)),
        ("States.ArrayRange(1, 9, 2)", json!([1, 3, 5, 7, 9])),
        ("States.ArrayRange(3, 1, -1)", json!([3, 2, 1])),
        ("States.ArrayRange(1, 5, -1)", json!([])),
        ("States.ArrayRange(1.6, 3.4, 1)", json!([2, 3])),
        ("States.ArrayGetItem($.numbers, 5)", json!(6)),
        ("States.ArrayLength($.numbers)", json!(9)),
        ("States.ArrayUnique($.twice)", json!([1, 2, 3])),
        (
            "States.Base64Encode('Data to encode')",
            json!("RGF0YSB0byBlbmNvZGU="),
        ),
        (
            "States.Base64Decode('RGF0YSB0byBlbmNvZGU=')",
            json!("Data to encode"),
        ),
        (
            "States.Hash('input data', 'SHA-1')",
            json!("aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ),
        (
            "States.Hash('', 'MD5')",
            json!("d41d8cd98f00b204e9800998ecf8427e"),
        ),
        (
            "States.JsonMerge($.json1, $.json2, false)",
            json!({"a": {"a3": 1}, "b": 2, "c": 3}),
        ),
        ("States.MathAdd($.value1, $.step)", json!(110)),
        ("States.MathAdd(1.5, 2.4)", json!(4)),
        ("States.StringSplit($.csv, ',')", json!(["1", "2", "3", "4", "5"])),
        (
            "States.StringSplit($.mixed, $.sep)",
            json!(["This", "is", "a", "test", "string"]),
        ),
        (
            "States.ArrayGetItem(States.StringSplit($.csv, ','), 1)",
            json!("2"),
        ),
        ("States.Format('{}', $.parens['a(b'])", json!("1")),
        ("States.ArrayLength($.numbers[?(@ > 3)])", json!(6)),
        ("States.ArrayLength( $.numbers[0, 1] )", json!(2)),
    ];
    for (text, expected) in cases {
        assert_eq!(call(text), Ok(expected), "{text}");
    }
}

#[test]
fn randomness_is_the_callers() {
    let once = call("States.MathRandom(1, 999)").unwrap();
    assert_eq!(call("States.MathRandom(1, 999)").unwrap(), once);
    let number = once.as_i64().unwrap();
    assert!((1..999).contains(&number));
    assert_eq!(
        call("States.MathRandom(1, 2)"),
        Ok(json!(1)),
        "the end is not in it"
    );
    assert_eq!(
        call("States.MathRandom(1, 999, 4)"),
        call("States.MathRandom(1, 999, 4)")
    );
    let id = call("States.UUID()").unwrap();
    let id = id.as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
    let dice = Dice::new(1);
    assert_ne!(dice.uuid(), dice.uuid());
}

#[test]
fn what_a_function_cannot_do_fails_the_state() {
    let cases = [
        "States.Format('{}')",
        "States.Format('x', 1)",
        "States.Format('a } b')",
        "States.StringToJson('{')",
        "States.ArrayPartition($.numbers, 0)",
        "States.ArrayPartition('x', 1)",
        "States.ArrayRange(0, 1000, 1)",
        "States.ArrayRange(0, 9, 0)",
        "States.ArrayGetItem($.numbers, 9)",
        "States.ArrayGetItem($.numbers, -1)",
        "States.Base64Decode('!')",
        "States.Hash('x', 'CRC')",
        "States.JsonMerge($.json1, $.json2, true)",
        "States.JsonMerge($.json1, 1, false)",
        "States.MathRandom(3, 3)",
        "States.MathAdd(2147483647, 1)",
        "States.MathAdd('a', 1)",
        "States.StringSplit(1, ',')",
    ];
    for text in cases {
        let failure = call(text).expect_err(text);
        assert_eq!(failure.error, names::INTRINSIC, "{text}");
        let head = format!("The function '{text}' had the following error: ");
        assert!(failure.cause.starts_with(&head), "{}", failure.cause);
    }
    let absent = call("States.Array($.absent)").unwrap_err();
    assert_eq!(absent.error, names::RUNTIME);
    assert!(absent.cause.starts_with(
        "The function 'States.Array($.absent)' had the following error: \
         The JsonPath argument for the field '$.absent' could not be found in the input '{"
    ));
}

#[test]
fn what_is_no_call_is_refused() {
    let deep = |count: usize| format!("{}1{}", "States.Array(".repeat(count), ")".repeat(count));
    assert!(Intrinsic::parse(&deep(10)).is_ok());
    assert!(Intrinsic::parse(&deep(11)).is_err());
    let cases = [
        "",
        "States",
        "States.",
        "States.Nope()",
        "States.UUID",
        "States.UUID(1)",
        "States.Format()",
        "States.Array(",
        "States.Array(1",
        "States.Array(1,)",
        "States.Array('a)",
        "States.Array(a)",
        "States.Array(1) ",
        "States.Hash('a')",
        "States.Array($.[)",
        "States.Array($['a\\",
    ];
    for text in cases {
        assert!(Intrinsic::parse(text).is_err(), "{text}");
    }
}

#[test]
fn unique_items_are_found_among_very_many() {
    let once: Vec<u32> = (0..50_000).collect();
    assert_eq!(call("States.ArrayUnique($.many)"), Ok(json!(once)));
    let odd = json!([1, "1", 0, {"a": 1, "b": 2}, null, false]);
    assert_eq!(call("States.ArrayUnique($.odd)"), Ok(odd));
}
