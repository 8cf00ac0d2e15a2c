//! Paths and reference paths.

use roadstead_states_language::{Path, Place, Variables, View};
use serde_json::{Map, Value, json};

fn store() -> Value {
    json!({
        "foo": 123,
        "bar": ["a", "b", "c"],
        "nothing": null,
        "a.b": {"c d": 1},
        "it's": 7,
        "vals": [0, 10, 20, 30, 40, 50],
        "books": [
            {"title": "A", "price": 8, "tags": ["x"], "isbn": "1"},
            {"title": "B", "price": 12.5, "tags": []},
            {"title": "C", "price": 22, "tags": ["x", "y"], "isbn": "3"}
        ],
        "limit": 12,
        "deep": {"price": 1, "more": {"price": 2}}
    })
}

fn find(path: &str) -> Option<Value> {
    let input = store();
    let context = json!({"Execution": {"Id": "arn:x"}, "Map": {"Item": {"Index": 3}}});
    let inner: Map<String, Value> = serde_json::from_value(json!({"x": {"y": [5]}})).unwrap();
    let outer: Map<String, Value> = serde_json::from_value(json!({"x": 1, "z": 2})).unwrap();
    let view = View {
        input: &input,
        context: &context,
        variables: Variables(vec![&inner, &outer]),
    };
    Path::parse(path)
        .unwrap_or_else(|fault| panic!("{path}: {fault}"))
        .find(&view)
}

#[test]
fn a_path_finds_what_the_dialect_says() {
    let cases = [
        ("$.foo", json!(123)),
        ("$['foo']", json!(123)),
        ("$[\"foo\"]", json!(123)),
        ("$.bar", json!(["a", "b", "c"])),
        ("$.bar[0]", json!("a")),
        ("$.bar[-1]", json!("c")),
        ("$.bar[0,2]", json!(["a", "c"])),
        ("$.bar[0:2]", json!(["a", "b"])),
        ("$.bar[:2]", json!(["a", "b"])),
        ("$.bar[-2:]", json!(["b", "c"])),
        ("$.vals[3:]", json!([30, 40, 50])),
        ("$.vals[1:5:2]", json!([10, 30])),
        ("$.vals[5:1]", json!([])),
        ("$.vals[9:]", json!([])),
        ("$.bar[*]", json!(["a", "b", "c"])),
        ("$.nothing", Value::Null),
        ("$['a.b']['c d']", json!(1)),
        ("$['it\\'s']", json!(7)),
        ("$['foo','limit']", json!([123, 12])),
        ("$['foo','absent']", json!([123])),
        ("$.books[*].title", json!(["A", "B", "C"])),
        ("$.books[*].isbn", json!(["1", "3"])),
        ("$.books[?(@.isbn)].title", json!(["A", "C"])),
        ("$.books[?(!@.isbn)].title", json!(["B"])),
        ("$.books[?(@.price < 10)].title", json!(["A"])),
        ("$.books[?(@.price <= $.limit)].title", json!(["A"])),
        ("$.books[?(@.price > 10 && @.isbn)].title", json!(["C"])),
        (
            "$.books[?(@.price < 10 || @.title == 'C')].title",
            json!(["A", "C"]),
        ),
        (
            "$.books[?((@.price < 10 || @.price > 20) && @.tags contains 'y')].title",
            json!(["C"]),
        ),
        ("$.books[?(@.title in ['A', 'B'])].price", json!([8, 12.5])),
        ("$.books[?(@.title nin ['A', 'B'])].price", json!([22])),
        ("$.books[?(@.tags size 2)].title", json!(["C"])),
        ("$.books[?(@.tags empty true)].title", json!(["B"])),
        ("$.books[?(@.title != 'A')].title", json!(["B", "C"])),
        ("$.books[?(@.price == 8.0)].title", json!(["A"])),
        ("$.books[?(@.absent == 1)].title", json!([])),
        ("$.vals[?(@ > 25)]", json!([30, 40, 50])),
        ("$..price", json!([8, 12.5, 22, 1, 2])),
        ("$.deep..price", json!([1, 2])),
        ("$.deep..*", json!([1, {"price": 2}, 2])),
        ("$..books[0].title", json!(["A"])),
        ("$..[?(@.price > 20)].title", json!(["C"])),
        ("$.deep.*", json!([1, {"price": 2}])),
        ("$.bar.length()", json!(3)),
        ("$.foo.length()", Value::String("none".to_owned())),
        ("$.vals.sum()", json!(150.0)),
        ("$.vals.max()", json!(50.0)),
        ("$.vals.min()", json!(0.0)),
        ("$.vals.avg()", json!(25.0)),
        ("$.deep.keys()", json!(["price", "more"])),
        ("$.vals.last()", json!(50)),
        ("$.books[*].price.length()", json!(3)),
        ("$$.Execution.Id", json!("arn:x")),
        ("$$.Map.Item.Index", json!(3)),
        ("$x.y[0]", json!(5)),
        ("$z", json!(2)),
        ("$.absent", Value::String("none".to_owned())),
        ("$.foo.absent", Value::String("none".to_owned())),
        ("$.bar[3]", Value::String("none".to_owned())),
        ("$.bar[-4]", Value::String("none".to_owned())),
        ("$.absent[*].x", Value::String("none".to_owned())),
        ("$.foo[1:]", Value::String("none".to_owned())),
        ("$unknown", Value::String("none".to_owned())),
    ];
    for (path, expected) in cases {
        let found = find(path);
        let expected = if expected == json!("none") {
            None
        } else {
            Some(expected)
        };
        assert_eq!(found, expected, "{path}");
    }
    assert_eq!(find("$"), Some(store()));
}

#[test]
fn what_is_no_path_is_refused_with_its_place() {
    let cases = [
        ("", 0),
        ("foo", 0),
        ("$.", 2),
        ("$foo bar", 4),
        ("$[", 2),
        ("$['a", 4),
        ("$[1", 3),
        ("$[0:1:0]", 7),
        ("$[99999999999]", 13),
        ("$[?(@.a =~ /x/)]", 8),
        ("$[?(@.a ==)]", 10),
        ("$[?('a')]", 7),
        ("$.a.unknown()", 13),
        ("$.a()", 5),
        ("$1a", 3),
    ];
    for (path, offset) in cases {
        let fault = Path::parse(path).expect_err(path);
        assert_eq!(fault.offset, offset, "{path}: {fault}");
    }
    let nested = format!("$[?({}@.a{})]", "(".repeat(500), ")".repeat(500));
    assert!(Path::parse(&nested).is_err(), "nesting is bounded");
}

#[test]
fn a_result_is_put_where_the_reference_path_says() {
    let input = json!({"a": {"b": 1}, "list": [1, 2], "text": "x"});
    let put = |path: &str, value: Value| Place::parse(path).unwrap().put(input.clone(), value);
    assert_eq!(put("$", json!(9)), Ok(json!(9)));
    assert_eq!(
        put("$.a", json!(9)),
        Ok(json!({"a": 9, "list": [1, 2], "text": "x"}))
    );
    assert_eq!(
        put("$.a.c.d", json!(9)),
        Ok(json!({"a": {"b": 1, "c": {"d": 9}}, "list": [1, 2], "text": "x"}))
    );
    assert_eq!(
        put("$['list'][1]", json!(9)),
        Ok(json!({"a": {"b": 1}, "list": [1, 9], "text": "x"}))
    );
    assert_eq!(
        put("$.list[2]", json!(9)).unwrap_err().to_string(),
        "Unable to apply Reference Path $.list[2] to input"
    );
    assert!(put("$.text.x", json!(9)).is_err());
    for refused in [
        "$.a[*]",
        "$..a",
        "$.a[0:1]",
        "$.a[0,1]",
        "$.a[?(@.b)]",
        "$$.a",
        "$x",
        "$.a.length()",
        "a",
    ] {
        assert!(Place::parse(refused).is_err(), "{refused}");
    }
}
