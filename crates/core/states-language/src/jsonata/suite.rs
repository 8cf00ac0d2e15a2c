//! JSONata's own test suite (`tests/jsonata`), so that what expressions of states give is what JSONata says: with the
//! functions that they have, within the bounds that they have.

use jlens_core::{Bindings, Expression};
use serde_json::{Map, Value};

use super::{Jsonata, functions, run};
use crate::Dice;
use crate::budget::Budget;
use crate::diagnostic::Code;
use crate::path::Variables;

const NOW: i64 = 1_700_000_000_000;

/// Cases that come out otherwise: what they come to here, and why.
const DIFFERENT: [(&str, &str, &str); 16] = [
    ("function-eval/case000", "T1006", EVAL),
    ("function-eval/case001", "T1006", EVAL),
    ("function-eval/case002", "T1006", EVAL),
    ("function-eval/case003", "T1006", EVAL),
    ("function-eval/case004", "T1006", EVAL),
    ("function-eval/case005", "T1006", EVAL),
    ("function-eval/case006", "T1006", EVAL),
    ("function-eval/case007", "T1006", EVAL),
    ("function-string/case002", "\"1e+100\"", COPY),
    ("function-string/case007", "\"1e+21\"", COPY),
    (
        "function-string/case019",
        "D1001",
        "what is no number any more is told of where it comes about",
    ),
    ("range-operator/case021", "U1001", ITEMS),
    ("range-operator/case024", "U1001", ITEMS),
    ("tail-recursion/case002", "9.33262154439441e+157", DEPTH),
    ("tail-recursion/case005", "D1011", DEPTH),
    ("tail-recursion/case006", "U1003", DEPTH),
];
const EVAL: &str = "the service has no $eval";
const COPY: &str = "jsonata-js expects what is given here; the copy was changed";
const ITEMS: &str = "an array has at most 262144 items";
const DEPTH: &str =
    "the case sets a depth of its own; expressions of states have 1000 calls and 1000000 steps";

struct Case<'a> {
    name: String,
    text: &'a str,
    input: Option<&'a Value>,
    members: &'a Map<String, Value>,
}

fn read(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("the file is JSON")
}

fn each(mut check: impl FnMut(Case<'_>)) -> usize {
    let groups = read(include_str!("../../tests/jsonata/cases.json"));
    let datasets = read(include_str!("../../tests/jsonata/datasets.json"));
    let mut count = 0;
    for (group, cases) in &groups {
        for (name, case) in cases.as_object().expect("a group is an object") {
            let members = case.as_object().expect("a case is an object");
            let dataset = members.get("dataset").and_then(Value::as_str);
            check(Case {
                name: format!("{group}/{name}"),
                text: members["expr"].as_str().expect("an expression is a text"),
                input: members.get("data").or_else(|| datasets.get(dataset?)),
                members,
            });
            count += 1;
        }
    }
    count
}

/// What came of a case, as the table of differences has it.
fn shown(got: &jlens_core::Result<Option<Value>>) -> String {
    match got {
        Ok(None) => "nothing".to_owned(),
        Ok(Some(value)) => value.to_string(),
        Err(fault) => fault.code().to_owned(),
    }
}

fn sorted(value: &Value) -> Vec<String> {
    let mut items: Vec<String> = value
        .as_array()
        .into_iter()
        .flatten()
        .map(Value::to_string)
        .collect();
    items.sort();
    items
}

/// As `^[0-9a-f]{8}-…$` and `^\d{4}-…` of the suite are meant: the only two patterns in it.
fn looks_like(pattern: &str, text: &str) -> bool {
    let expression = format!("$contains($text, /{}/)", pattern.replace('/', "\\/"));
    let expression = Expression::compile(&expression).expect("the pattern is one");
    let bindings = Bindings::new().var("text", text);
    let matched = run(
        &expression,
        None,
        &bindings,
        &Dice::new(0),
        NOW,
        &Budget::default(),
    );
    matched.is_ok_and(|matched| matched == Some(Value::Bool(true)))
}

impl Case<'_> {
    fn code(&self) -> Option<&str> {
        let error = self.members.get("error").and_then(|error| error.get("code"));
        self.members.get("code").or(error).and_then(Value::as_str)
    }

    fn bindings(&self) -> Bindings {
        let own = self.members.get("bindings").and_then(Value::as_object);
        own.into_iter()
            .flatten()
            .fold(functions::bindings(&Dice::new(0)), |bindings, (name, value)| {
                bindings.var(name.as_str(), value.clone())
            })
    }

    fn accepts(&self, got: &jlens_core::Result<Option<Value>>) -> bool {
        let result = self.members.get("result");
        let pattern = self.members.get("result_re").and_then(Value::as_str);
        match got {
            Ok(None) => self.members.contains_key("undefinedResult"),
            Ok(Some(value)) if self.members.contains_key("unordered") => {
                result.is_some_and(|result| sorted(result) == sorted(value))
            }
            Ok(Some(Value::String(text))) if pattern.is_some_and(|pattern| looks_like(pattern, text)) => true,
            Ok(Some(value)) => result == Some(value),
            Err(fault) => self.code() == Some(fault.code()),
        }
    }
}

#[test]
fn what_jsonata_gives_is_given() {
    let mut unexpected = Vec::new();
    let count = each(|case| {
        let got = Expression::compile(case.text).and_then(|expression| {
            run(
                &expression,
                case.input,
                &case.bindings(),
                &Dice::new(0),
                NOW,
                &Budget::default(),
            )
        });
        let different = DIFFERENT.iter().find(|(name, _, _)| *name == case.name);
        let expected = match different {
            Some((_, comes_to, _)) => shown(&got) == *comes_to && !case.accepts(&got),
            None => case.accepts(&got),
        };
        if !expected {
            let case_text = Value::Object(case.members.clone());
            unexpected.push(format!("{}: {} of {case_text}", case.name, shown(&got)));
        }
    });
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    assert_eq!(count, 1600, "no case is lost");
}

/// A case without input is one that a state may have. It is refused for what it refers to, or gives what JSONata does.
#[test]
fn without_an_input_states_give_the_same_or_refuse() {
    let mut taken = 0;
    let nothing = Variables::default();
    each(|case| {
        let fault_of_text = case.code().is_some_and(|code| code.starts_with('S'));
        let query = match Jsonata::parse(case.text) {
            Ok(query) => query,
            Err(fault) if fault.code == Code::InvalidJsonataExpression => {
                return assert!(fault_of_text, "{}: {}", case.name, fault.message);
            }
            Err(_) => return,
        };
        assert!(!fault_of_text, "{}: {}", case.name, case.text);
        let plain = case.input.is_none() && !case.members.contains_key("bindings");
        if !plain || DIFFERENT.iter().any(|(name, _, _)| *name == case.name) {
            return;
        }
        let states = Value::Null;
        let given = query.evaluate(&states, &nothing, &Dice::new(0), NOW, "Output");
        let right = match &given {
            Ok(value) => case.accepts(&Ok(Some(value.clone()))),
            Err(failure) if failure.cause.ends_with("returned nothing (undefined).") => {
                case.accepts(&Ok(None))
            }
            Err(failure) => case.code().is_some_and(|code| failure.cause.contains(code)),
        };
        assert!(right, "{}: {given:?}", case.name);
        taken += 1;
    });
    assert!(taken > 400, "{taken}");
}
