//! Executions that ended without success go on: what was done stays done.

use roadstead_states_language::{Dice, EVENT_LIMIT, Execution, Failure, Input, Machine, Status};
use serde_json::{Value, json};

use crate::{FUNCTION, START, about, machine, output, single};

/// An execution whose tasks a table answers: by state, and whether they fail.
struct Bench {
    machine: Machine,
    execution: Execution,
    now: i64,
    types: Vec<String>,
    called: Vec<String>,
}

impl Bench {
    fn new(definition: &Value, input: Value) -> Bench {
        let machine = machine(definition);
        let execution = Execution::new(&machine, about(input), START, None, Some(EVENT_LIMIT));
        Bench {
            machine,
            execution,
            now: START,
            types: Vec::new(),
            called: Vec::new(),
        }
    }

    /// Runs until nothing more would happen; tasks of the states in `broken` fail, or those whose input is one of them.
    fn run(&mut self, broken: &[&str]) -> Status {
        self.called.clear();
        self.types.clear();
        let mut answers: Vec<Input> = vec![Input::Proceed];
        for round in 0..10_000u128 {
            let text = serde_json::to_string(&self.execution).unwrap();
            self.execution = serde_json::from_str(&text).unwrap();
            let input = match (answers.is_empty(), self.execution.due()) {
                (false, _) => answers.remove(0),
                (true, Some(due)) => {
                    self.now = self.now.max(due);
                    Input::Proceed
                }
                (true, None) => break,
            };
            let step = self
                .execution
                .step(&self.machine, input, self.now, &Dice::new(round));
            self.types
                .extend(step.history.iter().map(|event| event.what.type_name()));
            for order in step.orders {
                let (task, input) = (order.task, order.parameters.to_string());
                let fails = broken.iter().any(|name| *name == order.state || *name == input);
                self.called.push(format!("{} {input}", order.state));
                answers.push(match fails {
                    true => Input::TaskFailed {
                        task,
                        failure: Failure::new("E", "broken"),
                    },
                    false => Input::TaskSucceeded {
                        task,
                        output: json!(format!("done {input}")),
                    },
                });
            }
        }
        self.execution.status().clone()
    }

    fn redrive(&mut self) -> Vec<String> {
        assert!(self.execution.is_redrivable());
        let step = self
            .execution
            .redrive(&self.machine, self.now, None, &Dice::new(7));
        assert_eq!((step.orders, step.cancelled), (vec![], vec![]));
        step.history.iter().map(|event| event.what.type_name()).collect()
    }
}

fn task(next: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": FUNCTION});
    state
        .as_object_mut()
        .unwrap()
        .extend(next.as_object().unwrap().clone());
    state
}

fn failed(status: &Status) -> bool {
    matches!(status, Status::Failed { failure } if failure.error == "E")
}

#[test]
fn it_goes_on_from_the_state_that_failed() {
    let definition = json!({"StartAt": "A", "States": {
        "A": task(json!({"Next": "B"})),
        "B": task(json!({"End": true, "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 1}]}))}});
    let mut bench = Bench::new(&definition, json!(1));
    assert!(failed(&bench.run(&["B"])));
    assert_eq!(bench.called, ["A 1", "B \"done 1\"", "B \"done 1\""]);
    for redrive in 1..3 {
        assert_eq!(bench.redrive(), ["ExecutionRedriven"]);
        assert!(failed(&bench.run(&["B"])));
        assert_eq!(
            bench.called,
            ["B \"done 1\"", "B \"done 1\""],
            "retries are counted anew"
        );
        assert_eq!(bench.execution.redrives(), redrive);
    }
    bench.redrive();
    assert!(matches!(bench.run(&[]), Status::Succeeded { .. }));
    assert_eq!(bench.called, ["B \"done 1\""]);
    assert_eq!(
        bench.types,
        [
            "LambdaFunctionScheduled",
            "LambdaFunctionSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ],
        "the state was entered before"
    );
    assert!(!bench.execution.is_redrivable());
}

#[test]
fn of_a_parallel_only_the_branches_that_did_not_end_run_again() {
    let branch = |name: &str| {
        json!({"StartAt": format!("{name}1"), "States": {
        format!("{name}1"): task(json!({"Next": format!("{name}2")})), format!("{name}2"): task(json!({"End": true}))}})
    };
    let definition = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true,
        "Branches": [branch("a"), branch("b"), {"StartAt": "w", "States": {"w": {"Type": "Wait", "Seconds": 1000, "End": true}}}]}}});
    let mut bench = Bench::new(&definition, json!(1));
    assert!(failed(&bench.run(&["b2"])));
    assert_eq!(bench.called.len(), 4);
    bench.redrive();
    let Status::Succeeded { output } = bench.run(&[]) else {
        panic!("{:?}", bench.execution.status());
    };
    assert_eq!(bench.called, ["b2 \"done 1\""]);
    assert_eq!(output, json!(["done \"done 1\"", "done \"done 1\"", 1]));
    assert!(!bench.types.contains(&"ParallelStateEntered".to_owned()));
}

#[test]
fn of_a_map_only_the_iterations_that_did_not_end_run_again_and_the_rest_begins() {
    for concurrency in [1, 2, 0] {
        let definition = single(
            json!({"Type": "Map", "MaxConcurrency": concurrency, "ItemProcessor": {
            "StartAt": "I", "States": {"I": task(json!({"End": true}))}}}),
        );
        let mut bench = Bench::new(&definition, json!([1, 2, 3, 4, 5]));
        assert!(failed(&bench.run(&["3"])));
        let before = bench.called.clone();
        bench.redrive();
        let Status::Succeeded { output } = bench.run(&[]) else {
            panic!("{:?}", bench.execution.status());
        };
        assert_eq!(output, json!(["done 1", "done 2", "done 3", "done 4", "done 5"]));
        assert!(before.contains(&"I 1".to_owned()) && !bench.called.contains(&"I 1".to_owned()));
        assert!(bench.called.contains(&"I 3".to_owned()));
    }
}

#[test]
fn a_map_whose_next_item_could_not_be_begun_goes_on_with_it() {
    // The third item is a text, which MathAdd does not take: the same again.
    let definition = single(json!({"Type": "Map", "MaxConcurrency": 1,
        "ItemSelector": {"n.$": "States.MathAdd($$.Map.Item.Value, 1)"}, "ItemProcessor": {
            "StartAt": "I", "States": {"I": task(json!({"End": true}))}}}));
    let mut bench = Bench::new(&definition, json!([1, 2, "x"]));
    for called in [2, 0] {
        let status = bench.run(&[]);
        assert!(
            matches!(&status, Status::Failed { failure } if failure.error == "States.IntrinsicFailure"),
            "{status:?}"
        );
        assert_eq!(bench.called.len(), called, "the first two are done");
        assert!(bench.execution.is_redrivable());
        let step = bench
            .execution
            .redrive(&bench.machine, bench.now, None, &Dice::new(7));
        assert_eq!(step.history[0].what.type_name(), "ExecutionRedriven");
    }
}

#[test]
fn what_was_caught_is_over() {
    let inner = |name: &str| json!({"StartAt": name, "States": {name: task(json!({"End": true}))}});
    let definition = json!({"StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Branches": [inner("I"), inner("J")], "Catch": [{"ErrorEquals": ["E"], "Next": "C"}], "End": true},
        "C": task(json!({"End": true}))}});
    let mut bench = Bench::new(&definition, json!(1));
    assert!(failed(&bench.run(&["I", "C"])));
    bench.redrive();
    assert!(matches!(bench.run(&["I"]), Status::Succeeded { .. }));
    assert_eq!(bench.called.len(), 1, "{:?}", bench.called);
}

#[test]
fn stopped_and_timed_out_executions_go_on_too() {
    let mut limited = single(task(json!({})));
    limited["TimeoutSeconds"] = json!(10);
    let mut bench = Bench::new(&limited, json!(1));
    let first = bench
        .execution
        .step(&bench.machine, Input::Proceed, START, &Dice::new(0));
    assert_eq!(first.orders.len(), 1);
    bench.now += 10_000;
    bench
        .execution
        .step(&bench.machine, Input::Proceed, bench.now, &Dice::new(0));
    assert_eq!(*bench.execution.status(), Status::TimedOut);
    bench.redrive();
    assert_eq!(bench.execution.due(), Some(i64::MIN));
    let again = bench
        .execution
        .step(&bench.machine, Input::Proceed, bench.now + 9_999, &Dice::new(0));
    assert_eq!(again.orders.len(), 1, "its time began anew");
    let stop = Input::Stop {
        error: None,
        cause: None,
    };
    bench
        .execution
        .step(&bench.machine, stop, bench.now, &Dice::new(0));
    bench.redrive();
    assert!(matches!(bench.run(&[]), Status::Succeeded { .. }));
    let nothing = bench
        .execution
        .redrive(&bench.machine, bench.now, None, &Dice::new(7));
    assert_eq!(nothing, Default::default(), "what succeeded is over");
}

#[test]
fn a_fail_state_is_entered_again_and_the_context_tells_of_redrives() {
    let definition = json!({"StartAt": "T", "States": {"T": task(json!({"Next": "F"})), "F": {"Type": "Fail", "Error": "E"}}});
    let mut bench = Bench::new(&definition, json!(1));
    assert!(failed(&bench.run(&[])));
    bench.redrive();
    assert!(failed(&bench.run(&[])));
    assert_eq!(
        (bench.types.as_slice(), bench.called.len()),
        (
            ["FailStateEntered".to_owned(), "ExecutionFailed".to_owned()].as_slice(),
            0
        )
    );

    let mut state = task(json!({}));
    state["Parameters"] = json!({"n.$": "$$.Execution.RedriveCount"});
    let mut bench = Bench::new(&single(state), json!(1));
    bench.run(&["S"]);
    bench.redrive();
    bench.run(&[]);
    assert_eq!(bench.called, ["S {\"n\":1}"]);
    let first = output(
        &single(json!({"Type": "Pass", "Parameters": {"n.$": "$$.Execution.RedriveCount"}})),
        json!(1),
    );
    assert_eq!(first.unwrap(), json!({"n": 0}));
}
