//! DeleteCluster.

use roadstead_api_ecs::{DeleteClusterRequest, DeleteClusterResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn delete_cluster(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: DeleteClusterRequest,
) -> Result<DeleteClusterResponse> {
    Err(Error::Other(ApiError::not_implemented("ecs", "DeleteCluster")))
}
