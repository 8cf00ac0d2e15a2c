//! What a test answers.

use roadstead_api_stepfunctions::{
    InspectionData, InspectionErrorDetails, TestExecutionStatus, TestStateOutput,
};
use roadstead_states_language::{Failure, Handled, Inspection, Outcome, Trial};
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::executions::{MAX_CAUSE, MAX_ERROR, shown};

/// `inspected`: the input as it was given, if what happened to it is to be shown.
pub(super) fn answer(trial: &Trial, inspected: Option<String>) -> Result<TestStateOutput> {
    let unfinished = || Error::Store("a state was tested without an outcome".to_owned());
    let outcome = trial.outcome().ok_or_else(unfinished)?;
    let inspection_data = inspected.map(|input| inspection(input, trial.inspection()));
    let failed = |status, Failure { error, cause, .. }: Failure| TestStateOutput {
        error: shown(&error, MAX_ERROR),
        cause: shown(&cause, MAX_CAUSE),
        status: Some(status),
        ..TestStateOutput::default()
    };
    let answer = match outcome {
        Outcome::Left { output, next, caught } => {
            let end = match caught {
                Some(failure) => failed(TestExecutionStatus::CaughtError, failure),
                None => TestStateOutput {
                    status: Some(TestExecutionStatus::Succeeded),
                    ..TestStateOutput::default()
                },
            };
            TestStateOutput {
                output: Some(output.to_string()),
                next_state: next,
                ..end
            }
        }
        Outcome::Retriable { failure } => failed(TestExecutionStatus::Retriable, failure),
        Outcome::Failed { failure } => failed(TestExecutionStatus::Failed, failure),
    };
    Ok(TestStateOutput {
        inspection_data,
        ..answer
    })
}

fn inspection(input: String, seen: Inspection) -> InspectionData {
    let text = |value: Option<Json>| value.map(|value| value.to_string());
    let number = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
    let place = |index: usize| i32::try_from(index).ok();
    let error_details = seen.handled.map(|(_, handled)| match handled {
        Handled::Caught { index } => InspectionErrorDetails {
            catch_index: place(index),
            ..InspectionErrorDetails::default()
        },
        Handled::Retried { index, delay } => InspectionErrorDetails {
            retry_index: place(index),
            retry_backoff_interval_seconds: i32::try_from(delay / 1000).ok(),
            ..InspectionErrorDetails::default()
        },
    });
    InspectionData {
        input: Some(input),
        after_arguments: text(seen.after_arguments),
        after_input_path: text(seen.after_input_path),
        after_parameters: text(seen.after_parameters),
        after_items_path: text(seen.after_items_path),
        after_item_selector: text(seen.after_item_selector),
        max_concurrency: seen.max_concurrency.map(number),
        result: text(seen.result),
        after_result_selector: text(seen.after_result_selector),
        after_result_path: text(seen.after_result_path),
        variables: Some(Json::Object(seen.variables).to_string()),
        error_details,
        ..InspectionData::default()
    }
}
