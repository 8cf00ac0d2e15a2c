//! Map Runs are what Distributed Map states start. There are none, as definitions with such states are refused; so every
//! execution lists none, and none is found by its ARN.

use roadstead_api_stepfunctions::{
    DescribeMapRunInput, DescribeMapRunOutput, ListMapRunsInput, ListMapRunsOutput, MapRunListItem,
    UpdateMapRunInput, UpdateMapRunOutput,
};
use roadstead_base::Ctx;

use crate::error::{Error, Result};
use crate::{States, names, page};

fn missing<T>(ctx: &Ctx, arn: String) -> Result<T> {
    names::map_run(ctx, &arn)?;
    Err(Error::NoSuchResource(arn))
}

pub(crate) fn describe_map_run(ctx: &Ctx, input: DescribeMapRunInput) -> Result<DescribeMapRunOutput> {
    let DescribeMapRunInput { map_run_arn } = input;
    missing(ctx, map_run_arn)
}

pub(crate) fn update_map_run(ctx: &Ctx, input: UpdateMapRunInput) -> Result<UpdateMapRunOutput> {
    let UpdateMapRunInput {
        map_run_arn,
        max_concurrency,
        tolerated_failure_count,
        tolerated_failure_percentage,
    } = input;
    names::map_run(ctx, &map_run_arn)?;
    if max_concurrency.is_none()
        && tolerated_failure_count.is_none()
        && tolerated_failure_percentage.is_none()
    {
        return Err(Error::Validation(
            "One of maxConcurrency, toleratedFailureCount and toleratedFailurePercentage is required"
                .to_owned(),
        ));
    }
    missing(ctx, map_run_arn)
}

pub(crate) async fn list_map_runs(
    states: &States,
    ctx: &Ctx,
    input: ListMapRunsInput,
) -> Result<ListMapRunsOutput> {
    let ListMapRunsInput {
        execution_arn,
        max_results,
        next_token,
    } = input;
    let _there = states.execution(ctx, &execution_arn).await?;
    let scope = format!("ListMapRuns/{execution_arn}");
    let none = std::iter::empty::<(String, MapRunListItem)>();
    let (map_runs, next_token) = page::cut(ctx, &scope, none, max_results, next_token.as_deref())?;
    Ok(ListMapRunsOutput { map_runs, next_token })
}
