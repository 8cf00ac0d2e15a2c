//! The events that an execution tells, their order and what leads to what.

use roadstead_states_language::{Dice, Execution, Failure, History, Input, names};
use serde_json::json;

use crate::{FUNCTION, START, about, machine, run, single};

#[test]
fn a_task_is_scheduled_started_and_done() {
    let machine = machine(&single(json!({"Type": "Task", "Resource": FUNCTION})));
    let mut execution = Execution::new(&machine, about(json!({"a": 1})), START, None, None);
    let mut history = Vec::new();
    let step = execution.step(&machine, Input::Proceed, START, &Dice::new(0));
    let task = step.orders[0].task;
    history.extend(step.history);
    for input in [
        Input::TaskStarted { task, worker: None },
        Input::TaskSucceeded {
            task,
            output: json!(5),
        },
    ] {
        history.extend(execution.step(&machine, input, START + 1, &Dice::new(0)).history);
    }
    let types: Vec<String> = history.iter().map(|event| event.what.type_name()).collect();
    assert_eq!(
        types,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "LambdaFunctionScheduled",
            "LambdaFunctionStarted",
            "LambdaFunctionSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
    let previous: Vec<u64> = history.iter().map(|event| event.previous).collect();
    // As published histories have it: nothing leads to the first state.
    assert_eq!(previous, [0, 0, 2, 3, 4, 5, 6]);
    assert_eq!(
        history[0].what,
        History::ExecutionStarted {
            input: json!({"a": 1})
        }
    );
    assert_eq!(history[6].what, History::ExecutionSucceeded { output: json!(5) });
    assert_eq!((history[2].at, history[3].at), (START, START + 1));
}

#[test]
fn integrations_and_activities_have_names_of_their_own() {
    for (resource, types) in [
        (
            "arn:aws:states:::ecs:runTask.sync",
            ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskFailed"],
        ),
        (
            "arn:aws:states:us-east-1:123456789012:activity:A",
            [
                "ActivityScheduled",
                "ActivityStarted",
                "ActivitySubmitted",
                "ActivityFailed",
            ],
        ),
    ] {
        let machine = machine(&single(json!({"Type": "Task", "Resource": resource})));
        let mut execution = Execution::new(&machine, about(json!({})), START, None, None);
        let mut told = execution.step(&machine, Input::Proceed, START, &Dice::new(0));
        let task = told.orders[0].task;
        for input in [
            Input::TaskStarted { task, worker: None },
            Input::TaskSubmitted {
                task,
                output: json!({"Tasks": []}),
            },
            Input::TaskFailed {
                task,
                failure: Failure::new("E", "C"),
            },
        ] {
            told.history
                .extend(execution.step(&machine, input, START, &Dice::new(0)).history);
        }
        let found: Vec<String> = told.history[2..6]
            .iter()
            .map(|event| event.what.type_name())
            .collect();
        assert_eq!(found, types);
        assert_eq!(
            told.history[6].what,
            History::ExecutionFailed {
                failure: Failure::new("E", "C")
            }
        );
    }
}

#[test]
fn branches_follow_from_the_start_of_the_whole() {
    let definition = single(json!({"Type": "Parallel", "Branches": [
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}},
        {"StartAt": "B", "States": {"B": {"Type": "Wait", "Seconds": 1, "End": true}}}]}));
    let ran = run(&definition, json!({}), &mut |_, _| None);
    let told: Vec<(String, u64)> = ran
        .history
        .iter()
        .map(|event| (event.what.type_name(), event.previous))
        .collect();
    let expected = [
        ("ExecutionStarted", 0),
        ("ParallelStateEntered", 0),
        ("ParallelStateStarted", 2),
        ("PassStateEntered", 3),
        ("PassStateExited", 4),
        ("WaitStateEntered", 3),
        ("WaitStateExited", 6),
        ("ParallelStateSucceeded", 7),
        ("ParallelStateExited", 8),
        ("ExecutionSucceeded", 9),
    ];
    assert_eq!(told, expected.map(|(name, previous)| (name.to_owned(), previous)));
}

#[test]
fn iterations_are_told_by_name_and_index() {
    let definition = single(
        json!({"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}}),
    );
    let ran = run(&definition, json!([7, 8]), &mut |_, _| None);
    assert_eq!(
        ran.types(),
        [
            "ExecutionStarted",
            "MapStateEntered",
            "MapStateStarted",
            "MapIterationStarted",
            "PassStateEntered",
            "PassStateExited",
            "MapIterationSucceeded",
            "MapIterationStarted",
            "PassStateEntered",
            "PassStateExited",
            "MapIterationSucceeded",
            "MapStateSucceeded",
            "MapStateExited",
            "ExecutionSucceeded",
        ]
    );
    assert_eq!(
        ran.history[2].what,
        History::StateStarted {
            kind: "Map".to_owned(),
            length: Some(2)
        }
    );
    assert_eq!(
        ran.history[7].what,
        History::IterationStarted {
            name: "S".to_owned(),
            index: 1
        }
    );
}

#[test]
fn a_failed_branch_stops_the_others() {
    let definition = single(json!({"Type": "Parallel", "Branches": [
        {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 9, "End": true}}},
        {"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": FUNCTION, "End": true}}},
        {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "Next": "C"}, "C": {"Type": "Fail", "Error": "E"}}}]}));
    let ran = run(&definition, json!({}), &mut |_, _| None);
    assert_eq!(
        ran.types()[3..],
        [
            "WaitStateEntered",
            "TaskStateEntered",
            "LambdaFunctionScheduled",
            "WaitStateEntered",
            "WaitStateExited",
            "FailStateEntered",
            "WaitStateAborted",
            "TaskStateAborted",
            "ParallelStateFailed",
            "ExecutionFailed",
        ]
    );
    assert_eq!(ran.took, 1_000);
}

#[test]
fn a_retry_schedules_again_without_entering() {
    let mut fails = 1;
    let definition =
        single(json!({"Type": "Task", "Resource": FUNCTION, "Retry": [{"ErrorEquals": [names::ALL]}]}));
    let ran = run(&definition, json!({}), &mut |_, _| {
        fails -= 1;
        Some(if fails == 0 {
            Err(Failure::new("E", ""))
        } else {
            Ok(json!(1))
        })
    });
    assert_eq!(
        ran.types(),
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "LambdaFunctionScheduled",
            "LambdaFunctionFailed",
            "LambdaFunctionScheduled",
            "LambdaFunctionSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded",
        ]
    );
}

#[test]
fn a_task_that_is_stopped_in_the_same_step_is_not_ordered() {
    let definition = single(json!({"Type": "Parallel", "Branches": [
        {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": FUNCTION, "End": true}}},
        {"StartAt": "B", "States": {"B": {"Type": "Fail", "Error": "E"}}}]}));
    let machine = machine(&definition);
    let mut execution = Execution::new(&machine, about(json!({})), START, None, None);
    let step = execution.step(&machine, Input::Proceed, START, &Dice::new(0));
    assert_eq!((step.orders, step.cancelled.len()), (Vec::new(), 1));
}
