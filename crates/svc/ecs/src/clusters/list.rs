//! ListClusters.

use roadstead_api_ecs::{ListClustersRequest, ListClustersResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn list_clusters(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: ListClustersRequest,
) -> Result<ListClustersResponse> {
    Err(Error::Other(ApiError::not_implemented("ecs", "ListClusters")))
}
