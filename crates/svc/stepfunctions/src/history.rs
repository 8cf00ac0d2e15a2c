//! `GetExecutionHistory`: the events of an execution, in pages, from either end.

use roadstead_api_stepfunctions::{
    GetExecutionHistoryInput, GetExecutionHistoryOutput, HistoryEvent as Shown, MODEL,
};
use roadstead_base::{Ctx, Partition, Timestamp};
use roadstead_protocol::{ShapeId, Wire, json as wire};
use roadstead_states_language::{Called, Failure, History, HistoryEvent};
use roadstead_store::Key;
use serde_json::{Map, Value as Json, json};

use crate::States;
use crate::error::{Error, Result};
use crate::executions::{MAX_CAUSE, MAX_ERROR};
use crate::page;
use crate::records::{self, ExecutionRecord, Origin};
use crate::remove;

/// Events that an answer has at most, and without being asked.
const MOST: u64 = 1_000;
const PAGE: u64 = 100;

impl States {
    /// The key of an event below its execution's.
    pub(crate) fn event_key(&self, execution: &Key, id: u64) -> Key {
        // `account/region/table/machine/execution`, in the table of histories.
        let mut segments = execution.segments();
        let (account, region, _table) = (segments.next(), segments.next(), segments.next());
        let above = Key::root()
            .child(account.unwrap_or_default())
            .child(region.unwrap_or_default())
            .child(records::histories(&self.store).name());
        segments
            .fold(above, |key, segment| key.child(segment))
            .child(format!("{id:010}"))
    }
}

pub(crate) async fn get_execution_history(
    states: &States,
    ctx: &Ctx,
    input: GetExecutionHistoryInput,
) -> Result<GetExecutionHistoryOutput> {
    let GetExecutionHistoryInput {
        execution_arn,
        include_execution_data,
        max_results,
        next_token,
        reverse_order,
    } = input;
    let entry = states.execution(ctx, &execution_arn).await?;
    let last = entry.value.execution.last_event();
    let reverse = reverse_order == Some(true);
    let size = max_results
        .and_then(|size| u64::try_from(size).ok())
        .filter(|size| *size > 0)
        .unwrap_or(PAGE)
        .min(MOST);
    // A page that is cut from the ids alone: reading all events for each page would be work for nothing.
    let ids: Box<dyn Iterator<Item = u64> + Send> = if reverse {
        Box::new((1..=last).rev())
    } else {
        Box::new(1..=last)
    };
    let cursor = |id: u64| {
        if reverse {
            format!("{:010}", u32::MAX as u64 - id)
        } else {
            format!("{id:010}")
        }
    };
    let scope = format!("GetExecutionHistory/{execution_arn}/{reverse}");
    let items = ids.map(|id| (cursor(id), id));
    let size = i32::try_from(size).ok();
    let (ids, next_token) = page::cut(ctx, &scope, items, size, next_token.as_deref())?;
    let table = records::histories(&states.store);
    let mut events = Vec::with_capacity(ids.len());
    for id in ids {
        let found = table.get(&states.event_key(&entry.key, id)).await?;
        let Some(found) = found else {
            return Err(missing(states, ctx, &execution_arn, id).await);
        };
        events.push(show(
            ctx,
            &entry.value,
            found.value,
            include_execution_data != Some(false),
        )?);
    }
    Ok(GetExecutionHistoryOutput { events, next_token })
}

/// Why an event is not there that its execution had: it is on its way out with the execution, page by page.
async fn missing(states: &States, ctx: &Ctx, arn: &str, id: u64) -> Error {
    let entry = match states.execution(ctx, arn).await {
        Ok(entry) => entry,
        Err(error) => return error,
    };
    let expired = remove::is_old(&entry.value, states.clock.now());
    let deleted = match states.machine_entry(ctx, &entry.value.machine).await {
        Ok(_) => false,
        Err(Error::Deleting(_) | Error::NoSuchMachine(_)) => true,
        Err(error) => return error,
    };
    match expired || deleted {
        true => Error::NoSuchExecution(arn.to_owned()),
        false => Error::Store(format!("event {id} of {arn} is not there")),
    }
}

fn show(ctx: &Ctx, record: &ExecutionRecord, event: HistoryEvent, data: bool) -> Result<Shown> {
    let mut json = json!({
        "id": event.id,
        "previousEventId": event.previous,
        "timestamp": Timestamp(event.at).as_seconds(),
        "type": event.what.type_name(),
    });
    let partition = ctx.partition();
    let around = Around {
        partition: &partition,
        machine: &record.machine,
        role_arn: &record.role_arn,
        origin: &record.origin,
    };
    if let Some((name, details)) = details(&around, &event.what, data) {
        json[name] = Json::Object(details);
    }
    let shape = MODEL.shapes.iter().position(|shape| shape.name == "HistoryEvent");
    let shape = shape
        .and_then(|at| ShapeId::try_from(at).ok())
        .unwrap_or_default();
    let unfit = |what: String| Error::Store(format!("event {} cannot be shown: {what}", event.id));
    let value = wire::from_json(&MODEL, shape, json, "").map_err(|fault| unfit(fault.to_string()))?;
    Shown::from_value(value).map_err(|fault| unfit(fault.to_string()))
}

/// What events tell of their execution.
pub(crate) struct Around<'a> {
    pub partition: &'a Partition,
    pub machine: &'a str,
    pub role_arn: &'a str,
    pub origin: &'a Origin,
}

/// The member that tells more of an event, and what it tells.
pub(crate) fn details(
    around: &Around<'_>,
    what: &History,
    data: bool,
) -> Option<(String, Map<String, Json>)> {
    let Around {
        partition,
        machine,
        role_arn,
        origin,
    } = *around;
    let mut shown = Map::new();
    let mut put = |name: &str, value: Json| {
        shown.insert(name.to_owned(), value);
    };
    let text = |value: &Json| Json::String(value.to_string());
    let with = |name: &str, value: &Json, put: &mut dyn FnMut(&str, Json)| {
        if data {
            put(name, text(value));
            put(&format!("{name}Details"), json!({"truncated": false}));
        }
    };
    let mut name = own_name(&what.type_name());
    match what {
        History::ExecutionStarted { input } => {
            with("input", input, &mut put);
            put("roleArn", json!(role_arn));
            for (name, arn) in [
                ("stateMachineAliasArn", origin.alias_arn(partition, machine)),
                ("stateMachineVersionArn", origin.version_arn(partition, machine)),
            ] {
                if let Some(arn) = arn {
                    put(name, json!(arn));
                }
            }
        }
        History::ExecutionSucceeded { output } => with("output", output, &mut put),
        History::ExecutionFailed { failure } => of_failure(failure, &mut put),
        History::ExecutionAborted { error, cause } => {
            for (name, value) in [("error", error), ("cause", cause)] {
                if let Some(value) = value {
                    put(name, json!(value));
                }
            }
        }
        History::ExecutionTimedOut => {}
        History::ExecutionRedriven { count } => put("redriveCount", json!(count)),
        History::StateEntered {
            kind: _,
            name: state,
            input,
        } => {
            name = "stateEnteredEventDetails".to_owned();
            put("name", json!(state));
            with("input", input, &mut put);
        }
        History::StateExited {
            kind: _,
            name: state,
            output,
            assigned,
        } => {
            name = "stateExitedEventDetails".to_owned();
            put("name", json!(state));
            with("output", output, &mut put);
            if data && !assigned.is_empty() {
                let texts: Map<String, Json> = assigned
                    .iter()
                    .map(|(name, value)| (name.clone(), text(value)))
                    .collect();
                put("assignedVariables", Json::Object(texts));
                put("assignedVariablesDetails", json!({"truncated": false}));
            }
        }
        History::StateStarted {
            kind: _,
            length: Some(length),
        } => put("length", json!(length)),
        History::StateStarted { .. }
        | History::StateAborted { .. }
        | History::StateSucceeded { .. }
        | History::StateFailed { .. } => {
            return None;
        }
        History::TaskScheduled {
            called,
            arn,
            parameters,
            timeout,
            heartbeat,
            credentials: _refused,
        } => {
            match called {
                Called::Task {
                    resource_type,
                    resource,
                } => {
                    put("resourceType", json!(resource_type));
                    put("resource", json!(resource));
                    put("region", json!(partition.region.as_str()));
                    // The model requires it, so it is empty where no data is wanted.
                    put("parameters", if data { text(parameters) } else { json!("") });
                }
                Called::Function | Called::Activity => {
                    put("resource", json!(arn));
                    with("input", parameters, &mut put);
                }
            }
            for (name, seconds) in [("timeoutInSeconds", timeout), ("heartbeatInSeconds", heartbeat)] {
                // Functions are scheduled without a heartbeat.
                if let Some(seconds) = seconds
                    && !(name == "heartbeatInSeconds" && *called == Called::Function)
                {
                    put(name, json!(seconds));
                }
            }
        }
        History::TaskStarted { called, worker } => match called {
            Called::Function => return None,
            Called::Activity => {
                if let Some(worker) = worker {
                    put("workerName", json!(worker));
                }
            }
            Called::Task { .. } => of_resource(called, &mut put),
        },
        History::TaskSubmitted { called, output } | History::TaskSucceeded { called, output } => {
            of_resource(called, &mut put);
            with("output", output, &mut put);
        }
        History::TaskRefused { called, failure }
        | History::TaskFailed { called, failure }
        | History::TaskTimedOut { called, failure } => {
            of_resource(called, &mut put);
            of_failure(failure, &mut put);
        }
        History::IterationStarted { name: state, index }
        | History::IterationSucceeded { name: state, index }
        | History::IterationFailed { name: state, index }
        | History::IterationAborted { name: state, index } => {
            put("name", json!(state));
            put("index", json!(index));
        }
        History::EvaluationFailed { state, failure } => {
            put("state", json!(state));
            of_failure(failure, &mut put);
            if let Some(location) = &failure.location {
                put("location", json!(location));
            }
        }
    }
    Some((name, shown))
}

/// `MapIterationStarted` has `mapIterationStartedEventDetails`.
fn own_name(kind: &str) -> String {
    let mut characters = kind.chars();
    let first = characters.next().map(|one| one.to_ascii_lowercase());
    first
        .into_iter()
        .chain(characters)
        .chain("EventDetails".chars())
        .collect()
}

fn of_resource(called: &Called, put: &mut dyn FnMut(&str, Json)) {
    if let Called::Task {
        resource_type,
        resource,
    } = called
    {
        put("resourceType", json!(resource_type));
        put("resource", json!(resource));
    }
}

fn of_failure(failure: &Failure, put: &mut dyn FnMut(&str, Json)) {
    for (name, value, most) in [
        ("error", &failure.error, MAX_ERROR),
        ("cause", &failure.cause, MAX_CAUSE),
    ] {
        if !value.is_empty() {
            put(name, json!(value.chars().take(most).collect::<String>()));
        }
    }
}
