//! What holds of any text and of any expression.

use proptest::prelude::*;
use roadstead_metric_math::search::{Metric, Search};
use roadstead_metric_math::{Expression, Function, Kind, Label, Node, Operator, Series, Timezone, Value};

use crate::bench::{run, series, values};

fn node(kind: Kind) -> Node {
    Node { column: 0, kind }
}

/// Expressions whose form is right, whatever they mean.
fn expression() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        (0u32..10_000).prop_map(|number| Kind::Number(f64::from(number) / 8.0)),
        "m[1-4]".prop_map(Kind::Name),
        "[a-z][a-zA-Z0-9_]{0,5}".prop_map(Kind::Name),
        Just(Kind::Call(Function::Metrics, Vec::new())),
        "[a-z'\" ]{0,6}".prop_map(|text| Kind::Call(Function::Metrics, vec![node(Kind::Text(text))])),
    ];
    leaf.prop_map(node).prop_recursive(5, 40, 3, |inner| {
        let one = prop::sample::select(vec![
            Function::Abs,
            Function::Avg,
            Function::Diff,
            Function::Hour,
            Function::RemoveEmpty,
            Function::Sum,
            Function::TimeSeries,
        ]);
        let word = |word: &str| node(Kind::Word(word.to_owned()));
        prop_oneof![
            inner.clone().prop_map(|inner| Kind::Negative(Box::new(inner))),
            (prop::sample::select(Operator::ALL), inner.clone(), inner.clone())
                .prop_map(|(operator, left, right)| Kind::Binary(operator, Box::new(left), Box::new(right))),
            (one, inner.clone()).prop_map(|(function, inner)| Kind::Call(function, vec![inner])),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Kind::Array),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| Kind::Call(Function::If, vec![a, b, c])),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Kind::Call(Function::Fill, vec![a, b])),
            inner
                .clone()
                .prop_map(move |a| Kind::Call(Function::Fill, vec![a, word("LINEAR")])),
            inner.prop_map(move |a| Kind::Call(Function::Sort, vec![a, word("MAX"), word("DESC")])),
        ]
        .prop_map(node)
    })
}

fn sparse() -> impl Strategy<Value = Vec<Option<f64>>> {
    prop::collection::vec(prop::option::of(-1e6..1e6f64), 8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_text_breaks_anything(text in any::<String>(), signs in "[mABSUMETRICSFILNDOR0-9.,()\\[\\]+*/^<>=!&|'\" {}\\\\-]{0,60}") {
        for text in [text, signs] {
            let metrics = [series(&[Some(1.0), None]), series(&[])];
            let length = text.chars().count();
            if let Err(fault) = run(&text, &metrics, 2) {
                prop_assert!((1..=length + 1).contains(&fault.column), "{text:?}: {fault}");
            }
            if let Err(fault) = text.parse::<Search>() {
                prop_assert!((1..=length + 1).contains(&fault.column), "{text:?}: {fault}");
            }
            if let Ok(search) = text.parse::<Search>() {
                search.finds(&Metric { namespace: "AWS/EC2", name: &text, dimensions: &[] });
            }
            if let Ok(label) = text.parse::<Label>() {
                label.render("default", &[(0, 1.0)], 0, Timezone::default(), |_| None);
            }
            let _ = text.parse::<Timezone>();
        }
    }

    #[test]
    fn what_is_written_reads_as_it_was(root in expression()) {
        let text = root.to_string();
        let read: Expression = text.parse().map_err(|fault| TestCaseError::fail(format!("{text}: {fault}")))?;
        prop_assert_eq!(&read.root, &root, "{}", text);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn evaluating_keeps_order_and_numbers_finite_and_types_without_data(root in expression(), a in sparse(), b in sparse()) {
        let text = root.to_string();
        let metrics = [series(&a), series(&b), series(&a), series(&[])];
        let found = run(&text, &metrics, 8);
        let none = vec![Series::default(); 4];
        let bare = run(&text, &none, 0);
        prop_assert_eq!(found.as_ref().map(Value::kind), bare.as_ref().map(Value::kind), "{}", &text);
        let all = match found {
            Ok(Value::Series(series)) => vec![series],
            Ok(Value::Array(array)) => array,
            _ => Vec::new(),
        };
        for series in all {
            prop_assert!(series.points.windows(2).all(|pair| pair[0].0 < pair[1].0), "{text}");
            prop_assert!(series.points.iter().all(|(_, value)| value.is_finite()), "{text}");
        }
    }

    #[test]
    fn precedence_is_that_of_the_written_parentheses(a in 1..9i32, b in 1..9i32, c in 1..4i32) {
        let value = |text: String| match run(&format!("TIME_SERIES({text})"), &[], 1) {
            Ok(Value::Series(series)) => series.at(crate::bench::FIRST),
            _ => None,
        };
        for (plain, written) in [
            (format!("{a} + {b} * {c}"), format!("{a} + ({b} * {c})")),
            (format!("{a} - {b} - {c}"), format!("({a} - {b}) - {c}")),
            (format!("{a} / {b} * {c}"), format!("({a} / {b}) * {c}")),
            (format!("-{a} ^ {c}"), format!("-({a} ^ {c})")),
            (format!("{a} ^ {b} ^ {c}"), format!("{a} ^ ({b} ^ {c})")),
            (format!("-{a} * {b}"), format!("(-{a}) * {b}")),
            (format!("{a} + {b} > {c}"), format!("({a} + {b}) > {c}")),
            (format!("{a} > {b} AND {b} > {c}"), format!("({a} > {b}) AND ({b} > {c})")),
            (format!("{a} > 4 OR {b} > 4 AND {c} > 2"), format!("({a} > 4) OR (({b} > 4) AND ({c} > 2))")),
        ] {
            prop_assert_eq!(value(plain.clone()), value(written), "{}", plain);
        }
    }

    #[test]
    fn filling_keeps_what_there_is_and_leaves_no_gap_it_can_fill(points in sparse(), filler in -10.0..10.0f64) {
        let filled = |with: &str| match run(&format!("FILL(m1, {with})"), &[series(&points)], 8) {
            Ok(Value::Series(series)) => values(&series, 8),
            other => panic!("{other:?}"),
        };
        let by_number: Vec<_> = points.iter().map(|point| point.or(Some(filler))).collect();
        prop_assert_eq!(filled(&filler.to_string()), by_number);
        let mut last = None;
        let repeated: Vec<_> = points.iter().map(|point| { last = point.or(last); last }).collect();
        prop_assert_eq!(filled("REPEAT"), repeated);
        let linear = filled("LINEAR");
        let first = points.iter().position(Option::is_some);
        let end = points.iter().rposition(Option::is_some);
        for (slot, value) in linear.iter().enumerate() {
            let inside = first.is_some_and(|first| first <= slot) && end.is_some_and(|end| slot <= end);
            prop_assert_eq!(value.is_some(), inside);
            if points[slot].is_some() {
                prop_assert_eq!(*value, points[slot]);
            }
        }
    }
}
