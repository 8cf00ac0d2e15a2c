//! SubmitTaskStateChange.

use roadstead_api_ecs::{SubmitTaskStateChangeRequest, SubmitTaskStateChangeResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn submit_task_state_change(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: SubmitTaskStateChangeRequest,
) -> Result<SubmitTaskStateChangeResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "SubmitTaskStateChange",
    )))
}
