//! DeleteParameter and DeleteParameters.

use std::collections::BTreeSet;

use roadstead_api_ssm::{
    DeleteParameterRequest, DeleteParameterResult, DeleteParametersRequest, DeleteParametersResult,
};
use roadstead_base::Ctx;

use crate::Ssm;
use crate::error::{Error, Result};
use crate::names;

pub(crate) async fn delete_parameter(
    ssm: &Ssm,
    ctx: &Ctx,
    input: DeleteParameterRequest,
) -> Result<DeleteParameterResult> {
    let DeleteParameterRequest { name } = input;
    let name = names::existing(&name)?;
    if ssm.remove(&ctx.partition(), &name).await? {
        Ok(DeleteParameterResult::default())
    } else {
        Err(Error::NotFound(name))
    }
}

pub(crate) async fn delete_parameters(
    ssm: &Ssm,
    ctx: &Ctx,
    input: DeleteParametersRequest,
) -> Result<DeleteParametersResult> {
    let DeleteParametersRequest { names: given } = input;
    let (mut deleted, mut invalid) = (Vec::new(), Vec::new());
    for name in given.into_iter().collect::<BTreeSet<String>>() {
        let known = match names::existing(&name) {
            Ok(name) => ssm.remove(&ctx.partition(), &name).await?,
            Err(_) => false,
        };
        if known {
            deleted.push(name)
        } else {
            invalid.push(name)
        }
    }
    Ok(DeleteParametersResult {
        deleted_parameters: Some(deleted),
        invalid_parameters: Some(invalid),
    })
}
