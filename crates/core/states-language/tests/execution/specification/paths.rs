//! "Paths" and "Reference Paths".

use roadstead_states_language::{Path, Place, Variables, View};
use serde_json::{Value, json};

fn find(path: &str, input: &Value) -> Option<Value> {
    let context = json!({"DayOfWeek": "TUESDAY"});
    let view = View {
        input,
        context: &context,
        variables: Variables::default(),
    };
    Path::parse(path)
        .unwrap_or_else(|fault| panic!("{path}: {fault}"))
        .find(&view)
}

#[test]
fn reference_paths_give_what_they_name() {
    let input = json!({"foo": 123, "bar": ["a", "b", "c"], "car": {"cdr": true}});
    for (path, expected) in [
        ("$.foo", json!(123)),
        ("$.bar", json!(["a", "b", "c"])),
        ("$.car.cdr", json!(true)),
    ] {
        assert_eq!(find(path, &input), Some(expected), "{path}");
        assert!(Path::parse(path).unwrap().is_reference());
    }
    assert_eq!(find("$$.DayOfWeek", &input), Some(json!("TUESDAY")));
    assert_eq!(find("$.a[0,1]", &json!({"a": [1, 2, 3, 4]})), Some(json!([1, 2])));
}

/// The examples of acceptable syntax, each with a place that it leads to.
#[test]
fn a_backslash_takes_the_meaning_from_what_follows() {
    let places = [
        (r"$.store.book", json!({"store": {"book": 1}})),
        (r"$.store\.book", json!({"store.book": 1})),
        (r"$.\stor\e.boo\k", json!({"store": {"book": 1}})),
        (r"$.store.book.title", json!({"store": {"book": {"title": 1}}})),
        (r"$.foo.\.bar", json!({"foo": {".bar": 1}})),
        (
            r"$.foo\@bar.baz\[\[.\?pretty",
            json!({"foo@bar": {"baz[[": {"?pretty": 1}}}),
        ),
        ("$.&Ж中.\u{10346}", json!({"&Ж中": {"\u{10346}": 1}})),
        (
            r"$.ledgers.branch[0].pending.count",
            json!({"ledgers": {"branch": [{"pending": {"count": 1}}]}}),
        ),
        (r"$.ledgers.branch[0]", json!({"ledgers": {"branch": [1]}})),
        (r"$['store']['book']", json!({"store": {"book": 1}})),
        (r"$['store'][0]['book']", json!({"store": [{"book": 1}]})),
    ];
    for (text, input) in places {
        assert_eq!(find(text, &input), Some(json!(1)), "{text}");
        let put = Place::parse(text)
            .unwrap_or_else(|fault| panic!("{text}: {fault}"))
            .put(input.clone(), json!(1));
        assert_eq!(put, Ok(input), "{text}");
    }
    assert!(Place::parse("$.ledgers[0][22][315].foo").is_ok());
    assert_eq!(Path::parse("$.a\\").unwrap_err().offset, 4, "nothing follows");
    // Within a filter an operator ends a name.
    let list = json!({"l": [{"a&b": 1, "a": 2}]});
    assert_eq!(find("$.l[?(@.a==2&&@.a\\&b==1)]", &list), Some(list["l"].clone()));
}

#[test]
fn what_may_name_several_places_is_no_reference_path() {
    for text in ["$.a[?(@.b)]", "$.a[0,1]", "$.a[0:1]", "$.a[*]", "$..a", "$.*"] {
        assert!(Place::parse(text).is_err(), "{text}");
        assert!(!Path::parse(text).unwrap().is_reference(), "{text}");
    }
    for text in ["$.a@b", "$.a,b", "$.a:b", "$.a?b"] {
        assert!(Path::parse(text).is_err(), "{text}");
    }
}
