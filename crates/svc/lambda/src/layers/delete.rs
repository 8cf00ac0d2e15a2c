//! DeleteLayerVersion. Functions that have the version keep its archive by their own record of it.

use roadstead_api_lambda::DeleteLayerVersionRequest;
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use super::named::Layer;
use crate::Lambda;
use crate::error::Result;
use crate::records;

/// One that is not there is gone already, as documented by the errors that there are.
pub(crate) async fn delete_layer_version(
    lambda: &Lambda,
    ctx: &Ctx,
    input: DeleteLayerVersionRequest,
) -> Result<()> {
    let DeleteLayerVersionRequest {
        layer_name,
        version_number,
    } = input;
    let number = super::number(version_number)?;
    let layer = Layer::own(ctx, &layer_name, "DeleteLayerVersion", Some(number))?;
    let key = records::layer_version_key(&lambda.store, &layer.partition, &layer.name, number);
    if let Outcome::Committed(revision) = Transaction::new(&lambda.store).delete(&key).commit().await? {
        lambda.layer_versions.wait_for(revision).await?;
    }
    Ok(())
}
