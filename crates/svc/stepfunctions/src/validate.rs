//! `ValidateStateMachineDefinition`: what is wrong with a definition.

use roadstead_api_stepfunctions::{
    ValidateStateMachineDefinitionDiagnostic, ValidateStateMachineDefinitionInput,
    ValidateStateMachineDefinitionOutput, ValidateStateMachineDefinitionResultCode as ResultCode,
    ValidateStateMachineDefinitionSeverity as ShownSeverity,
};
use roadstead_states_language::{Diagnostic, Severity};

use crate::States;
use crate::accept::{self, Accepted};
use crate::error::Result;
use crate::records::Workflow;

/// Diagnostics that an answer has at most, and if nothing is asked for.
const MOST: usize = 100;

pub(crate) fn validate_state_machine_definition(
    states: &States,
    input: ValidateStateMachineDefinitionInput,
) -> Result<ValidateStateMachineDefinitionOutput> {
    let ValidateStateMachineDefinitionInput {
        definition,
        max_results,
        severity,
        r#type,
    } = input;
    accept::fits(&definition)?;
    let Accepted { machine, diagnostics } = accept::definition(states, &definition, Workflow::of(r#type));
    let all = severity == Some(ShownSeverity::Warning);
    let asked_for = |one: &&Diagnostic| all || one.severity() == Severity::Error;
    let asked = max_results
        .and_then(|most| usize::try_from(most).ok())
        .filter(|most| *most > 0)
        .unwrap_or(MOST);
    let mut shown: Vec<_> = diagnostics.iter().filter(asked_for).map(show).collect();
    let truncated = shown.len() > asked;
    shown.truncate(asked);
    Ok(ValidateStateMachineDefinitionOutput {
        diagnostics: shown,
        result: match machine {
            Some(_) => ResultCode::Ok,
            None => ResultCode::Fail,
        },
        truncated: Some(truncated),
    })
}

fn show(one: &Diagnostic) -> ValidateStateMachineDefinitionDiagnostic {
    ValidateStateMachineDefinitionDiagnostic {
        code: one.code.as_str().to_owned(),
        message: one.message.clone(),
        severity: match one.severity() {
            Severity::Error => ShownSeverity::Error,
            Severity::Warning => ShownSeverity::Warning,
        },
        location: one.location.clone(),
    }
}
