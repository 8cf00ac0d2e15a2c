//! RunTask.

use roadstead_api_ecs::{RunTaskRequest, RunTaskResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn run_task(_ecs: &Ecs, _ctx: &Ctx, _input: RunTaskRequest) -> Result<RunTaskResponse> {
    Err(Error::Other(ApiError::not_implemented("ecs", "RunTask")))
}
