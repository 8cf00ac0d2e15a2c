//! CreateCluster.

use roadstead_api_ecs::{CreateClusterRequest, CreateClusterResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn create_cluster(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: CreateClusterRequest,
) -> Result<CreateClusterResponse> {
    Err(Error::Other(ApiError::not_implemented("ecs", "CreateCluster")))
}
