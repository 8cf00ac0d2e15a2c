//! The trait the model asks for, operation by operation: each is a function of its own module, and each error
//! becomes a client's error here.

use roadstead_api_sns as api;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::{Sns, permission, publish, subscriptions, tags, topics};

impl api::Sns for Sns {
    async fn add_permission(&self, ctx: &Ctx, input: api::AddPermissionInput) -> Result<(), ApiError> {
        Ok(permission::add_permission(self, ctx, input).await?)
    }

    async fn create_topic(
        &self,
        ctx: &Ctx,
        input: api::CreateTopicInput,
    ) -> Result<api::CreateTopicResponse, ApiError> {
        Ok(topics::create_topic(self, ctx, input).await?)
    }

    async fn delete_topic(&self, ctx: &Ctx, input: api::DeleteTopicInput) -> Result<(), ApiError> {
        Ok(topics::delete_topic(self, ctx, input).await?)
    }

    async fn get_subscription_attributes(
        &self,
        ctx: &Ctx,
        input: api::GetSubscriptionAttributesInput,
    ) -> Result<api::GetSubscriptionAttributesResponse, ApiError> {
        Ok(subscriptions::get_subscription_attributes(self, ctx, input)?)
    }

    async fn get_topic_attributes(
        &self,
        ctx: &Ctx,
        input: api::GetTopicAttributesInput,
    ) -> Result<api::GetTopicAttributesResponse, ApiError> {
        Ok(topics::get_topic_attributes(self, ctx, input)?)
    }

    async fn list_subscriptions(
        &self,
        ctx: &Ctx,
        input: api::ListSubscriptionsInput,
    ) -> Result<api::ListSubscriptionsResponse, ApiError> {
        Ok(subscriptions::list_subscriptions(self, ctx, input)?)
    }

    async fn list_subscriptions_by_topic(
        &self,
        ctx: &Ctx,
        input: api::ListSubscriptionsByTopicInput,
    ) -> Result<api::ListSubscriptionsByTopicResponse, ApiError> {
        Ok(subscriptions::list_subscriptions_by_topic(self, ctx, input)?)
    }

    async fn list_tags_for_resource(
        &self,
        ctx: &Ctx,
        input: api::ListTagsForResourceRequest,
    ) -> Result<api::ListTagsForResourceResponse, ApiError> {
        Ok(tags::list_tags_for_resource(self, ctx, input)?)
    }

    async fn list_topics(
        &self,
        ctx: &Ctx,
        input: api::ListTopicsInput,
    ) -> Result<api::ListTopicsResponse, ApiError> {
        Ok(topics::list_topics(self, ctx, input)?)
    }

    async fn publish(&self, ctx: &Ctx, input: api::PublishInput) -> Result<api::PublishResponse, ApiError> {
        Ok(publish::publish(self, ctx, input).await?)
    }

    async fn publish_batch(
        &self,
        ctx: &Ctx,
        input: api::PublishBatchInput,
    ) -> Result<api::PublishBatchResponse, ApiError> {
        Ok(publish::publish_batch(self, ctx, input).await?)
    }

    async fn remove_permission(&self, ctx: &Ctx, input: api::RemovePermissionInput) -> Result<(), ApiError> {
        Ok(permission::remove_permission(self, ctx, input).await?)
    }

    async fn set_subscription_attributes(
        &self,
        ctx: &Ctx,
        input: api::SetSubscriptionAttributesInput,
    ) -> Result<(), ApiError> {
        Ok(subscriptions::set_subscription_attributes(self, ctx, input).await?)
    }

    async fn set_topic_attributes(
        &self,
        ctx: &Ctx,
        input: api::SetTopicAttributesInput,
    ) -> Result<(), ApiError> {
        Ok(topics::set_topic_attributes(self, ctx, input).await?)
    }

    async fn subscribe(
        &self,
        ctx: &Ctx,
        input: api::SubscribeInput,
    ) -> Result<api::SubscribeResponse, ApiError> {
        Ok(subscriptions::subscribe(self, ctx, input).await?)
    }

    async fn tag_resource(
        &self,
        ctx: &Ctx,
        input: api::TagResourceRequest,
    ) -> Result<api::TagResourceResponse, ApiError> {
        Ok(tags::tag_resource(self, ctx, input).await?)
    }

    async fn unsubscribe(&self, ctx: &Ctx, input: api::UnsubscribeInput) -> Result<(), ApiError> {
        Ok(subscriptions::unsubscribe(self, ctx, input).await?)
    }

    async fn untag_resource(
        &self,
        ctx: &Ctx,
        input: api::UntagResourceRequest,
    ) -> Result<api::UntagResourceResponse, ApiError> {
        Ok(tags::untag_resource(self, ctx, input).await?)
    }
}
