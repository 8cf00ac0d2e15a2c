//! What is reserved of an account's concurrency for a function, and what an account may have at all.

use roadstead_api_lambda::{
    AccountLimit, AccountUsage, Concurrency, DeleteFunctionConcurrencyRequest, GetAccountSettingsRequest,
    GetAccountSettingsResponse, GetFunctionConcurrencyRequest, GetFunctionConcurrencyResponse,
    PutFunctionConcurrencyRequest,
};
use roadstead_base::{Ctx, Partition};

use crate::Lambda;
use crate::content::{MAX_ARCHIVE, MAX_UNPACKED};
use crate::error::{Error, Result};
use crate::names::Named;
use crate::records;

/// What nobody can reserve, so that the other functions have some.
const MIN_UNRESERVED: u32 = 100;

pub(crate) fn shown(reserved: u32) -> Concurrency {
    Concurrency {
        reserved_concurrent_executions: i32::try_from(reserved).ok(),
    }
}

impl Lambda {
    /// What functions without a reservation have together; `but` is not counted.
    pub(crate) fn unreserved(&self, partition: &Partition, but: Option<&str>) -> u32 {
        let within = records::functions(&self.store).within(partition);
        let snapshot = self.functions.snapshot();
        let others = snapshot
            .below(&within)
            .filter(|entry| Some(entry.value.name.as_str()) != but);
        let reserved: u32 = others.filter_map(|entry| entry.value.reserved).sum();
        self.options.concurrency.saturating_sub(reserved)
    }

    fn owned(&self, ctx: &Ctx, name: &str) -> Result<Named> {
        let named = Named::of(ctx, name, None)?;
        if named.qualifier.is_some() {
            return Err(Error::invalid(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.",
            ));
        }
        self.function(&ctx.partition(), &named).map(|_| named)
    }
}

pub(crate) async fn put_function_concurrency(
    lambda: &Lambda,
    ctx: &Ctx,
    input: PutFunctionConcurrencyRequest,
) -> Result<Concurrency> {
    let PutFunctionConcurrencyRequest {
        function_name,
        reserved_concurrent_executions,
    } = input;
    let named = lambda.owned(ctx, &function_name)?;
    let wanted = u32::try_from(reserved_concurrent_executions).unwrap_or_default();
    let left = lambda.unreserved(&ctx.partition(), Some(&named.name));
    if wanted > left.saturating_sub(MIN_UNRESERVED) {
        return Err(Error::invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{MIN_UNRESERVED}]."
        )));
    }
    lambda
        .change_function(ctx, &named, |function| {
            function.reserved = Some(wanted);
            Ok(())
        })
        .await?;
    Ok(shown(wanted))
}

pub(crate) fn get_function_concurrency(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetFunctionConcurrencyRequest,
) -> Result<GetFunctionConcurrencyResponse> {
    let GetFunctionConcurrencyRequest { function_name } = input;
    let named = lambda.owned(ctx, &function_name)?;
    let reserved = lambda.function(&ctx.partition(), &named)?.reserved;
    Ok(GetFunctionConcurrencyResponse {
        reserved_concurrent_executions: reserved.and_then(|reserved| i32::try_from(reserved).ok()),
    })
}

pub(crate) async fn delete_function_concurrency(
    lambda: &Lambda,
    ctx: &Ctx,
    input: DeleteFunctionConcurrencyRequest,
) -> Result<()> {
    let DeleteFunctionConcurrencyRequest { function_name } = input;
    let named = lambda.owned(ctx, &function_name)?;
    lambda
        .change_function(ctx, &named, |function| {
            function.reserved = None;
            Ok(())
        })
        .await?;
    Ok(())
}

pub(crate) fn get_account_settings(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetAccountSettingsRequest,
) -> Result<GetAccountSettingsResponse> {
    let GetAccountSettingsRequest {} = input;
    let partition = ctx.partition();
    let within = records::functions(&lambda.store).within(&partition);
    let count = lambda.functions.snapshot().below(&within).count();
    let whole = |number: u64| i64::try_from(number).ok();
    let at_once = |number: u32| i32::try_from(number).ok();
    Ok(GetAccountSettingsResponse {
        account_limit: Some(AccountLimit {
            code_size_unzipped: whole(MAX_UNPACKED),
            code_size_zipped: whole(MAX_ARCHIVE as u64),
            concurrent_executions: at_once(lambda.options.concurrency),
            total_code_size: whole(lambda.options.code_storage),
            unreserved_concurrent_executions: at_once(lambda.unreserved(&partition, None)),
        }),
        account_usage: Some(AccountUsage {
            function_count: i64::try_from(count).ok(),
            total_code_size: whole(lambda.stored(&partition)),
        }),
    })
}
