//! DescribeClusters.

use roadstead_api_ecs::{DescribeClustersRequest, DescribeClustersResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn describe_clusters(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: DescribeClustersRequest,
) -> Result<DescribeClustersResponse> {
    Err(Error::Other(ApiError::not_implemented("ecs", "DescribeClusters")))
}
