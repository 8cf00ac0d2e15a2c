//! DeleteAttributes. Answers the ones that were there.

use roadstead_api_ecs::{DeleteAttributesRequest, DeleteAttributesResponse};
use roadstead_base::Ctx;

use super::change;
use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn delete_attributes(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeleteAttributesRequest,
) -> Result<DeleteAttributesResponse> {
    let DeleteAttributesRequest { attributes, cluster } = input;
    if attributes.iter().any(|attribute| attribute.value.is_some()) {
        return Err(Error::invalid(
            "attributes.value must not be given: an attribute is deleted by its name.",
        ));
    }
    let done = change(ecs, ctx, cluster.as_deref(), attributes, |record, asked| {
        record.custom.remove(&asked.name);
        Ok(record.attributes.remove(&asked.name).is_some())
    });
    Ok(DeleteAttributesResponse {
        attributes: Some(done.await?),
    })
}
