//! The trait the model asks for, operation by operation: each is a function of its own module, and each error
//! becomes a client's error here.

use roadstead_api_secretsmanager as api;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::{SecretsManager, ops};

impl api::SecretsManager for SecretsManager {
    async fn create_secret(
        &self,
        ctx: &Ctx,
        input: api::CreateSecretRequest,
    ) -> Result<api::CreateSecretResponse, ApiError> {
        Ok(ops::create::create_secret(self, ctx, input).await?)
    }

    async fn delete_resource_policy(
        &self,
        ctx: &Ctx,
        input: api::DeleteResourcePolicyRequest,
    ) -> Result<api::DeleteResourcePolicyResponse, ApiError> {
        Ok(ops::delete_policy::delete_resource_policy(self, ctx, input).await?)
    }

    async fn delete_secret(
        &self,
        ctx: &Ctx,
        input: api::DeleteSecretRequest,
    ) -> Result<api::DeleteSecretResponse, ApiError> {
        Ok(ops::delete::delete_secret(self, ctx, input).await?)
    }

    async fn describe_secret(
        &self,
        ctx: &Ctx,
        input: api::DescribeSecretRequest,
    ) -> Result<api::DescribeSecretResponse, ApiError> {
        Ok(ops::describe::describe_secret(self, ctx, input).await?)
    }

    async fn get_resource_policy(
        &self,
        ctx: &Ctx,
        input: api::GetResourcePolicyRequest,
    ) -> Result<api::GetResourcePolicyResponse, ApiError> {
        Ok(ops::get_policy::get_resource_policy(self, ctx, input).await?)
    }

    async fn get_secret_value(
        &self,
        ctx: &Ctx,
        input: api::GetSecretValueRequest,
    ) -> Result<api::GetSecretValueResponse, ApiError> {
        Ok(ops::get::get_secret_value(self, ctx, input).await?)
    }

    async fn list_secret_version_ids(
        &self,
        ctx: &Ctx,
        input: api::ListSecretVersionIdsRequest,
    ) -> Result<api::ListSecretVersionIdsResponse, ApiError> {
        Ok(ops::list_versions::list_secret_version_ids(self, ctx, input).await?)
    }

    async fn list_secrets(
        &self,
        ctx: &Ctx,
        input: api::ListSecretsRequest,
    ) -> Result<api::ListSecretsResponse, ApiError> {
        Ok(ops::list::list_secrets(self, ctx, input).await?)
    }

    async fn put_resource_policy(
        &self,
        ctx: &Ctx,
        input: api::PutResourcePolicyRequest,
    ) -> Result<api::PutResourcePolicyResponse, ApiError> {
        Ok(ops::put_policy::put_resource_policy(self, ctx, input).await?)
    }

    async fn put_secret_value(
        &self,
        ctx: &Ctx,
        input: api::PutSecretValueRequest,
    ) -> Result<api::PutSecretValueResponse, ApiError> {
        Ok(ops::put::put_secret_value(self, ctx, input).await?)
    }

    async fn restore_secret(
        &self,
        ctx: &Ctx,
        input: api::RestoreSecretRequest,
    ) -> Result<api::RestoreSecretResponse, ApiError> {
        Ok(ops::restore::restore_secret(self, ctx, input).await?)
    }

    async fn tag_resource(&self, ctx: &Ctx, input: api::TagResourceRequest) -> Result<(), ApiError> {
        Ok(ops::tag::tag_resource(self, ctx, input).await?)
    }

    async fn untag_resource(&self, ctx: &Ctx, input: api::UntagResourceRequest) -> Result<(), ApiError> {
        Ok(ops::untag::untag_resource(self, ctx, input).await?)
    }

    async fn update_secret(
        &self,
        ctx: &Ctx,
        input: api::UpdateSecretRequest,
    ) -> Result<api::UpdateSecretResponse, ApiError> {
        Ok(ops::update::update_secret(self, ctx, input).await?)
    }

    async fn update_secret_version_stage(
        &self,
        ctx: &Ctx,
        input: api::UpdateSecretVersionStageRequest,
    ) -> Result<api::UpdateSecretVersionStageResponse, ApiError> {
        Ok(ops::update_stage::update_secret_version_stage(self, ctx, input).await?)
    }
}
