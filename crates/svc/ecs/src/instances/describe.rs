//! DescribeContainerInstances.

use roadstead_api_ecs::{DescribeContainerInstancesRequest, DescribeContainerInstancesResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn describe_container_instances(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: DescribeContainerInstancesRequest,
) -> Result<DescribeContainerInstancesResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "DescribeContainerInstances",
    )))
}
