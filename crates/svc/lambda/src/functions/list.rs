//! ListFunctions.

use roadstead_api_lambda::{
    FunctionConfiguration, FunctionVersion, ListFunctionsRequest, ListFunctionsResponse,
};
use roadstead_base::Ctx;

use crate::Lambda;
use crate::error::{Result, refuse};
use crate::page;
use crate::records::{self, LATEST};
use crate::show;

/// The most that a page has, whatever was asked for, as documented.
const PAGE: usize = 50;

/// By name; with all versions, `$LATEST` before the numbers.
pub(crate) fn list_functions(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListFunctionsRequest,
) -> Result<ListFunctionsResponse> {
    let ListFunctionsRequest {
        function_version,
        marker,
        master_region,
        max_items,
    } = input;
    refuse("MasterRegion", master_region.as_ref())?;
    let partition = ctx.partition();
    let all = function_version == Some(FunctionVersion::All);
    let within = records::functions(&lambda.store).within(&partition);
    let mut shown: Vec<(String, FunctionConfiguration)> = Vec::new();
    for entry in lambda.functions.snapshot().below(&within) {
        let function = &entry.value;
        let qualifier = all.then_some(LATEST);
        let latest = show::listed(&partition, &function.name, &function.latest, qualifier);
        shown.push((page::key(&[&function.name]), latest));
        if all {
            for version in lambda.all_published(&partition, &function.name) {
                let number = version.version();
                let configuration = show::listed(&partition, &function.name, &version, Some(&number));
                let key = page::key(&[
                    &function.name,
                    &format!("{:020}", version.number.unwrap_or_default()),
                ]);
                shown.push((key, configuration));
            }
        }
    }
    let scope = if all { "ListFunctions/ALL" } else { "ListFunctions" };
    let (functions, next_marker) = page::cut(ctx, scope, shown, marker.as_deref(), max_items, PAGE)?;
    Ok(ListFunctionsResponse {
        functions: Some(functions),
        next_marker,
    })
}
