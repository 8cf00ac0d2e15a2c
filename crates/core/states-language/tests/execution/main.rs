//! Executions step by step, with a clock that jumps to what is due and tasks that a closure does.

mod activities;
mod arbitrary;
mod failures;
mod history;
mod limits;
mod loops;
mod properties;
mod redrive;
mod specification;
mod states;
mod trials;
mod variables;

use roadstead_states_language::{
    About, Dice, EVENT_LIMIT, Execution, Failure, HistoryEvent, Input, Machine, Order, Status,
};
use serde_json::{Value, json};

pub(crate) const START: i64 = 1_700_000_000_000;
pub(crate) const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:F";

/// What a task does: nothing is that it never ends.
pub(crate) type Doer<'a> = dyn FnMut(&Order, i64) -> Option<Result<Value, Failure>> + 'a;

/// An execution that has come to an end.
pub(crate) struct Run {
    pub(crate) status: Status,
    pub(crate) history: Vec<HistoryEvent>,
    /// Milliseconds that it took.
    pub(crate) took: i64,
    pub(crate) orders: Vec<Order>,
}

pub(crate) fn machine(definition: &Value) -> Machine {
    let (machine, diagnostics) = Machine::parse(&definition.to_string());
    machine.unwrap_or_else(|| panic!("{diagnostics:#?}"))
}

pub(crate) fn about(input: Value) -> About {
    About {
        execution_arn: "arn:aws:states:us-east-1:123456789012:execution:M:x".to_owned(),
        execution_name: "x".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/R".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:M".to_owned(),
        state_machine_name: "M".to_owned(),
        input,
    }
}

/// Runs to the end, or until nothing more would ever happen.
pub(crate) fn run(definition: &Value, input: Value, doer: &mut Doer<'_>) -> Run {
    let machine = machine(definition);
    let mut now = START;
    let mut execution = Execution::new(&machine, about(input), now, None, Some(EVENT_LIMIT));
    let (mut history, mut orders, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    let mut input = Input::Proceed;
    for round in 0..100_000u128 {
        // As a service does it: what is kept between steps is all there is.
        let text = serde_json::to_string(&execution).unwrap();
        execution = serde_json::from_str(&text).unwrap();
        let step = execution.step(&machine, input, now, &Dice::new(round));
        history.extend(step.history);
        for order in step.orders {
            if let Some(result) = doer(&order, now - START) {
                answers.push((order.task, result));
            }
            orders.push(order);
        }
        input = match (answers.is_empty(), execution.due()) {
            (false, _) => match answers.remove(0) {
                (task, Ok(output)) => Input::TaskSucceeded { task, output },
                (task, Err(failure)) => Input::TaskFailed { task, failure },
            },
            (true, Some(due)) => {
                now = now.max(due);
                Input::Proceed
            }
            (true, None) => break,
        };
    }
    for (index, event) in history.iter().enumerate() {
        assert_eq!(event.id, index as u64 + 1, "ids are counted without gaps");
        assert!(event.previous < event.id, "{event:?}");
    }
    Run {
        status: execution.status().clone(),
        history,
        took: now - START,
        orders,
    }
}

/// The output of an execution without tasks.
pub(crate) fn output(definition: &Value, input: Value) -> Result<Value, Failure> {
    result(run(definition, input, &mut |order, _| panic!("{order:?}")))
}

pub(crate) fn result(run: Run) -> Result<Value, Failure> {
    match run.status {
        Status::Succeeded { output } => Ok(output),
        Status::Failed { failure } => Err(failure),
        other => panic!("{other:?}"),
    }
}

/// A machine of one state, `S`.
pub(crate) fn single(mut state: Value) -> Value {
    if !matches!(state["Type"].as_str(), Some("Succeed" | "Fail")) {
        state["End"] = json!(true);
    }
    json!({"StartAt": "S", "States": {"S": state}})
}

pub(crate) fn jsonata(mut definition: Value) -> Value {
    definition["QueryLanguage"] = json!("JSONata");
    definition
}

impl Run {
    /// The types of all events.
    pub(crate) fn types(&self) -> Vec<String> {
        self.history.iter().map(|event| event.what.type_name()).collect()
    }
}
