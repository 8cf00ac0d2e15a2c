//! The trait the model asks for, operation by operation: each is a function of its own module, and each error
//! becomes a client's error here.

use roadstead_api_events as api;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::{Events, buses, publish, rules, tags, targets};

impl api::Events for Events {
    async fn create_event_bus(
        &self,
        ctx: &Ctx,
        input: api::CreateEventBusRequest,
    ) -> Result<api::CreateEventBusResponse, ApiError> {
        Ok(buses::create::create_event_bus(self, ctx, input).await?)
    }

    async fn delete_event_bus(&self, ctx: &Ctx, input: api::DeleteEventBusRequest) -> Result<(), ApiError> {
        Ok(buses::delete::delete_event_bus(self, ctx, input).await?)
    }

    async fn delete_rule(&self, ctx: &Ctx, input: api::DeleteRuleRequest) -> Result<(), ApiError> {
        Ok(rules::delete::delete_rule(self, ctx, input).await?)
    }

    async fn describe_event_bus(
        &self,
        ctx: &Ctx,
        input: api::DescribeEventBusRequest,
    ) -> Result<api::DescribeEventBusResponse, ApiError> {
        Ok(buses::describe::describe_event_bus(self, ctx, input).await?)
    }

    async fn describe_rule(
        &self,
        ctx: &Ctx,
        input: api::DescribeRuleRequest,
    ) -> Result<api::DescribeRuleResponse, ApiError> {
        Ok(rules::describe::describe_rule(self, ctx, input).await?)
    }

    async fn disable_rule(&self, ctx: &Ctx, input: api::DisableRuleRequest) -> Result<(), ApiError> {
        Ok(rules::switch::disable_rule(self, ctx, input).await?)
    }

    async fn enable_rule(&self, ctx: &Ctx, input: api::EnableRuleRequest) -> Result<(), ApiError> {
        Ok(rules::switch::enable_rule(self, ctx, input).await?)
    }

    async fn list_event_buses(
        &self,
        ctx: &Ctx,
        input: api::ListEventBusesRequest,
    ) -> Result<api::ListEventBusesResponse, ApiError> {
        Ok(buses::list::list_event_buses(self, ctx, input).await?)
    }

    async fn list_rule_names_by_target(
        &self,
        ctx: &Ctx,
        input: api::ListRuleNamesByTargetRequest,
    ) -> Result<api::ListRuleNamesByTargetResponse, ApiError> {
        Ok(rules::list_by_target::list_rule_names_by_target(self, ctx, input).await?)
    }

    async fn list_rules(
        &self,
        ctx: &Ctx,
        input: api::ListRulesRequest,
    ) -> Result<api::ListRulesResponse, ApiError> {
        Ok(rules::list::list_rules(self, ctx, input).await?)
    }

    async fn list_tags_for_resource(
        &self,
        ctx: &Ctx,
        input: api::ListTagsForResourceRequest,
    ) -> Result<api::ListTagsForResourceResponse, ApiError> {
        Ok(tags::list::list_tags_for_resource(self, ctx, input).await?)
    }

    async fn list_targets_by_rule(
        &self,
        ctx: &Ctx,
        input: api::ListTargetsByRuleRequest,
    ) -> Result<api::ListTargetsByRuleResponse, ApiError> {
        Ok(targets::list::list_targets_by_rule(self, ctx, input).await?)
    }

    async fn put_events(
        &self,
        ctx: &Ctx,
        input: api::PutEventsRequest,
    ) -> Result<api::PutEventsResponse, ApiError> {
        Ok(publish::put::put_events(self, ctx, input).await?)
    }

    async fn put_permission(&self, ctx: &Ctx, input: api::PutPermissionRequest) -> Result<(), ApiError> {
        Ok(buses::policy::put_permission(self, ctx, input).await?)
    }

    async fn remove_permission(
        &self,
        ctx: &Ctx,
        input: api::RemovePermissionRequest,
    ) -> Result<(), ApiError> {
        Ok(buses::policy::remove_permission(self, ctx, input).await?)
    }

    async fn put_rule(
        &self,
        ctx: &Ctx,
        input: api::PutRuleRequest,
    ) -> Result<api::PutRuleResponse, ApiError> {
        Ok(rules::put::put_rule(self, ctx, input).await?)
    }

    async fn put_targets(
        &self,
        ctx: &Ctx,
        input: api::PutTargetsRequest,
    ) -> Result<api::PutTargetsResponse, ApiError> {
        Ok(targets::put::put_targets(self, ctx, input).await?)
    }

    async fn remove_targets(
        &self,
        ctx: &Ctx,
        input: api::RemoveTargetsRequest,
    ) -> Result<api::RemoveTargetsResponse, ApiError> {
        Ok(targets::remove::remove_targets(self, ctx, input).await?)
    }

    async fn tag_resource(
        &self,
        ctx: &Ctx,
        input: api::TagResourceRequest,
    ) -> Result<api::TagResourceResponse, ApiError> {
        Ok(tags::tag::tag_resource(self, ctx, input).await?)
    }

    async fn test_event_pattern(
        &self,
        _ctx: &Ctx,
        input: api::TestEventPatternRequest,
    ) -> Result<api::TestEventPatternResponse, ApiError> {
        Ok(publish::test_pattern::test_event_pattern(input)?)
    }

    async fn untag_resource(
        &self,
        ctx: &Ctx,
        input: api::UntagResourceRequest,
    ) -> Result<api::UntagResourceResponse, ApiError> {
        Ok(tags::untag::untag_resource(self, ctx, input).await?)
    }

    async fn update_event_bus(
        &self,
        ctx: &Ctx,
        input: api::UpdateEventBusRequest,
    ) -> Result<api::UpdateEventBusResponse, ApiError> {
        Ok(buses::update::update_event_bus(self, ctx, input).await?)
    }
}
