//! ListTasks.

use roadstead_api_ecs::{ListTasksRequest, ListTasksResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn list_tasks(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: ListTasksRequest,
) -> Result<ListTasksResponse> {
    Err(Error::Other(ApiError::not_implemented("ecs", "ListTasks")))
}
