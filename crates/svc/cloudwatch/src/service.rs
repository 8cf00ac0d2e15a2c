//! The trait the model asks for, operation by operation: each is a function of its own module, and each error
//! becomes a client's error here.

use roadstead_api_cloudwatch as api;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::alarms::{delete, describe, for_metric, history, put_composite, put_metric, set_state, switch};
use crate::{CloudWatch, dashboards, ops, tags};

impl api::CloudWatch for CloudWatch {
    async fn get_metric_data(
        &self,
        ctx: &Ctx,
        input: api::GetMetricDataInput,
    ) -> Result<api::GetMetricDataOutput, ApiError> {
        Ok(ops::get_data::get_metric_data(self, ctx, input).await?)
    }

    async fn get_metric_statistics(
        &self,
        ctx: &Ctx,
        input: api::GetMetricStatisticsInput,
    ) -> Result<api::GetMetricStatisticsOutput, ApiError> {
        Ok(ops::get_statistics::get_metric_statistics(self, ctx, input).await?)
    }

    async fn list_metrics(
        &self,
        ctx: &Ctx,
        input: api::ListMetricsInput,
    ) -> Result<api::ListMetricsOutput, ApiError> {
        Ok(ops::list::list_metrics(self, ctx, input)?)
    }

    async fn put_metric_data(&self, ctx: &Ctx, input: api::PutMetricDataInput) -> Result<(), ApiError> {
        Ok(ops::put::put_metric_data(self, ctx, input).await?)
    }

    async fn delete_alarms(&self, ctx: &Ctx, input: api::DeleteAlarmsInput) -> Result<(), ApiError> {
        Ok(delete::delete_alarms(self, ctx, input).await?)
    }

    async fn delete_dashboards(
        &self,
        ctx: &Ctx,
        input: api::DeleteDashboardsInput,
    ) -> Result<api::DeleteDashboardsOutput, ApiError> {
        Ok(dashboards::delete::delete_dashboards(self, ctx, input).await?)
    }

    async fn describe_alarm_history(
        &self,
        ctx: &Ctx,
        input: api::DescribeAlarmHistoryInput,
    ) -> Result<api::DescribeAlarmHistoryOutput, ApiError> {
        Ok(history::describe_alarm_history(self, ctx, input).await?)
    }

    async fn describe_alarms(
        &self,
        ctx: &Ctx,
        input: api::DescribeAlarmsInput,
    ) -> Result<api::DescribeAlarmsOutput, ApiError> {
        Ok(describe::describe_alarms(self, ctx, input)?)
    }

    async fn describe_alarms_for_metric(
        &self,
        ctx: &Ctx,
        input: api::DescribeAlarmsForMetricInput,
    ) -> Result<api::DescribeAlarmsForMetricOutput, ApiError> {
        Ok(for_metric::describe_alarms_for_metric(self, ctx, input)?)
    }

    async fn disable_alarm_actions(
        &self,
        ctx: &Ctx,
        input: api::DisableAlarmActionsInput,
    ) -> Result<(), ApiError> {
        Ok(switch::disable_alarm_actions(self, ctx, input).await?)
    }

    async fn enable_alarm_actions(
        &self,
        ctx: &Ctx,
        input: api::EnableAlarmActionsInput,
    ) -> Result<(), ApiError> {
        Ok(switch::enable_alarm_actions(self, ctx, input).await?)
    }

    async fn get_dashboard(
        &self,
        ctx: &Ctx,
        input: api::GetDashboardInput,
    ) -> Result<api::GetDashboardOutput, ApiError> {
        Ok(dashboards::get::get_dashboard(self, ctx, input).await?)
    }

    async fn list_dashboards(
        &self,
        ctx: &Ctx,
        input: api::ListDashboardsInput,
    ) -> Result<api::ListDashboardsOutput, ApiError> {
        Ok(dashboards::list::list_dashboards(self, ctx, input).await?)
    }

    async fn list_tags_for_resource(
        &self,
        ctx: &Ctx,
        input: api::ListTagsForResourceInput,
    ) -> Result<api::ListTagsForResourceOutput, ApiError> {
        Ok(tags::list::list_tags_for_resource(self, ctx, input).await?)
    }

    async fn put_composite_alarm(
        &self,
        ctx: &Ctx,
        input: api::PutCompositeAlarmInput,
    ) -> Result<(), ApiError> {
        Ok(put_composite::put_composite_alarm(self, ctx, input).await?)
    }

    async fn put_dashboard(
        &self,
        ctx: &Ctx,
        input: api::PutDashboardInput,
    ) -> Result<api::PutDashboardOutput, ApiError> {
        Ok(dashboards::put::put_dashboard(self, ctx, input).await?)
    }

    async fn put_metric_alarm(&self, ctx: &Ctx, input: api::PutMetricAlarmInput) -> Result<(), ApiError> {
        Ok(put_metric::put_metric_alarm(self, ctx, input).await?)
    }

    async fn set_alarm_state(&self, ctx: &Ctx, input: api::SetAlarmStateInput) -> Result<(), ApiError> {
        Ok(set_state::set_alarm_state(self, ctx, input).await?)
    }

    async fn tag_resource(
        &self,
        ctx: &Ctx,
        input: api::TagResourceInput,
    ) -> Result<api::TagResourceOutput, ApiError> {
        Ok(tags::tag::tag_resource(self, ctx, input).await?)
    }

    async fn untag_resource(
        &self,
        ctx: &Ctx,
        input: api::UntagResourceInput,
    ) -> Result<api::UntagResourceOutput, ApiError> {
        Ok(tags::untag::untag_resource(self, ctx, input).await?)
    }
}
