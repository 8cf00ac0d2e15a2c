//! Optimized integrations: `arn:aws:states:::sqs:sendMessage` and its like. What they take beyond the operation's own
//! parameters, and what they give. Source: the developer guide, "Integrating optimized services".

use roadstead_base::{Ctx, Partition, Timestamp, derived_hex};
use roadstead_protocol::ApiError;
use roadstead_states_language::{Failure, Order, Pattern, names as errors};
use serde_json::{Value as Json, json};

use crate::call::{Acting, Fault, fault};
use crate::error::Error;
use crate::names::{self, machine_arn};
use crate::records::{ExecutionRecord, Workflow};
use crate::{States, jobs, parameters, sdk};

/// An operation that has an integration of its own.
pub(crate) struct Integration {
    /// As resources name them.
    service: &'static str,
    action: &'static str,
    pub(crate) patterns: &'static [Pattern],
    /// What the service and the operation are called here.
    model: &'static str,
    operation: &'static str,
    /// What errors begin with.
    errors: &'static str,
    /// Members that are texts, and can be given as JSON.
    texts: &'static [&'static str],
}

const CALLED: &[Pattern] = &[Pattern::RequestResponse, Pattern::WaitForTaskToken];
const RUN: &[Pattern] = &[Pattern::RequestResponse, Pattern::WaitForTaskToken, Pattern::Sync];
const RUN_AS_JSON: &[Pattern] = &[
    Pattern::RequestResponse,
    Pattern::WaitForTaskToken,
    Pattern::Sync,
    Pattern::SyncAsJson,
];

const KNOWN: [Integration; 6] = [
    Integration {
        service: "ecs",
        action: "runTask",
        patterns: RUN,
        model: "ecs",
        operation: "RunTask",
        errors: "ECS",
        texts: &[],
    },
    Integration {
        service: "events",
        action: "putEvents",
        patterns: CALLED,
        model: "events",
        operation: "PutEvents",
        errors: "EventBridge",
        texts: &[],
    },
    Integration {
        service: "lambda",
        action: "invoke",
        patterns: CALLED,
        model: "lambda",
        operation: "Invoke",
        errors: "Lambda",
        texts: &[],
    },
    Integration {
        service: "sns",
        action: "publish",
        patterns: CALLED,
        model: "sns",
        operation: "Publish",
        errors: "SNS",
        texts: &["Message"],
    },
    Integration {
        service: "sqs",
        action: "sendMessage",
        patterns: CALLED,
        model: "sqs",
        operation: "SendMessage",
        errors: "SQS",
        texts: &["MessageBody"],
    },
    Integration {
        service: "states",
        action: "startExecution",
        patterns: RUN_AS_JSON,
        model: "stepfunctions",
        operation: "StartExecution",
        errors: "StepFunctions",
        texts: &["Input"],
    },
];

impl Integration {
    /// The operation that it calls.
    pub(crate) fn operation(&self, states: &States) -> Option<sdk::Operation> {
        sdk::Operation::named(states, self.model, self.operation)
    }
}

pub(crate) fn find(service: &str, action: &str) -> Option<&'static Integration> {
    KNOWN
        .iter()
        .find(|known| known.service == service && known.action == action)
}

/// Calls it and gives what it answers, or what the task makes of that.
pub(crate) async fn call(
    integration: &Integration,
    states: &States,
    ctx: &Ctx,
    partition: &Partition,
    acting: &Acting,
    order: &Order,
) -> Result<Json, Fault> {
    let operation = integration.operation(states).ok_or_else(|| {
        let message = format!("{} is not running here", integration.model);
        Failure::new(errors::TASK_FAILED, message)
    })?;
    let parameters = prepared(integration, partition, acting, order);
    parameters::check(&operation, order, &parameters)?;
    // A job is one task.
    if jobs::is_job(order) && parameters.get("Count").is_some_and(|count| *count != json!(1)) {
        let fault = "The field 'Count' can only be 1 where the end of the task is waited for";
        return Err(parameters::unfit(order, &[fault.to_owned()]).into());
    }
    // Nobody could look at it until it is done, so it is not started.
    if jobs::is_job(order) && integration.model == "stepfunctions" && is_express(states, ctx, &parameters) {
        let refused = ApiError::from(Error::WrongType);
        return Err(fault(integration.errors, &refused));
    }
    let again = parameters.clone();
    let input = operation.input(parameters);
    let called = states
        .dispatcher
        .call_json(operation.service(), operation.name(), ctx, input)
        .await;
    let called = match called {
        Err(error) if error.code.ends_with("ExecutionAlreadyExists") => {
            found_again(states, ctx, acting, order, &again).ok_or(error)
        }
        called => called,
    };
    let output = called.map_err(|error| fault(integration.errors, &error))?;
    let output = operation.output(output, sdk::Times::Millis);
    match integration.model {
        "events" if output["FailedEntryCount"] != json!(0) => {
            let failure = Failure::new("EventBridge.FailedEntry", output.to_string());
            Err(Fault::Failed(failure))
        }
        // Nobody would ever be done with what was not started.
        "ecs" if waits(order) && output["Failures"].as_array().is_some_and(|all| !all.is_empty()) => {
            let failure = Failure::new("AmazonECS.Unknown", output.to_string());
            Err(Fault::Refused(failure))
        }
        _ => Ok(with_metadata(ctx, output, 200)),
    }
}

/// What an integration of its own gives besides what the operation answers: how the call went.
pub(crate) fn with_metadata(ctx: &Ctx, mut output: Json, status: u64) -> Json {
    if let Some(members) = output.as_object_mut() {
        let id = &ctx.request_id;
        members.insert(
            "SdkHttpMetadata".to_owned(),
            json!({
                "AllHttpHeaders": {"x-amzn-RequestId": [id]},
                "HttpHeaders": {"x-amzn-RequestId": id},
                "HttpStatusCode": status,
            }),
        );
        members.insert("SdkResponseMetadata".to_owned(), json!({"RequestId": id}));
    }
    output
}

fn is_express(states: &States, ctx: &Ctx, parameters: &Json) -> bool {
    let arn = parameters["StateMachineArn"].as_str().unwrap_or_default();
    let machine = names::qualified(ctx, arn).and_then(|(name, _)| states.machine(ctx, &name));
    machine.is_ok_and(|machine| machine.workflow == Workflow::Express)
}

/// The execution that this task started, and that has ended, before this service began anew and lost the answer: one of
/// that name and input, started since the task was ordered. A role that may start executions need not be allowed to look at
/// them, so the service does it.
fn found_again(
    states: &States,
    ctx: &Ctx,
    acting: &Acting,
    order: &Order,
    parameters: &Json,
) -> Option<Json> {
    let (machine, _) = names::qualified(ctx, parameters["StateMachineArn"].as_str()?).ok()?;
    let name = parameters["Name"].as_str()?;
    let partition = ctx.partition();
    let key = states.execution_key(&partition, &machine, name);
    let found = states.executions.get(&key)?;
    let ExecutionRecord { input, started, .. } = &found.value;
    // Older orders do not say when they were given.
    let given = acting.started.max(Timestamp(order.given));
    let own = given <= *started
        && Some(started) < states.work.began.get()
        && input == parameters["Input"].as_str().unwrap_or("{}");
    let arn = names::execution_arn(&partition, &machine, name);
    own.then(|| json!({"executionArn": arn, "startDate": started.as_seconds()}))
}

fn waits(order: &Order) -> bool {
    matches!(&order.resource, roadstead_states_language::Resource::Integration { pattern, .. } if *pattern != Pattern::RequestResponse)
}

/// The parameters with what the integration adds to them.
fn prepared(integration: &Integration, partition: &Partition, acting: &Acting, order: &Order) -> Json {
    let mut parameters = order.parameters.clone();
    for name in integration.texts {
        as_text(parameters.get_mut(name));
    }
    let missing = |parameters: &Json, name: &str| parameters.is_object() && parameters.get(name).is_none();
    match integration.model {
        "events" => {
            let own = [
                json!(acting.execution_arn),
                json!(machine_arn(partition, &acting.machine)),
            ];
            let entries = parameters.get_mut("Entries").and_then(Json::as_array_mut);
            for entry in entries.into_iter().flatten() {
                as_text(entry.get_mut("Detail"));
                if missing(entry, "Resources") {
                    entry["Resources"] = json!([]);
                }
                if let Some(resources) = entry.get_mut("Resources").and_then(Json::as_array_mut) {
                    resources.extend(own.clone());
                }
            }
        }
        "ecs" => {
            if missing(&parameters, "StartedBy") {
                parameters["StartedBy"] = json!("AWS-Step-Functions");
            }
            // The same call again, after a crash, starts nothing twice.
            if missing(&parameters, "ClientToken") {
                parameters["ClientToken"] = json!(once(acting, order));
            }
        }
        "stepfunctions" if missing(&parameters, "Name") => {
            parameters["Name"] = json!(as_uuid(&once(acting, order)));
        }
        _ => {}
    }
    parameters
}

/// JSON in place of a text is its text.
fn as_text(value: Option<&mut Json>) {
    if let Some(value) = value
        && !value.is_string()
    {
        *value = json!(value.to_string());
    }
}

/// 32 hexadecimal digits that this task of this execution alone has.
fn once(acting: &Acting, order: &Order) -> String {
    let arn = &acting.execution_arn;
    // An execution's name can be used again after 90 days.
    derived_hex(
        &format!("{arn}/{}", acting.started.0),
        &format!("task/{}", order.task),
        32,
    )
}

fn as_uuid(digits: &str) -> String {
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.get(range).unwrap_or_default());
    parts.join("-")
}
