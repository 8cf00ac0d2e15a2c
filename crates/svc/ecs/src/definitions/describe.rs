//! DescribeTaskDefinition.

use roadstead_api_ecs::{DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn describe_task_definition(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: DescribeTaskDefinitionRequest,
) -> Result<DescribeTaskDefinitionResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "DescribeTaskDefinition",
    )))
}
