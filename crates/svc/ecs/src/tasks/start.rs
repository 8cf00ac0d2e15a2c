//! StartTask.

use roadstead_api_ecs::{StartTaskRequest, StartTaskResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn start_task(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: StartTaskRequest,
) -> Result<StartTaskResponse> {
    Err(Error::Other(ApiError::not_implemented("ecs", "StartTask")))
}
