//! The trait the model asks for, operation by operation: each is a function of its own module, and each error
//! becomes a client's error here.

use std::sync::Arc;

use roadstead_api_logs as api;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::{Logs, filters, groups, policies, queries, streams, subscriptions, tags, tail};

/// The service behind the gate.
pub struct Server(pub Arc<Logs>);

impl api::Logs for Server {
    async fn create_log_group(&self, ctx: &Ctx, input: api::CreateLogGroupRequest) -> Result<(), ApiError> {
        Ok(groups::create::create_log_group(&self.0, ctx, input).await?)
    }

    async fn create_log_stream(&self, ctx: &Ctx, input: api::CreateLogStreamRequest) -> Result<(), ApiError> {
        Ok(streams::create::create_log_stream(&self.0, ctx, input).await?)
    }

    async fn delete_log_group(&self, ctx: &Ctx, input: api::DeleteLogGroupRequest) -> Result<(), ApiError> {
        Ok(groups::delete::delete_log_group(&self.0, ctx, input).await?)
    }

    async fn delete_log_stream(&self, ctx: &Ctx, input: api::DeleteLogStreamRequest) -> Result<(), ApiError> {
        Ok(streams::delete::delete_log_stream(&self.0, ctx, input).await?)
    }

    async fn delete_metric_filter(
        &self,
        ctx: &Ctx,
        input: api::DeleteMetricFilterRequest,
    ) -> Result<(), ApiError> {
        Ok(filters::delete::delete_metric_filter(&self.0, ctx, input).await?)
    }

    async fn delete_retention_policy(
        &self,
        ctx: &Ctx,
        input: api::DeleteRetentionPolicyRequest,
    ) -> Result<(), ApiError> {
        Ok(groups::retention::delete_retention_policy(&self.0, ctx, input).await?)
    }

    async fn delete_subscription_filter(
        &self,
        ctx: &Ctx,
        input: api::DeleteSubscriptionFilterRequest,
    ) -> Result<(), ApiError> {
        Ok(subscriptions::delete::delete_subscription_filter(&self.0, ctx, input).await?)
    }

    async fn describe_log_groups(
        &self,
        ctx: &Ctx,
        input: api::DescribeLogGroupsRequest,
    ) -> Result<api::DescribeLogGroupsResponse, ApiError> {
        Ok(groups::describe::describe_log_groups(&self.0, ctx, input).await?)
    }

    async fn describe_log_streams(
        &self,
        ctx: &Ctx,
        input: api::DescribeLogStreamsRequest,
    ) -> Result<api::DescribeLogStreamsResponse, ApiError> {
        Ok(streams::describe::describe_log_streams(&self.0, ctx, input).await?)
    }

    async fn describe_metric_filters(
        &self,
        ctx: &Ctx,
        input: api::DescribeMetricFiltersRequest,
    ) -> Result<api::DescribeMetricFiltersResponse, ApiError> {
        Ok(filters::describe::describe_metric_filters(&self.0, ctx, input).await?)
    }

    async fn describe_subscription_filters(
        &self,
        ctx: &Ctx,
        input: api::DescribeSubscriptionFiltersRequest,
    ) -> Result<api::DescribeSubscriptionFiltersResponse, ApiError> {
        Ok(subscriptions::describe::describe_subscription_filters(&self.0, ctx, input).await?)
    }

    async fn filter_log_events(
        &self,
        ctx: &Ctx,
        input: api::FilterLogEventsRequest,
    ) -> Result<api::FilterLogEventsResponse, ApiError> {
        Ok(streams::filter::filter_log_events(&self.0, ctx, input).await?)
    }

    async fn get_log_events(
        &self,
        ctx: &Ctx,
        input: api::GetLogEventsRequest,
    ) -> Result<api::GetLogEventsResponse, ApiError> {
        Ok(streams::get::get_log_events(&self.0, ctx, input).await?)
    }

    async fn list_tags_for_resource(
        &self,
        ctx: &Ctx,
        input: api::ListTagsForResourceRequest,
    ) -> Result<api::ListTagsForResourceResponse, ApiError> {
        Ok(tags::list_tags_for_resource(&self.0, ctx, input).await?)
    }

    async fn list_tags_log_group(
        &self,
        ctx: &Ctx,
        input: api::ListTagsLogGroupRequest,
    ) -> Result<api::ListTagsLogGroupResponse, ApiError> {
        Ok(tags::list_tags_log_group(&self.0, ctx, input).await?)
    }

    async fn put_log_events(
        &self,
        ctx: &Ctx,
        input: api::PutLogEventsRequest,
    ) -> Result<api::PutLogEventsResponse, ApiError> {
        Ok(streams::put::put_log_events(&self.0, ctx, input).await?)
    }

    async fn put_metric_filter(&self, ctx: &Ctx, input: api::PutMetricFilterRequest) -> Result<(), ApiError> {
        Ok(filters::put::put_metric_filter(&self.0, ctx, input).await?)
    }

    async fn put_retention_policy(
        &self,
        ctx: &Ctx,
        input: api::PutRetentionPolicyRequest,
    ) -> Result<(), ApiError> {
        Ok(groups::retention::put_retention_policy(&self.0, ctx, input).await?)
    }

    async fn put_subscription_filter(
        &self,
        ctx: &Ctx,
        input: api::PutSubscriptionFilterRequest,
    ) -> Result<(), ApiError> {
        Ok(subscriptions::put::put_subscription_filter(&self.0, ctx, input).await?)
    }

    async fn tag_log_group(&self, ctx: &Ctx, input: api::TagLogGroupRequest) -> Result<(), ApiError> {
        Ok(tags::tag_log_group(&self.0, ctx, input).await?)
    }

    async fn tag_resource(&self, ctx: &Ctx, input: api::TagResourceRequest) -> Result<(), ApiError> {
        Ok(tags::tag_resource(&self.0, ctx, input).await?)
    }

    async fn test_metric_filter(
        &self,
        _ctx: &Ctx,
        input: api::TestMetricFilterRequest,
    ) -> Result<api::TestMetricFilterResponse, ApiError> {
        Ok(filters::test::test_metric_filter(input)?)
    }

    async fn untag_log_group(&self, ctx: &Ctx, input: api::UntagLogGroupRequest) -> Result<(), ApiError> {
        Ok(tags::untag_log_group(&self.0, ctx, input).await?)
    }

    async fn untag_resource(&self, ctx: &Ctx, input: api::UntagResourceRequest) -> Result<(), ApiError> {
        Ok(tags::untag_resource(&self.0, ctx, input).await?)
    }

    async fn delete_query_definition(
        &self,
        ctx: &Ctx,
        input: api::DeleteQueryDefinitionRequest,
    ) -> Result<api::DeleteQueryDefinitionResponse, ApiError> {
        Ok(queries::definitions::delete_query_definition(&self.0, ctx, input).await?)
    }

    async fn describe_queries(
        &self,
        ctx: &Ctx,
        input: api::DescribeQueriesRequest,
    ) -> Result<api::DescribeQueriesResponse, ApiError> {
        Ok(queries::describe::describe_queries(&self.0, ctx, input)?)
    }

    async fn describe_query_definitions(
        &self,
        ctx: &Ctx,
        input: api::DescribeQueryDefinitionsRequest,
    ) -> Result<api::DescribeQueryDefinitionsResponse, ApiError> {
        Ok(queries::definitions::describe_query_definitions(&self.0, ctx, input).await?)
    }

    async fn get_log_group_fields(
        &self,
        ctx: &Ctx,
        input: api::GetLogGroupFieldsRequest,
    ) -> Result<api::GetLogGroupFieldsResponse, ApiError> {
        Ok(queries::fields::get_log_group_fields(&self.0, ctx, input).await?)
    }

    async fn get_log_record(
        &self,
        ctx: &Ctx,
        input: api::GetLogRecordRequest,
    ) -> Result<api::GetLogRecordResponse, ApiError> {
        Ok(queries::record::get_log_record(&self.0, ctx, input)?)
    }

    async fn get_query_results(
        &self,
        ctx: &Ctx,
        input: api::GetQueryResultsRequest,
    ) -> Result<api::GetQueryResultsResponse, ApiError> {
        Ok(queries::results::get_query_results(&self.0, ctx, input)?)
    }

    async fn list_log_groups(
        &self,
        ctx: &Ctx,
        input: api::ListLogGroupsRequest,
    ) -> Result<api::ListLogGroupsResponse, ApiError> {
        Ok(groups::list::list_log_groups(&self.0, ctx, input)?)
    }

    async fn list_log_groups_for_query(
        &self,
        ctx: &Ctx,
        input: api::ListLogGroupsForQueryRequest,
    ) -> Result<api::ListLogGroupsForQueryResponse, ApiError> {
        Ok(queries::groups::list_log_groups_for_query(&self.0, ctx, input)?)
    }

    async fn put_log_group_deletion_protection(
        &self,
        ctx: &Ctx,
        input: api::PutLogGroupDeletionProtectionRequest,
    ) -> Result<(), ApiError> {
        Ok(groups::protect::put_log_group_deletion_protection(&self.0, ctx, input).await?)
    }

    async fn put_query_definition(
        &self,
        ctx: &Ctx,
        input: api::PutQueryDefinitionRequest,
    ) -> Result<api::PutQueryDefinitionResponse, ApiError> {
        Ok(queries::definitions::put_query_definition(&self.0, ctx, input).await?)
    }

    async fn start_query(
        &self,
        ctx: &Ctx,
        input: api::StartQueryRequest,
    ) -> Result<api::StartQueryResponse, ApiError> {
        Ok(queries::start::start_query(&self.0, ctx, input).await?)
    }

    async fn stop_query(
        &self,
        ctx: &Ctx,
        input: api::StopQueryRequest,
    ) -> Result<api::StopQueryResponse, ApiError> {
        Ok(queries::stop::stop_query(&self.0, ctx, input)?)
    }

    async fn start_live_tail(
        &self,
        ctx: &Ctx,
        input: api::StartLiveTailRequest,
    ) -> Result<api::StartLiveTailResponse, ApiError> {
        Ok(tail::start::start_live_tail(&self.0, ctx, input).await?)
    }

    async fn delete_resource_policy(
        &self,
        ctx: &Ctx,
        input: api::DeleteResourcePolicyRequest,
    ) -> Result<(), ApiError> {
        Ok(policies::delete::delete_resource_policy(&self.0, ctx, input).await?)
    }

    async fn describe_resource_policies(
        &self,
        ctx: &Ctx,
        input: api::DescribeResourcePoliciesRequest,
    ) -> Result<api::DescribeResourcePoliciesResponse, ApiError> {
        Ok(policies::describe::describe_resource_policies(
            &self.0, ctx, input,
        )?)
    }

    async fn put_resource_policy(
        &self,
        ctx: &Ctx,
        input: api::PutResourcePolicyRequest,
    ) -> Result<api::PutResourcePolicyResponse, ApiError> {
        Ok(policies::put::put_resource_policy(&self.0, ctx, input).await?)
    }
}
