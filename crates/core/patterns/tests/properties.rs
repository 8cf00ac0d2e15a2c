//! A matcher of many patterns answers as each pattern by itself does, whatever comes and goes; and text is read as
//! `serde_json` reads it.

use proptest::prelude::*;
use roadstead_patterns::{Matcher, Pattern};
use serde_json::{Value, json};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..4).prop_map(Value::from),
        (-3i64..4).prop_map(|number| json!(number as f64 / 2.0)),
        "[aAb.ü]{0,3}".prop_map(Value::from),
        Just(json!("10.0.0.7")),
    ]
}

fn name() -> impl Strategy<Value = String> {
    "[pqr]"
}

fn event() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(name(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    });
    proptest::collection::btree_map(name(), value, 0..4).prop_map(|map| json!(map))
}

fn test() -> impl Strategy<Value = Value> {
    let text = "[aAb.ü]{1,2}";
    prop_oneof![
        4 => scalar(),
        1 => text.prop_map(|text| json!({"prefix": text})),
        1 => text.prop_map(|text| json!({"suffix": text})),
        1 => text.prop_map(|text| json!({"prefix": {"equals-ignore-case": text}})),
        1 => text.prop_map(|text| json!({"suffix": {"equals-ignore-case": text}})),
        1 => text.prop_map(|text| json!({"equals-ignore-case": text})),
        1 => "[ab]{0,1}\\*[ab]{0,1}".prop_map(|text| json!({"wildcard": text})),
        1 => text.prop_map(|text| json!({"anything-but": text})),
        1 => text.prop_map(|text| json!({"anything-but": {"prefix": [text]}})),
        1 => (-3i64..4).prop_map(|number| json!({"anything-but": [number, 9]})),
        1 => (-3i64..4).prop_map(|number| json!({"numeric": [">=", number, "<", number + 2]})),
        1 => (-3i64..4).prop_map(|number| json!({"numeric": ["=", number]})),
        1 => Just(json!({"cidr": "10.0.0.0/24"})),
        1 => any::<bool>().prop_map(|exists| json!({"exists": exists})),
    ]
}

fn pattern() -> impl Strategy<Value = Value> {
    let leaf = proptest::collection::vec(test(), 1..3).prop_map(Value::from);
    let field = leaf.prop_recursive(3, 16, 3, |inner| {
        let fields = proptest::collection::btree_map(name(), inner, 1..3).boxed();
        (
            fields.clone(),
            proptest::option::of(proptest::collection::vec(fields, 2..4)),
        )
            .prop_map(|(fields, or)| {
                let mut pattern = json!(fields);
                if let Some(or) = or {
                    pattern["$or"] = json!(or);
                }
                pattern
            })
    });
    (name(), field).prop_map(|(name, field)| match field {
        Value::Object(_) => field,
        leaf => json!({ name: leaf }),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn many_at_once_are_as_each_alone(
        patterns in proptest::collection::vec(pattern(), 1..24),
        gone in proptest::collection::vec(0usize..24, 0..12),
        events in proptest::collection::vec(event(), 1..12),
    ) {
        let mut matcher = Matcher::default();
        let parsed: Vec<Pattern> = patterns
            .iter()
            .map(|pattern| pattern.to_string().parse().unwrap_or_else(|fault| panic!("{pattern}: {fault}")))
            .collect();
        for (index, pattern) in parsed.iter().enumerate() {
            matcher.insert(index, pattern.clone());
        }
        for index in &gone {
            matcher.remove(index);
        }
        for index in gone.iter().filter(|index| index.is_multiple_of(2) && **index < parsed.len()) {
            matcher.insert(*index, parsed[*index].clone());
        }
        for event in &events {
            let mut found: Vec<usize> = matcher.matching(event).into_iter().copied().collect();
            found.sort_unstable();
            let there = |index: &usize| !gone.contains(index) || index.is_multiple_of(2);
            let wanted: Vec<usize> = (0..parsed.len())
                .filter(there)
                .filter(|index| parsed[*index].matches(event))
                .collect();
            prop_assert_eq!(found, wanted, "{}", event);
        }
    }

    #[test]
    fn whatever_is_written_is_understood_or_refused_within_it(text in "[\\[\\]{}\":,a0\\\\.\n ü-]{0,24}") {
        match text.parse::<Pattern>() {
            Ok(_) => prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{} is not JSON", text),
            Err(fault) => {
                prop_assert!((1..=text.matches('\n').count() + 1).contains(&fault.line));
                prop_assert!((1..=text.chars().count() + 1).contains(&fault.column));
            }
        }
    }

    #[test]
    fn what_serde_reads_is_read(value in event()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).expect("text")] {
            // Events are no patterns, but are refused for what they say, never for how it is written.
            if let Err(fault) = text.parse::<Pattern>() {
                prop_assert!(!fault.reason.starts_with("Expected") && !fault.reason.contains("JSON"), "{}: {}", text, fault);
            }
        }
    }
}
