//! Which definitions are accepted here: those that are valid, and whose tasks call what can be called.

use roadstead_states_language::{
    Code, Diagnostic, Flow, Kind, Machine, Pattern, Resource, Severity, State, Task,
};

use crate::error::{Error, Result};
use crate::records::Workflow;
use crate::{States, express, integrations, sdk};

/// A definition that was looked at.
pub(crate) struct Accepted {
    /// Nothing if there is an error among the diagnostics.
    pub machine: Option<Machine>,
    pub diagnostics: Vec<Diagnostic>,
}

/// "Maximum request size" of the service's quotas: 1 MB.
const BYTES: usize = 1024 * 1024;

/// The model bounds a definition in characters; with more bytes than this it would come in no request.
pub(crate) fn fits(definition: &str) -> Result<()> {
    let bytes = definition.len();
    if bytes > BYTES {
        return Err(Error::Validation(format!(
            "The definition has {bytes} bytes; a request has at most {BYTES}"
        )));
    }
    Ok(())
}

/// Reads and validates a definition.
pub(crate) fn definition(states: &States, text: &str, workflow: Workflow) -> Accepted {
    let (machine, mut diagnostics) = Machine::parse(text);
    if let Some(machine) = &machine {
        flow(states, &machine.flow, "", &mut diagnostics);
        if workflow == Workflow::Express {
            express::unfit(&machine.flow, "", &mut diagnostics);
        }
    }
    let refused = diagnostics.iter().any(|one| one.severity() == Severity::Error);
    Accepted {
        machine: machine.filter(|_| !refused),
        diagnostics,
    }
}

/// Reads and validates the definition of a state by itself, which gets a name, or of a machine if it gets none.
pub(crate) fn tested(states: &States, text: &str, name: Option<&str>) -> Accepted {
    let Some(name) = name else {
        return definition(states, text, Workflow::Standard);
    };
    let (machine, mut diagnostics) = Machine::parse_state(text, name);
    for state in machine.iter().flat_map(|machine| machine.flow.states.values()) {
        self::state(states, state, "", &mut diagnostics);
    }
    let refused = diagnostics.iter().any(|one| one.severity() == Severity::Error);
    Accepted {
        machine: machine.filter(|_| !refused),
        diagnostics,
    }
}

fn flow(states: &States, flow: &Flow, at: &str, diagnostics: &mut Vec<Diagnostic>) {
    for (name, state) in &flow.states {
        let at = format!("{at}/States/{}", name.replace('~', "~0").replace('/', "~1"));
        self::state(states, state, &at, diagnostics);
    }
}

fn state(states: &States, state: &State, at: &str, diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.extend(task_of(state).and_then(|task| unsupported(states, task, at)));
    match &state.kind {
        Kind::Parallel { branches } => {
            for (index, branch) in branches.iter().enumerate() {
                flow(states, branch, &format!("{at}/Branches/{index}"), diagnostics);
            }
        }
        Kind::Map(map) => flow(
            states,
            &map.processor,
            &format!("{at}/ItemProcessor"),
            diagnostics,
        ),
        _ => {}
    }
}

fn task_of(state: &State) -> Option<&Task> {
    match &state.kind {
        Kind::Task(task) => Some(task),
        _ => None,
    }
}

/// What of a task has no effect here yet.
fn unsupported(states: &States, task: &Task, at: &str) -> Option<Diagnostic> {
    let fault = |code, message: String, field: &str| {
        Some(Diagnostic {
            code,
            message,
            location: Some(format!("{at}/{field}")),
        })
    };
    if task.credentials.is_some() {
        let message = "Field 'Credentials' is not supported by Roadstead yet".to_owned();
        return fault(Code::SchemaValidationFailed, message, "Credentials");
    }
    let refused = match &task.resource {
        // Whether an activity is there is seen when a task is scheduled for it.
        Resource::Function { .. } | Resource::Activity { .. } => None,
        Resource::Integration {
            service,
            action,
            pattern,
            ..
        } => match (service.as_str(), action.as_str(), pattern) {
            (service, action, Pattern::RequestResponse | Pattern::WaitForTaskToken)
                if service.starts_with("aws-sdk:") =>
            {
                let known = sdk::Operation::of(states, service, action).is_some();
                (!known).then(|| format!("The integration '{service}:{action}' is"))
            }
            (service, action, pattern) => match integrations::find(service, action) {
                Some(known) if known.patterns.contains(pattern) => None,
                Some(_) => Some(format!("The integration '{service}:{action}' in this pattern is")),
                None => Some(format!("The integration '{service}:{action}' is")),
            },
        },
    };
    let what = refused?;
    let arn = task.resource.arn();
    fault(
        Code::InvalidResource,
        format!("{what} not supported by Roadstead yet: '{arn}'"),
        "Resource",
    )
}
