//! The trait the model asks for, operation by operation: each is a function of its own module, and each error
//! becomes a client's error here.

use roadstead_api_cloudwatch as api;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::{CloudWatch, ops};

impl api::CloudWatch for CloudWatch {
    async fn get_metric_data(
        &self,
        ctx: &Ctx,
        input: api::GetMetricDataInput,
    ) -> Result<api::GetMetricDataOutput, ApiError> {
        Ok(ops::get_data::get_metric_data(self, ctx, input)?)
    }

    async fn get_metric_statistics(
        &self,
        ctx: &Ctx,
        input: api::GetMetricStatisticsInput,
    ) -> Result<api::GetMetricStatisticsOutput, ApiError> {
        Ok(ops::get_statistics::get_metric_statistics(self, ctx, input)?)
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
}
