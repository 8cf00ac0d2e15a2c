//! What a test asks for, and what none can.

use roadstead_api_stepfunctions::{
    InspectionLevel, MockErrorOutput, MockInput, MockResponseValidationMode as Mode, TestStateConfiguration,
    TestStateInput,
};
use roadstead_states_language::{
    DATA_LIMIT, Failure, Kind, Machine, Pattern, Resource, State, names, refusal,
};
use serde_json::{Map, Value as Json};

use crate::States;
use crate::accept::{self, Accepted};
use crate::error::{Error, Result};
use crate::test_state::fit;

/// What the state is called that is defined by itself.
const STATE: &str = "State";

pub(super) struct Asked {
    /// Of the state alone.
    pub machine: Machine,
    pub input: Json,
    /// The input as it was given.
    pub text: String,
    pub variables: Map<String, Json>,
    pub role_arn: Option<String>,
    pub mock: Option<Mock>,
    pub context: Option<Json>,
    /// Whether the state is of what a Map does with each item.
    pub of_map: bool,
    /// Whether what happens to the data is to be shown.
    pub inspects: bool,
}

/// What is taken in place of the state's work.
pub(super) struct Mock {
    pub result: Result<Json, Failure>,
    /// How often the retrier that means the error has tried again.
    pub tried: u64,
}

fn invalid<T>(what: impl Into<String>) -> Result<T> {
    Err(Error::Validation(what.into()))
}

impl Asked {
    pub(super) fn read(states: &States, asked: TestStateInput) -> Result<Self> {
        let TestStateInput {
            definition,
            context,
            input,
            inspection_level,
            mock,
            // A permission of its own, which the gate looks at. Only HTTP tasks have secrets to reveal, and there are none.
            reveal_secrets: _allowed,
            role_arn,
            state_configuration,
            state_name,
            variables,
        } = asked;
        accept::fits(&definition)?;
        let text = input.unwrap_or_else(|| "{}".to_owned());
        for (name, given) in [
            ("input", Some(&text)),
            ("variables", variables.as_ref()),
            ("context", context.as_ref()),
            ("mock.result", mock.as_ref().and_then(|mock| mock.result.as_ref())),
        ] {
            // The model counts characters; the limit is in bytes of UTF-8.
            if let Some(bytes) = given.map(String::len).filter(|bytes| *bytes > DATA_LIMIT) {
                return invalid(format!(
                    "Value at '{name}' failed to satisfy constraint: it has {bytes} bytes, and at most {DATA_LIMIT} are taken"
                ));
            }
        }
        let input = serde_json::from_str(&text).map_err(|fault| Error::InvalidInput(fault.to_string()))?;
        let variables = variables.map(|text| object("variables", &text)).transpose()?;
        let (name, machine, of_map) = tested(states, &definition, state_name)?;
        let state = machine
            .state(&name)
            .ok_or_else(|| Error::NoSuchResource(name.clone()))?;
        let mocked = mock.is_some();
        let mock = match mock {
            Some(mock) => Some(Mock::read(states, state, mock, state_configuration)?),
            None => {
                if state_configuration.is_some_and(|given| given != TestStateConfiguration::default()) {
                    return invalid("A stateConfiguration can only be given with a mock");
                }
                unmocked(state)?;
                None
            }
        };
        let context = match context {
            None => None,
            Some(_) if !mocked => return invalid("A context can only be given with a mock"),
            Some(text) => Some(Json::Object(object("context", &text)?)),
        };
        if role_arn.is_none() && !mocked {
            return invalid("A roleArn is required unless a mock is given");
        }
        Ok(Self {
            machine,
            input,
            text,
            variables: variables.unwrap_or_default(),
            role_arn,
            mock,
            context,
            of_map,
            inspects: matches!(
                inspection_level,
                Some(InspectionLevel::Debug | InspectionLevel::Trace)
            ),
        })
    }
}

fn object(name: &str, text: &str) -> Result<Map<String, Json>> {
    match serde_json::from_str(text) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => invalid(format!("The value of '{name}' must be a JSON object")),
        Err(fault) => invalid(format!("The value of '{name}' is not valid JSON: {fault}")),
    }
}

/// The state and its name, in a machine of it alone, and whether a Map does it with each item.
fn tested(states: &States, definition: &str, name: Option<String>) -> Result<(String, Machine, bool)> {
    let Accepted { machine, diagnostics } = match &name {
        Some(_) => accept::tested(states, definition, None),
        None => accept::tested(states, definition, Some(STATE)),
    };
    let Some(machine) = machine else {
        return Err(Error::InvalidDefinition(refusal(&diagnostics)));
    };
    let Some(name) = name else {
        return Ok((STATE.to_owned(), machine, false));
    };
    let Some(state) = machine.state(&name) else {
        return invalid(format!("The definition has no state '{name}'"));
    };
    let alone = Machine::of_one(&name, state.clone());
    let of_map = machine.is_of_map(&name);
    Ok((name, alone, of_map))
}

/// Refuses what nobody could wait for.
fn unmocked(state: &State) -> Result<()> {
    let what = match &state.kind {
        Kind::Task(task) => match &task.resource {
            Resource::Activity { .. } => "An activity",
            Resource::Integration {
                pattern: Pattern::Sync | Pattern::SyncAsJson,
                ..
            } => "The pattern '.sync'",
            Resource::Integration {
                pattern: Pattern::WaitForTaskToken,
                ..
            } => "The pattern '.waitForTaskToken'",
            Resource::Function { .. }
            | Resource::Integration {
                pattern: Pattern::RequestResponse,
                ..
            } => return Ok(()),
        },
        Kind::Parallel { .. } => "State type 'Parallel'",
        Kind::Map(_) => "State type 'Map'",
        Kind::Pass { .. } | Kind::Choice { .. } | Kind::Wait(_) | Kind::Succeed | Kind::Fail { .. } => {
            return Ok(());
        }
    };
    invalid(format!("{what} is only supported when a mock is specified"))
}

impl Mock {
    fn read(
        states: &States,
        state: &State,
        mock: MockInput,
        configuration: Option<TestStateConfiguration>,
    ) -> Result<Self> {
        let MockInput {
            error_output,
            field_validation_mode,
            result,
        } = mock;
        let configuration = configuration.unwrap_or_default();
        let tried = configured(state, configuration, error_output.as_ref())?;
        if !matches!(&state.kind, Kind::Task(_) | Kind::Parallel { .. } | Kind::Map(_)) {
            let kind = state.type_name();
            return invalid(format!(
                "State type '{kind}' is not supported when a mock is specified"
            ));
        }
        let result = match (result, error_output) {
            (Some(text), None) => {
                let result: Json = match serde_json::from_str(&text) {
                    Ok(result) => result,
                    Err(fault) => return invalid(format!("The mocked result is not valid JSON: {fault}")),
                };
                let mode = field_validation_mode.unwrap_or(Mode::Strict);
                if let Err(misfit) = fit::check(states, state, &result, &mode) {
                    return invalid(format!("The mocked result does not fit: {misfit}"));
                }
                Ok(result)
            }
            (None, Some(MockErrorOutput { cause, error })) => match error {
                Some(error) => Err(Failure::new(error, cause.unwrap_or_default())),
                None => return invalid("The field 'error' of mock.errorOutput is required"),
            },
            _ => return invalid("A mock has either a result or an errorOutput"),
        };
        Ok(Self { result, tried })
    }
}

/// How often it was tried again, which only errors are asked.
fn configured(
    state: &State,
    configuration: TestStateConfiguration,
    failing: Option<&MockErrorOutput>,
) -> Result<u64> {
    let TestStateConfiguration {
        error_caused_by_state,
        map_item_reader_data,
        map_iteration_failure_count,
        retrier_retry_count,
    } = configuration;
    // Both are of Maps in 'DISTRIBUTED' mode.
    for (given, name) in [
        (map_item_reader_data.is_some(), "mapItemReaderData"),
        (map_iteration_failure_count.is_some(), "mapIterationFailureCount"),
    ] {
        if given {
            return Err(Error::Unsupported(format!("stateConfiguration.{name}")));
        }
    }
    if let Some(name) = error_caused_by_state {
        caused(state, &name, failing)?;
    }
    match retrier_retry_count {
        None => Ok(0),
        Some(_) if failing.is_none() => invalid("A retrierRetryCount can only be given with a mocked error"),
        Some(count) => Ok(u64::try_from(count).unwrap_or_default()),
    }
}

/// An error reaches the handlers of a Parallel or a Map from a state below it, which must be able to raise it: only tasks fail
/// with `States.TaskFailed`. Source: the developer guide, "Specifying error source with errorCausedByState".
fn caused(state: &State, name: &str, failing: Option<&MockErrorOutput>) -> Result<()> {
    let Some(MockErrorOutput { error, cause: _ }) = failing else {
        return invalid("An errorCausedByState can only be given with a mocked error");
    };
    if !matches!(&state.kind, Kind::Parallel { .. } | Kind::Map(_)) {
        return invalid("An errorCausedByState can only be given for a state of type 'Map' or 'Parallel'");
    }
    match state.below(name) {
        None => invalid(format!(
            "The state '{name}' of errorCausedByState is not within the tested state"
        )),
        Some(source)
            if error.as_deref() == Some(names::TASK_FAILED) && !matches!(&source.kind, Kind::Task(_)) =>
        {
            let kind = source.type_name();
            invalid(format!(
                "The state '{name}' of errorCausedByState is of type '{kind}' and cannot fail with States.TaskFailed"
            ))
        }
        Some(_) => Ok(()),
    }
}
