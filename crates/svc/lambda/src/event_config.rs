//! How asynchronous invocations of a function, version or alias are dealt with: how often, how long, and where records
//! of them go to.

use roadstead_api_lambda::{
    DeleteFunctionEventInvokeConfigRequest, DestinationConfig, FunctionEventInvokeConfig,
    GetFunctionEventInvokeConfigRequest, ListFunctionEventInvokeConfigsRequest,
    ListFunctionEventInvokeConfigsResponse, OnFailure, OnSuccess, PutFunctionEventInvokeConfigRequest,
    UpdateFunctionEventInvokeConfigRequest,
};
use roadstead_base::Ctx;

use crate::Lambda;
use crate::accept;
use crate::error::{Error, Result};
use crate::names::{self, Named};
use crate::page;
use crate::records::{AsynchronousRecord, LATEST};

const PAGE: usize = 50;

/// What a configuration is of: a version or alias, `$LATEST` unless another is named.
fn whose(ctx: &Ctx, name: &str, qualifier: Option<&str>) -> Result<(Named, String)> {
    let named = Named::of(ctx, name, qualifier)?;
    let of = named.qualifier.clone().unwrap_or_else(|| LATEST.to_owned());
    Ok((named, of))
}

/// The same, which must be there.
fn owner(lambda: &Lambda, ctx: &Ctx, name: &str, qualifier: Option<&str>) -> Result<(Named, String)> {
    let (named, of) = whose(ctx, name, qualifier)?;
    let partition = ctx.partition();
    let function = lambda.function(&partition, &named).map_err(gone)?;
    let _there = lambda.version(&partition, &function, &named).map_err(gone)?;
    Ok((named, of))
}

fn gone(_missing: Error) -> Error {
    Error::NotFound("The function doesn't exist.".into())
}

fn missing(ctx: &Ctx, named: &Named, of: &str) -> Error {
    let arn = names::arn(&ctx.partition(), &named.name, Some(of));
    Error::NotFound(format!("The function {arn} doesn't have an EventInvokeConfig"))
}

fn show(ctx: &Ctx, function: &str, of: &str, record: &AsynchronousRecord) -> FunctionEventInvokeConfig {
    let whole = |number: u32| i32::try_from(number).ok();
    FunctionEventInvokeConfig {
        destination_config: Some(DestinationConfig {
            on_failure: Some(OnFailure {
                destination: record.on_failure.clone(),
            }),
            on_success: Some(OnSuccess {
                destination: record.on_success.clone(),
            }),
        }),
        function_arn: Some(names::arn(&ctx.partition(), function, Some(of))),
        last_modified: Some(record.modified_at),
        maximum_event_age_in_seconds: record.max_age_seconds.and_then(whole),
        maximum_retry_attempts: record.retries.and_then(whole),
    }
}

/// What a request says of destinations: nothing, that there is to be none, or which.
#[derive(Clone, Debug, Default)]
struct Destinations {
    on_failure: Option<Option<String>>,
    on_success: Option<Option<String>>,
}

impl Destinations {
    fn of(ctx: &Ctx, function: &str, config: Option<DestinationConfig>) -> Result<Self> {
        let DestinationConfig {
            on_failure,
            on_success,
        } = config.unwrap_or_default();
        let on_failure = on_failure.and_then(|OnFailure { destination }| destination);
        let on_success = on_success.and_then(|OnSuccess { destination }| destination);
        let check = |member: &str, given: Option<String>| {
            given
                .map(|text| accept::destination(ctx, member, function, text))
                .transpose()
        };
        Ok(Self {
            on_failure: check("OnFailure", on_failure)?,
            on_success: check("OnSuccess", on_success)?,
        })
    }
}

/// What a request says of a configuration.
struct Given {
    function_name: String,
    qualifier: Option<String>,
    max_age_seconds: Option<i32>,
    retries: Option<i32>,
    destinations: Option<DestinationConfig>,
}

async fn set(lambda: &Lambda, ctx: &Ctx, given: Given, over: bool) -> Result<FunctionEventInvokeConfig> {
    let destinations = given.destinations.clone().unwrap_or_default();
    if given.max_age_seconds.is_none()
        && given.retries.is_none()
        && destinations == DestinationConfig::default()
    {
        return Err(Error::invalid(
            "You must specify at least one of error handling or destination setting.",
        ));
    }
    let (named, of) = owner(lambda, ctx, &given.function_name, given.qualifier.as_deref())?;
    let to = Destinations::of(ctx, &named.name, given.destinations)?;
    let positive = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let now = lambda.clock.now();
    let mut shown = AsynchronousRecord::default();
    lambda
        .change_function(ctx, &named, |function| {
            let old = function.asynchronous.get(&of).cloned();
            let old = match (over, old) {
                (true, None) => return Err(missing(ctx, &named, &of)),
                (true, Some(old)) => old,
                (false, _) => AsynchronousRecord::default(),
            };
            shown = AsynchronousRecord {
                retries: positive(given.retries).or(old.retries),
                max_age_seconds: positive(given.max_age_seconds).or(old.max_age_seconds),
                modified_at: now,
                on_failure: to.on_failure.clone().unwrap_or(old.on_failure),
                on_success: to.on_success.clone().unwrap_or(old.on_success),
            };
            function.asynchronous.insert(of.clone(), shown.clone());
            Ok(())
        })
        .await?;
    Ok(show(ctx, &named.name, &of, &shown))
}

pub(crate) async fn put_function_event_invoke_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: PutFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig> {
    let PutFunctionEventInvokeConfigRequest {
        function_name,
        destination_config,
        maximum_event_age_in_seconds,
        maximum_retry_attempts,
        qualifier,
    } = input;
    let given = Given {
        function_name,
        qualifier,
        max_age_seconds: maximum_event_age_in_seconds,
        retries: maximum_retry_attempts,
        destinations: destination_config,
    };
    set(lambda, ctx, given, false).await
}

pub(crate) async fn update_function_event_invoke_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: UpdateFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig> {
    let UpdateFunctionEventInvokeConfigRequest {
        function_name,
        destination_config,
        maximum_event_age_in_seconds,
        maximum_retry_attempts,
        qualifier,
    } = input;
    let given = Given {
        function_name,
        qualifier,
        max_age_seconds: maximum_event_age_in_seconds,
        retries: maximum_retry_attempts,
        destinations: destination_config,
    };
    set(lambda, ctx, given, true).await
}

pub(crate) fn get_function_event_invoke_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig> {
    let GetFunctionEventInvokeConfigRequest {
        function_name,
        qualifier,
    } = input;
    let (named, of) = whose(ctx, &function_name, qualifier.as_deref())?;
    let function = lambda.function(&ctx.partition(), &named);
    let function = function.map_err(|_| missing(ctx, &named, &of))?;
    let record = function
        .asynchronous
        .get(&of)
        .ok_or_else(|| missing(ctx, &named, &of))?;
    Ok(show(ctx, &named.name, &of, record))
}

pub(crate) async fn delete_function_event_invoke_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: DeleteFunctionEventInvokeConfigRequest,
) -> Result<()> {
    let DeleteFunctionEventInvokeConfigRequest {
        function_name,
        qualifier,
    } = input;
    let (named, of) = whose(ctx, &function_name, qualifier.as_deref())?;
    let function = lambda.function(&ctx.partition(), &named);
    let _there = function.map_err(|_| missing(ctx, &named, &of))?;
    lambda
        .change_function(ctx, &named, |function| match function.asynchronous.remove(&of) {
            Some(_) => Ok(()),
            None => Err(missing(ctx, &named, &of)),
        })
        .await?;
    Ok(())
}

pub(crate) fn list_function_event_invoke_configs(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListFunctionEventInvokeConfigsRequest,
) -> Result<ListFunctionEventInvokeConfigsResponse> {
    let ListFunctionEventInvokeConfigsRequest {
        function_name,
        marker,
        max_items,
    } = input;
    let name = Named::whole(ctx, &function_name)?;
    let named = Named {
        name: name.clone(),
        qualifier: None,
    };
    let function = lambda.function(&ctx.partition(), &named).map_err(gone)?;
    let shown = function.asynchronous.iter();
    let shown = shown.map(|(of, record)| (of.clone(), show(ctx, &name, of, record)));
    let scope = format!("ListFunctionEventInvokeConfigs/{name}");
    let (configs, next_marker) = page::cut(ctx, &scope, shown.collect(), marker.as_deref(), max_items, PAGE)?;
    Ok(ListFunctionEventInvokeConfigsResponse {
        function_event_invoke_configs: Some(configs),
        next_marker,
    })
}
