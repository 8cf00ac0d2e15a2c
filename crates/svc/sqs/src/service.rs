//! The trait the model asks for, operation by operation: each is a function of its own module, and each error
//! becomes a client's error here.

use roadstead_api_sqs as api;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::{Sqs, ops};

impl api::Sqs for Sqs {
    async fn add_permission(&self, ctx: &Ctx, input: api::AddPermissionRequest) -> Result<(), ApiError> {
        Ok(ops::permission::add_permission(self, ctx, input).await?)
    }

    async fn cancel_message_move_task(
        &self,
        ctx: &Ctx,
        input: api::CancelMessageMoveTaskRequest,
    ) -> Result<api::CancelMessageMoveTaskResult, ApiError> {
        Ok(ops::move_tasks::cancel_message_move_task(self, ctx, input).await?)
    }

    async fn change_message_visibility(
        &self,
        ctx: &Ctx,
        input: api::ChangeMessageVisibilityRequest,
    ) -> Result<(), ApiError> {
        Ok(ops::visibility::change_message_visibility(self, ctx, input).await?)
    }

    async fn change_message_visibility_batch(
        &self,
        ctx: &Ctx,
        input: api::ChangeMessageVisibilityBatchRequest,
    ) -> Result<api::ChangeMessageVisibilityBatchResult, ApiError> {
        Ok(ops::visibility::change_message_visibility_batch(self, ctx, input).await?)
    }

    async fn create_queue(
        &self,
        ctx: &Ctx,
        input: api::CreateQueueRequest,
    ) -> Result<api::CreateQueueResult, ApiError> {
        Ok(ops::create::create_queue(self, ctx, input).await?)
    }

    async fn delete_message(&self, ctx: &Ctx, input: api::DeleteMessageRequest) -> Result<(), ApiError> {
        Ok(ops::delete_message::delete_message(self, ctx, input).await?)
    }

    async fn delete_message_batch(
        &self,
        ctx: &Ctx,
        input: api::DeleteMessageBatchRequest,
    ) -> Result<api::DeleteMessageBatchResult, ApiError> {
        Ok(ops::delete_message::delete_message_batch(self, ctx, input).await?)
    }

    async fn delete_queue(&self, ctx: &Ctx, input: api::DeleteQueueRequest) -> Result<(), ApiError> {
        Ok(ops::delete_queue::delete_queue(self, ctx, input).await?)
    }

    async fn get_queue_attributes(
        &self,
        ctx: &Ctx,
        input: api::GetQueueAttributesRequest,
    ) -> Result<api::GetQueueAttributesResult, ApiError> {
        Ok(ops::attributes::get_queue_attributes(self, ctx, input)?)
    }

    async fn get_queue_url(
        &self,
        ctx: &Ctx,
        input: api::GetQueueUrlRequest,
    ) -> Result<api::GetQueueUrlResult, ApiError> {
        Ok(ops::url::get_queue_url(self, ctx, input)?)
    }

    async fn list_dead_letter_source_queues(
        &self,
        ctx: &Ctx,
        input: api::ListDeadLetterSourceQueuesRequest,
    ) -> Result<api::ListDeadLetterSourceQueuesResult, ApiError> {
        Ok(ops::list::list_dead_letter_source_queues(self, ctx, input)?)
    }

    async fn list_message_move_tasks(
        &self,
        ctx: &Ctx,
        input: api::ListMessageMoveTasksRequest,
    ) -> Result<api::ListMessageMoveTasksResult, ApiError> {
        Ok(ops::move_tasks::list_message_move_tasks(self, ctx, input).await?)
    }

    async fn list_queue_tags(
        &self,
        ctx: &Ctx,
        input: api::ListQueueTagsRequest,
    ) -> Result<api::ListQueueTagsResult, ApiError> {
        Ok(ops::tags::list_queue_tags(self, ctx, input)?)
    }

    async fn list_queues(
        &self,
        ctx: &Ctx,
        input: api::ListQueuesRequest,
    ) -> Result<api::ListQueuesResult, ApiError> {
        Ok(ops::list::list_queues(self, ctx, input)?)
    }

    async fn purge_queue(&self, ctx: &Ctx, input: api::PurgeQueueRequest) -> Result<(), ApiError> {
        Ok(ops::purge::purge_queue(self, ctx, input).await?)
    }

    async fn receive_message(
        &self,
        ctx: &Ctx,
        input: api::ReceiveMessageRequest,
    ) -> Result<api::ReceiveMessageResult, ApiError> {
        Ok(ops::receive::receive_message(self, ctx, input).await?)
    }

    async fn remove_permission(
        &self,
        ctx: &Ctx,
        input: api::RemovePermissionRequest,
    ) -> Result<(), ApiError> {
        Ok(ops::permission::remove_permission(self, ctx, input).await?)
    }

    async fn send_message(
        &self,
        ctx: &Ctx,
        input: api::SendMessageRequest,
    ) -> Result<api::SendMessageResult, ApiError> {
        Ok(ops::send::send_message(self, ctx, input).await?)
    }

    async fn send_message_batch(
        &self,
        ctx: &Ctx,
        input: api::SendMessageBatchRequest,
    ) -> Result<api::SendMessageBatchResult, ApiError> {
        Ok(ops::send::send_message_batch(self, ctx, input).await?)
    }

    async fn set_queue_attributes(
        &self,
        ctx: &Ctx,
        input: api::SetQueueAttributesRequest,
    ) -> Result<(), ApiError> {
        Ok(ops::attributes::set_queue_attributes(self, ctx, input).await?)
    }

    async fn start_message_move_task(
        &self,
        ctx: &Ctx,
        input: api::StartMessageMoveTaskRequest,
    ) -> Result<api::StartMessageMoveTaskResult, ApiError> {
        Ok(ops::move_tasks::start_message_move_task(self, ctx, input).await?)
    }

    async fn tag_queue(&self, ctx: &Ctx, input: api::TagQueueRequest) -> Result<(), ApiError> {
        Ok(ops::tags::tag_queue(self, ctx, input).await?)
    }

    async fn untag_queue(&self, ctx: &Ctx, input: api::UntagQueueRequest) -> Result<(), ApiError> {
        Ok(ops::tags::untag_queue(self, ctx, input).await?)
    }
}
