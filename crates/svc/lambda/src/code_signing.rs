//! GetFunctionCodeSigningConfig. No function has such a configuration: whatever would give it one is refused.

use roadstead_api_lambda::{GetFunctionCodeSigningConfigRequest, GetFunctionCodeSigningConfigResponse};
use roadstead_base::Ctx;

use crate::Lambda;
use crate::error::{Error, Result};
use crate::names::Named;

pub(crate) fn get_function_code_signing_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetFunctionCodeSigningConfigRequest,
) -> Result<GetFunctionCodeSigningConfigResponse> {
    let GetFunctionCodeSigningConfigRequest { function_name } = input;
    let named = Named::of(ctx, &function_name, None)?;
    if named.qualifier.is_some() {
        return Err(Error::invalid(
            "Code signing configurations are of functions: neither versions nor aliases have any.",
        ));
    }
    let function = lambda.function(&ctx.partition(), &named)?;
    Ok(GetFunctionCodeSigningConfigResponse {
        // The model has it in every answer; empty, it names none.
        code_signing_config_arn: String::new(),
        function_name: function.name,
    })
}
