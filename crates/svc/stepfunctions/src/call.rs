//! Calling what a task calls, as the state machine's role.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use roadstead_base::{Ctx, Partition, Timestamp};
use roadstead_dispatch::ActAs;
use roadstead_protocol::ApiError;
use roadstead_states_language::{Failure, Input, Order, Pattern, Resource, names as errors};
use serde_json::{Map, Value as Json, json};

use crate::names::{execution_arn, machine_arn};
use crate::records::ExecutionRecord;
use crate::{PRINCIPAL, States, integrations, parameters, sdk};

/// A session that a task acts with lasts so many seconds.
const SESSION_SECONDS: u32 = 3_600;

/// The context of the machine's role.
pub(crate) fn act(
    states: &States,
    partition: &Partition,
    machine: &str,
    role: &str,
    session: &str,
) -> Result<Ctx, roadstead_dispatch::RoleError> {
    let Partition { account, region } = partition;
    let own = states
        .dispatcher
        .internal_ctx(PRINCIPAL, account.clone(), region.clone());
    let act = ActAs {
        role_arn: role,
        service: PRINCIPAL,
        session_name: session,
        source_arn: Some(&machine_arn(partition, machine)),
        seconds: SESSION_SECONDS,
    };
    states.dispatcher.assume_for_service(&own, act)
}

/// Whose tasks are called.
#[derive(Clone, Debug)]
pub(crate) struct Acting {
    pub machine: String,
    /// Of the execution.
    pub name: String,
    pub execution_arn: String,
    pub started: Timestamp,
    pub role_arn: String,
}

impl Acting {
    pub(crate) fn of(partition: &Partition, record: &ExecutionRecord) -> Self {
        let ExecutionRecord {
            machine,
            name,
            role_arn,
            started,
            ..
        } = record;
        Self {
            machine: machine.clone(),
            name: name.clone(),
            execution_arn: execution_arn(partition, machine, name),
            started: *started,
            role_arn: role_arn.clone(),
        }
    }
}

/// How a call went wrong.
pub(crate) enum Fault {
    /// Nothing was done.
    Refused(Failure),
    /// Nothing is known to have been done, and the same call may be answered otherwise later.
    Passing(Failure),
    /// It was done, and failed.
    Failed(Failure),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

/// Does what the task wants; what there is to tell its execution then.
pub(crate) async fn perform(states: &States, partition: &Partition, acting: &Acting, order: Order) -> Input {
    let task = order.task;
    let waits = matches!(&order.resource, Resource::Integration { pattern, .. } if *pattern != Pattern::RequestResponse);
    match (called(states, partition, acting, order).await, waits) {
        (Ok(output), false) => Input::TaskSucceeded { task, output },
        (Ok(output), true) => Input::TaskSubmitted { task, output },
        (Err(Fault::Refused(failure) | Fault::Passing(failure)), true) => {
            Input::TaskRefused { task, failure }
        }
        (Err(Fault::Refused(failure) | Fault::Passing(failure) | Fault::Failed(failure)), _) => {
            Input::TaskFailed { task, failure }
        }
    }
}

/// The context of the role that the execution acts as.
pub(crate) fn as_role(states: &States, partition: &Partition, acting: &Acting) -> Result<Ctx, Failure> {
    act(states, partition, &acting.machine, &acting.role_arn, &acting.name)
        .map_err(|error| Failure::new(errors::PERMISSIONS, error.to_string()))
}

/// Calls what the task calls; what is answered.
pub(crate) async fn called(
    states: &States,
    partition: &Partition,
    acting: &Acting,
    order: Order,
) -> Result<Json, Fault> {
    let ctx = as_role(states, partition, acting)?;
    match &order.resource {
        Resource::Function { arn } => {
            let input = json!({"FunctionName": arn, "Payload": encoded(&order.parameters)});
            Ok(invoke(states, &ctx, input).await?.payload)
        }
        Resource::Integration { service, action, .. } if service == "lambda" && action == "invoke" => {
            if let Some(known) = integrations::find(service, action)
                && let Some(operation) = known.operation(states)
            {
                parameters::check(&operation, &order, &order.parameters)?;
            }
            let mut input = order.parameters;
            if let Some(payload) = input.get("Payload") {
                input["Payload"] = json!(encoded(payload));
            }
            let Answer { payload, mut around } = invoke(states, &ctx, input).await?;
            let status = around.get("StatusCode").and_then(Json::as_u64).unwrap_or(200);
            around.insert("Payload".to_owned(), payload);
            Ok(integrations::with_metadata(&ctx, Json::Object(around), status))
        }
        Resource::Integration { service, action, .. } if service.starts_with("aws-sdk:") => {
            let gone = || {
                Failure::new(
                    errors::TASK_FAILED,
                    format!("{service}:{action} is not there any more"),
                )
            };
            let operation = sdk::Operation::of(states, service, action).ok_or_else(gone)?;
            parameters::check(&operation, &order, &order.parameters)?;
            let input = operation.input(order.parameters);
            let called = states
                .dispatcher
                .call_json(operation.service(), operation.name(), &ctx, input)
                .await;
            let output = called.map_err(|error| fault(&integration(service), &error))?;
            Ok(operation.output(output, sdk::Times::Texts))
        }
        Resource::Integration { service, action, .. } => {
            let known = integrations::find(service, action);
            let gone = || {
                Failure::new(
                    errors::TASK_FAILED,
                    format!("{service}:{action} is not there any more"),
                )
            };
            integrations::call(known.ok_or_else(gone)?, states, &ctx, partition, acting, &order).await
        }
        Resource::Activity { arn } => Err(Fault::Refused(Failure::new(
            errors::TASK_FAILED,
            format!("{arn} cannot be worked on here"),
        ))),
    }
}

struct Answer {
    payload: Json,
    /// The other members of the answer.
    around: Map<String, Json>,
}

fn encoded(payload: &Json) -> String {
    BASE64.encode(payload.to_string())
}

async fn invoke(states: &States, ctx: &Ctx, input: Json) -> Result<Answer, Fault> {
    let called = states.dispatcher.call_json("lambda", "Invoke", ctx, input).await;
    let output = called.map_err(|error| fault("Lambda", &error))?;
    let Json::Object(mut around) = output else {
        let failure = Failure::new("Lambda.Unknown", "the answer of the function is no object");
        return Err(Fault::Failed(failure));
    };
    let coded = around.remove("Payload").unwrap_or_default();
    let bytes = BASE64
        .decode(coded.as_str().unwrap_or_default())
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let payload = match text.is_empty() {
        true => Json::Null,
        false => serde_json::from_str(&text).unwrap_or_else(|_| Json::String(text.clone())),
    };
    if around.remove("FunctionError").is_some() {
        // What the runtime says of the error is the cause, whole.
        let failure = match payload["errorType"].as_str() {
            Some(error) => Failure::new(error, text),
            None => Failure::new(
                "Lambda.Unknown",
                format!(
                    "The cause could not be determined because Lambda did not return an error type. \
                     Returned payload: {text}"
                ),
            ),
        };
        return Err(Fault::Failed(failure));
    }
    Ok(Answer { payload, around })
}

/// The name of a service in errors: `Ecs`, `CloudWatchLogs`.
fn integration(service: &str) -> String {
    let name = service.strip_prefix("aws-sdk:").unwrap_or(service);
    match name {
        "cloudwatch" => "CloudWatch".to_owned(),
        "cloudwatchlogs" => "CloudWatchLogs".to_owned(),
        "eventbridge" => "EventBridge".to_owned(),
        "secretsmanager" => "SecretsManager".to_owned(),
        name => {
            let mut characters = name.chars();
            let first = characters.next().map(|one| one.to_ascii_uppercase());
            first.into_iter().chain(characters).collect()
        }
    }
}

/// How a call went wrong that the service refused.
pub(crate) fn fault(service: &str, error: &ApiError) -> Fault {
    let kind = match error.is_transient() {
        true => Fault::Passing,
        false => Fault::Refused,
    };
    kind(failure(service, error))
}

/// `Ecs.ClusterNotFoundException`
pub(crate) fn failure(service: &str, error: &ApiError) -> Failure {
    let code = error.code.rsplit('.').next().unwrap_or_default();
    let suffix = if code.ends_with("Exception") {
        ""
    } else {
        "Exception"
    };
    Failure::new(format!("{service}.{code}{suffix}"), error.message.clone())
}
