//! PutAttributes. One that is there gets the new value.

use roadstead_api_ecs::{PutAttributesRequest, PutAttributesResponse, errors};
use roadstead_base::Ctx;

use super::{MAX, change};
use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn put_attributes(
    ecs: &Ecs,
    ctx: &Ctx,
    input: PutAttributesRequest,
) -> Result<PutAttributesResponse> {
    let PutAttributesRequest { attributes, cluster } = input;
    let done = change(ecs, ctx, cluster.as_deref(), attributes, |record, asked| {
        record.attributes.insert(asked.name.clone(), asked.value.clone());
        record.custom.insert(asked.name.clone());
        if record.custom.len() > MAX {
            return Err(Error::Other(errors::attribute_limit_exceeded_exception(format!(
                "A container instance can have at most {MAX} custom attributes."
            ))));
        }
        Ok(true)
    });
    Ok(PutAttributesResponse {
        attributes: Some(done.await?),
    })
}
