//! SubmitContainerStateChange.

use roadstead_api_ecs::{SubmitContainerStateChangeRequest, SubmitContainerStateChangeResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn submit_container_state_change(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: SubmitContainerStateChangeRequest,
) -> Result<SubmitContainerStateChangeResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "SubmitContainerStateChange",
    )))
}
