//! Tasks of activities: nothing of them is counted before a worker has them.

use roadstead_states_language::{Dice, Execution, Failure, Input, Order, Status, names};
use serde_json::{Value, json};

use crate::{START, about, machine, single};

const ACTIVITY: &str = "arn:aws:states:us-east-1:123456789012:activity:A";
const DAY: i64 = 86_400_000;

/// An execution that has scheduled its only task.
fn scheduled(more: Value) -> (roadstead_states_language::Machine, Execution, Order) {
    let mut state = json!({"Type": "Task", "Resource": ACTIVITY});
    state
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let machine = machine(&single(state));
    let mut execution = Execution::new(&machine, about(json!({"a": 1})), START, None, None);
    let mut step = execution.step(&machine, Input::Proceed, START, &Dice::new(0));
    (machine, execution, step.orders.remove(0))
}

fn error(execution: &Execution) -> Option<&str> {
    match execution.status() {
        Status::Failed {
            failure: Failure { error, .. },
        } => Some(error),
        _ => None,
    }
}

#[test]
fn an_order_has_the_token_and_the_input_of_the_task() {
    let (_, _, order) = scheduled(json!({"Parameters": {"b.$": "$.a"}}));
    assert_eq!(order.parameters, json!({"b": 1}));
    assert_eq!(order.given, START);
    let token: roadstead_states_language::TaskToken = order.token.unwrap().parse().unwrap();
    assert_eq!((token.task, token.machine.as_str()), (order.task, "M"));
    // What the worker is told is not what the definition sees.
    let asks = json!({"Type": "Task", "Resource": ACTIVITY, "Parameters": {"token.$": "$$.Task.Token"}});
    let asking = crate::machine(&single(asks));
    let mut execution = Execution::new(&asking, about(json!({})), START, None, None);
    execution.step(&asking, Input::Proceed, START, &Dice::new(0));
    assert_eq!(error(&execution), Some(names::RUNTIME));
}

#[test]
fn its_clocks_begin_when_a_worker_has_it() {
    // Milliseconds after the worker took it, heartbeats at those, and the error then.
    let cases: [(Value, i64, &[i64], Option<&str>); 7] = [
        (json!({}), 300 * DAY, &[], None),
        (json!({"TimeoutSeconds": 60}), 59_999, &[], None),
        (json!({"TimeoutSeconds": 60}), 60_000, &[], Some(names::TIMEOUT)),
        (
            json!({"TimeoutSeconds": 60}),
            60_000,
            &[59_000],
            Some(names::TIMEOUT),
        ),
        (
            json!({"HeartbeatSeconds": 20}),
            20_000,
            &[],
            Some(names::HEARTBEAT_TIMEOUT),
        ),
        (json!({"HeartbeatSeconds": 20}), 58_999, &[19_999, 39_000], None),
        (
            json!({"HeartbeatSeconds": 20}),
            59_000,
            &[19_999, 39_000],
            Some(names::HEARTBEAT_TIMEOUT),
        ),
    ];
    for (more, later, heartbeats, expected) in cases {
        let (machine, mut execution, order) = scheduled(more.clone());
        let task = order.task;
        assert_eq!(execution.due(), None, "nobody has it: {more}");
        let begun = START + 2 * DAY;
        execution.step(&machine, Input::Proceed, begun, &Dice::new(0));
        assert!(execution.awaits(task, begun), "{more}");
        let worker = Some("w".to_owned());
        execution.step(
            &machine,
            Input::TaskStarted { task, worker },
            begun,
            &Dice::new(0),
        );
        for at in heartbeats {
            execution.step(&machine, Input::Heartbeat { task }, begun + at, &Dice::new(0));
        }
        execution.step(&machine, Input::Proceed, begun + later, &Dice::new(0));
        assert_eq!(error(&execution), expected, "{more} after {later}");
    }
}

#[test]
fn one_that_cannot_be_scheduled_fails_as_its_error_says() {
    for (name, caught) in [("Odd", true), (names::RUNTIME, false)] {
        let catch = json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "S"}]});
        let (machine, mut execution, order) = scheduled(catch);
        let failure = Failure::new(name, "why");
        let step = execution.step(
            &machine,
            Input::TaskRefused {
                task: order.task,
                failure,
            },
            START,
            &Dice::new(0),
        );
        assert_eq!(step.history[0].what.type_name(), "ActivityScheduleFailed");
        assert_eq!(execution.status() == &Status::Running, caught, "{name}");
    }
}
