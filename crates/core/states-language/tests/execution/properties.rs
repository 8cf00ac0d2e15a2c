//! What holds of every execution: the order in which tasks come back changes nothing, storing it between steps changes
//! nothing, and what validation accepts neither panics nor runs without end.

use proptest::prelude::*;
use roadstead_states_language::{Dice, Execution, Failure, Input, Machine, Status};
use serde_json::{Value, json};

use crate::{FUNCTION, START, about, machine};

/// A state of random shape named by `name`, leading to `next`.
fn state(name: String, depth: u32) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(json!({"Type": "Pass"})),
        Just(json!({"Type": "Pass", "Parameters": {"x.$": "$.a"}, "ResultPath": "$.p"})),
        Just(json!({"Type": "Pass", "OutputPath": "$.a"})),
        Just(
            json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"a": "{% $states.input.a %}", "list": [1, 2]}, "Assign": {(format!("v{name}")): 1}})
        ),
        (0u64..5).prop_map(|seconds| json!({"Type": "Wait", "Seconds": seconds})),
        Just(
            json!({"Type": "Task", "Resource": FUNCTION, "ResultPath": "$.t", "TimeoutSeconds": 50,
            "Retry": [{"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1, "JitterStrategy": "FULL"}]})
        ),
        Just(
            json!({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:listClusters", "HeartbeatSeconds": 5})
        ),
        Just(json!({"Type": "Succeed"})),
        Just(json!({"Type": "Fail", "ErrorPath": "$.a"})),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let branches = proptest::collection::vec(Just(()), 1..4).prop_flat_map({
        let name = name.clone();
        move |branches| {
            let flows: Vec<_> = (0..branches.len())
                .map(|index| flow(format!("{name}b{index}"), depth - 1))
                .collect();
            flows.prop_map(|flows| json!({"Type": "Parallel", "Branches": flows, "ResultPath": "$.r"}))
        }
    });
    let map = (flow(format!("{name}m"), depth - 1), 0u64..3)
        .prop_map(|(flow, max)| json!({"Type": "Map", "ItemsPath": "$.list", "MaxConcurrency": max, "ItemProcessor": flow, "ResultPath": "$.m"}));
    prop_oneof![3 => leaf, 1 => branches, 1 => map].boxed()
}

fn flow(name: String, depth: u32) -> BoxedStrategy<Value> {
    let states: Vec<_> = (0..3)
        .map(|index| state(format!("{name}{index}"), depth))
        .collect();
    (states, any::<bool>())
        .prop_map(move |(states, caught)| {
            let mut flow = json!({"StartAt": format!("{name}0"), "States": {}});
            for (index, mut state) in states.into_iter().enumerate() {
                let next = format!("{name}{}", index + 1);
                let kind = state["Type"].as_str().unwrap_or_default().to_owned();
                if caught && matches!(kind.as_str(), "Task" | "Parallel" | "Map") {
                    state["Catch"] = json!([{"ErrorEquals": ["States.ALL"], "Next": format!("{name}2"), "ResultPath": "$.e"}]);
                }
                if matches!(kind.as_str(), "Succeed" | "Fail") {
                    flow["States"][format!("{name}{index}")] = state;
                    // What follows would not be reached.
                    break;
                }
                if index == 2 {
                    state["End"] = json!(true);
                } else {
                    state["Next"] = json!(next);
                }
                flow["States"][format!("{name}{index}")] = state;
            }
            flow
        })
        .boxed()
}

fn input() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"a": {"a": "x"}, "list": [1, {"a": 2}, "z"]})),
        Just(json!({"a": "x", "list": []})),
        Just(json!({"list": 5})),
        Just(json!([1])),
        Just(Value::Null),
    ]
}

/// Runs with tasks that come back in the order that `picks` says; stored and read again at every step if `store`.
fn execute(machine: &Machine, input: Value, picks: &[u8], fails: bool, store: bool) -> (Execution, usize) {
    let mut now = START;
    let mut execution = Execution::new(machine, about(input), now, None, Some(500));
    let (mut waiting, mut events) = (Vec::new(), 0);
    let mut next = Input::Proceed;
    for round in 0..5_000usize {
        if store {
            let text = serde_json::to_string(&execution).unwrap();
            execution = serde_json::from_str(&text).unwrap();
        }
        let step = execution.step(machine, next, now, &Dice::new(round as u128));
        events += step.history.len();
        waiting.retain(|(task, _): &(u64, Value)| !step.cancelled.contains(task));
        waiting.extend(
            step.orders
                .into_iter()
                .map(|order| (order.task, order.parameters)),
        );
        next = match execution.due() {
            _ if !waiting.is_empty() => {
                let pick = usize::from(picks[round % picks.len()]) % waiting.len();
                let (task, parameters) = waiting.remove(pick);
                // A task comes to the same end whenever it is called with the same.
                match fails && parameters.to_string().len() % 3 == 0 {
                    true => Input::TaskFailed {
                        task,
                        failure: Failure::new("E", "c"),
                    },
                    false => Input::TaskSucceeded {
                        task,
                        output: json!({"list": [1, 2]}),
                    },
                }
            }
            Some(due) => {
                now = now.max(due);
                Input::Proceed
            }
            None => return (execution, events),
        };
    }
    panic!("it does not end: {execution:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn valid_definitions_come_to_an_end(flow in flow("s".to_owned(), 2), input in input(), picks in proptest::collection::vec(any::<u8>(), 1..9), fails: bool) {
        let (machine, _) = Machine::parse(&flow.to_string());
        prop_assume!(machine.is_some());
        let (execution, events) = execute(&machine.unwrap(), input, &picks, fails, false);
        prop_assert!(execution.status() != &Status::Running);
        prop_assert!(events <= 500);
        prop_assert_eq!(execution.tasks().count(), 0);
    }

    #[test]
    fn storing_between_steps_changes_nothing(flow in flow("s".to_owned(), 2), input in input(), picks in proptest::collection::vec(any::<u8>(), 1..9), fails: bool) {
        let (machine, _) = Machine::parse(&flow.to_string());
        prop_assume!(machine.is_some());
        let machine = machine.unwrap();
        let kept = execute(&machine, input.clone(), &picks, fails, false);
        let stored = execute(&machine, input, &picks, fails, true);
        prop_assert_eq!(kept, stored);
    }

    #[test]
    fn the_order_in_which_tasks_come_back_changes_nothing(picks in proptest::collection::vec(any::<u8>(), 1..40), items in 0usize..12, max in 0u64..5) {
        let definition = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
            {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.list", "MaxConcurrency": max, "End": true, "ItemSelector": {"v.$": "$$.Map.Item.Value"},
                "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Task", "Resource": FUNCTION, "ResultPath": "$.r", "Next": "J"}, "J": {"Type": "Task", "Resource": FUNCTION, "ResultPath": "$.s", "End": true}}}}}},
            {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": FUNCTION, "ResultSelector": {"l.$": "$.list"}, "End": true}}}]}}});
        let list: Vec<usize> = (0..items).collect();
        let machine = machine(&definition);
        let (any, _) = execute(&machine, json!({"list": list}), &picks, false, false);
        let (first, _) = execute(&machine, json!({"list": list}), &[0], false, false);
        prop_assert_eq!(any.status(), first.status());
        let succeeded = matches!(any.status(), Status::Succeeded { .. });
        prop_assert!(succeeded);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,60}") {
        let _ = Machine::parse(&text);
        let _ = roadstead_states_language::Path::parse(&text);
        let _ = roadstead_states_language::Path::parse(&format!("$[?(@.{text})]"));
        let _ = roadstead_states_language::Intrinsic::parse(&format!("States.Format({text}"));
        let _ = roadstead_states_language::Jsonata::parse(&text);
    }
}
