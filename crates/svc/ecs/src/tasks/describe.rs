//! DescribeTasks.

use roadstead_api_ecs::{DescribeTasksRequest, DescribeTasksResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn describe_tasks(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: DescribeTasksRequest,
) -> Result<DescribeTasksResponse> {
    Err(Error::Other(ApiError::not_implemented("ecs", "DescribeTasks")))
}
