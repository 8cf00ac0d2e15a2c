//! SubmitAttachmentStateChanges.

use roadstead_api_ecs::{SubmitAttachmentStateChangesRequest, SubmitAttachmentStateChangesResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn submit_attachment_state_changes(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: SubmitAttachmentStateChangesRequest,
) -> Result<SubmitAttachmentStateChangesResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "SubmitAttachmentStateChanges",
    )))
}
