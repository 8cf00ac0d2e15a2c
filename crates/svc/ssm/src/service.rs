//! The trait the model asks for, operation by operation: each is a function of its own module, and each error
//! becomes a client's error here.

use roadstead_api_ssm as api;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::{Ssm, ops};

impl api::Ssm for Ssm {
    async fn add_tags_to_resource(
        &self,
        ctx: &Ctx,
        input: api::AddTagsToResourceRequest,
    ) -> Result<api::AddTagsToResourceResult, ApiError> {
        Ok(ops::tags::add_tags_to_resource(self, ctx, input).await?)
    }

    async fn delete_parameter(
        &self,
        ctx: &Ctx,
        input: api::DeleteParameterRequest,
    ) -> Result<api::DeleteParameterResult, ApiError> {
        Ok(ops::delete::delete_parameter(self, ctx, input).await?)
    }

    async fn delete_parameters(
        &self,
        ctx: &Ctx,
        input: api::DeleteParametersRequest,
    ) -> Result<api::DeleteParametersResult, ApiError> {
        Ok(ops::delete::delete_parameters(self, ctx, input).await?)
    }

    async fn describe_parameters(
        &self,
        ctx: &Ctx,
        input: api::DescribeParametersRequest,
    ) -> Result<api::DescribeParametersResult, ApiError> {
        Ok(ops::describe::describe_parameters(self, ctx, input).await?)
    }

    async fn get_parameter(
        &self,
        ctx: &Ctx,
        input: api::GetParameterRequest,
    ) -> Result<api::GetParameterResult, ApiError> {
        Ok(ops::get::get_parameter(self, ctx, input).await?)
    }

    async fn get_parameter_history(
        &self,
        ctx: &Ctx,
        input: api::GetParameterHistoryRequest,
    ) -> Result<api::GetParameterHistoryResult, ApiError> {
        Ok(ops::history::get_parameter_history(self, ctx, input).await?)
    }

    async fn get_parameters(
        &self,
        ctx: &Ctx,
        input: api::GetParametersRequest,
    ) -> Result<api::GetParametersResult, ApiError> {
        Ok(ops::get::get_parameters(self, ctx, input).await?)
    }

    async fn get_parameters_by_path(
        &self,
        ctx: &Ctx,
        input: api::GetParametersByPathRequest,
    ) -> Result<api::GetParametersByPathResult, ApiError> {
        Ok(ops::by_path::get_parameters_by_path(self, ctx, input).await?)
    }

    async fn label_parameter_version(
        &self,
        ctx: &Ctx,
        input: api::LabelParameterVersionRequest,
    ) -> Result<api::LabelParameterVersionResult, ApiError> {
        Ok(ops::label::label_parameter_version(self, ctx, input).await?)
    }

    async fn list_tags_for_resource(
        &self,
        ctx: &Ctx,
        input: api::ListTagsForResourceRequest,
    ) -> Result<api::ListTagsForResourceResult, ApiError> {
        Ok(ops::tags::list_tags_for_resource(self, ctx, input).await?)
    }

    async fn put_parameter(
        &self,
        ctx: &Ctx,
        input: api::PutParameterRequest,
    ) -> Result<api::PutParameterResult, ApiError> {
        Ok(ops::put::put_parameter(self, ctx, input).await?)
    }

    async fn remove_tags_from_resource(
        &self,
        ctx: &Ctx,
        input: api::RemoveTagsFromResourceRequest,
    ) -> Result<api::RemoveTagsFromResourceResult, ApiError> {
        Ok(ops::tags::remove_tags_from_resource(self, ctx, input).await?)
    }

    async fn unlabel_parameter_version(
        &self,
        ctx: &Ctx,
        input: api::UnlabelParameterVersionRequest,
    ) -> Result<api::UnlabelParameterVersionResult, ApiError> {
        Ok(ops::label::unlabel_parameter_version(self, ctx, input).await?)
    }
}
