//! The trait the model asks for, operation by operation: each is a function of its own module, and each error
//! becomes a client's error here.

use roadstead_api_ecs as api;
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::{Ecs, acs, capacity, clusters, definitions, instances, services, settings, tags, tasks};

impl api::Ecs for Ecs {
    async fn create_cluster(
        &self,
        ctx: &Ctx,
        input: api::CreateClusterRequest,
    ) -> Result<api::CreateClusterResponse, ApiError> {
        Ok(clusters::create::create_cluster(self, ctx, input).await?)
    }

    async fn delete_account_setting(
        &self,
        ctx: &Ctx,
        input: api::DeleteAccountSettingRequest,
    ) -> Result<api::DeleteAccountSettingResponse, ApiError> {
        Ok(settings::delete::delete_account_setting(self, ctx, input).await?)
    }

    async fn delete_cluster(
        &self,
        ctx: &Ctx,
        input: api::DeleteClusterRequest,
    ) -> Result<api::DeleteClusterResponse, ApiError> {
        Ok(clusters::delete::delete_cluster(self, ctx, input).await?)
    }

    async fn delete_task_definitions(
        &self,
        ctx: &Ctx,
        input: api::DeleteTaskDefinitionsRequest,
    ) -> Result<api::DeleteTaskDefinitionsResponse, ApiError> {
        Ok(definitions::delete::delete_task_definitions(self, ctx, input).await?)
    }

    async fn deregister_container_instance(
        &self,
        ctx: &Ctx,
        input: api::DeregisterContainerInstanceRequest,
    ) -> Result<api::DeregisterContainerInstanceResponse, ApiError> {
        Ok(instances::deregister::deregister_container_instance(self, ctx, input).await?)
    }

    async fn deregister_task_definition(
        &self,
        ctx: &Ctx,
        input: api::DeregisterTaskDefinitionRequest,
    ) -> Result<api::DeregisterTaskDefinitionResponse, ApiError> {
        Ok(definitions::deregister::deregister_task_definition(self, ctx, input).await?)
    }

    async fn describe_clusters(
        &self,
        ctx: &Ctx,
        input: api::DescribeClustersRequest,
    ) -> Result<api::DescribeClustersResponse, ApiError> {
        Ok(clusters::describe::describe_clusters(self, ctx, input).await?)
    }

    async fn describe_container_instances(
        &self,
        ctx: &Ctx,
        input: api::DescribeContainerInstancesRequest,
    ) -> Result<api::DescribeContainerInstancesResponse, ApiError> {
        Ok(instances::describe::describe_container_instances(self, ctx, input).await?)
    }

    async fn describe_task_definition(
        &self,
        ctx: &Ctx,
        input: api::DescribeTaskDefinitionRequest,
    ) -> Result<api::DescribeTaskDefinitionResponse, ApiError> {
        Ok(definitions::describe::describe_task_definition(self, ctx, input).await?)
    }

    async fn describe_tasks(
        &self,
        ctx: &Ctx,
        input: api::DescribeTasksRequest,
    ) -> Result<api::DescribeTasksResponse, ApiError> {
        Ok(tasks::describe::describe_tasks(self, ctx, input).await?)
    }

    async fn discover_poll_endpoint(
        &self,
        ctx: &Ctx,
        input: api::DiscoverPollEndpointRequest,
    ) -> Result<api::DiscoverPollEndpointResponse, ApiError> {
        Ok(acs::discover::discover_poll_endpoint(self, ctx, input).await?)
    }

    async fn list_account_settings(
        &self,
        ctx: &Ctx,
        input: api::ListAccountSettingsRequest,
    ) -> Result<api::ListAccountSettingsResponse, ApiError> {
        Ok(settings::list::list_account_settings(self, ctx, input).await?)
    }

    async fn list_clusters(
        &self,
        ctx: &Ctx,
        input: api::ListClustersRequest,
    ) -> Result<api::ListClustersResponse, ApiError> {
        Ok(clusters::list::list_clusters(self, ctx, input).await?)
    }

    async fn list_container_instances(
        &self,
        ctx: &Ctx,
        input: api::ListContainerInstancesRequest,
    ) -> Result<api::ListContainerInstancesResponse, ApiError> {
        Ok(instances::list::list_container_instances(self, ctx, input).await?)
    }

    async fn list_tags_for_resource(
        &self,
        ctx: &Ctx,
        input: api::ListTagsForResourceRequest,
    ) -> Result<api::ListTagsForResourceResponse, ApiError> {
        Ok(tags::list::list_tags_for_resource(self, ctx, input).await?)
    }

    async fn list_task_definition_families(
        &self,
        ctx: &Ctx,
        input: api::ListTaskDefinitionFamiliesRequest,
    ) -> Result<api::ListTaskDefinitionFamiliesResponse, ApiError> {
        Ok(definitions::families::list_task_definition_families(self, ctx, input).await?)
    }

    async fn list_task_definitions(
        &self,
        ctx: &Ctx,
        input: api::ListTaskDefinitionsRequest,
    ) -> Result<api::ListTaskDefinitionsResponse, ApiError> {
        Ok(definitions::list::list_task_definitions(self, ctx, input).await?)
    }

    async fn list_tasks(
        &self,
        ctx: &Ctx,
        input: api::ListTasksRequest,
    ) -> Result<api::ListTasksResponse, ApiError> {
        Ok(tasks::list::list_tasks(self, ctx, input).await?)
    }

    async fn put_account_setting(
        &self,
        ctx: &Ctx,
        input: api::PutAccountSettingRequest,
    ) -> Result<api::PutAccountSettingResponse, ApiError> {
        Ok(settings::put::put_account_setting(self, ctx, input).await?)
    }

    async fn put_account_setting_default(
        &self,
        ctx: &Ctx,
        input: api::PutAccountSettingDefaultRequest,
    ) -> Result<api::PutAccountSettingDefaultResponse, ApiError> {
        Ok(settings::put::put_account_setting_default(self, ctx, input).await?)
    }

    async fn register_container_instance(
        &self,
        ctx: &Ctx,
        input: api::RegisterContainerInstanceRequest,
    ) -> Result<api::RegisterContainerInstanceResponse, ApiError> {
        Ok(instances::register::register_container_instance(self, ctx, input).await?)
    }

    async fn register_task_definition(
        &self,
        ctx: &Ctx,
        input: api::RegisterTaskDefinitionRequest,
    ) -> Result<api::RegisterTaskDefinitionResponse, ApiError> {
        Ok(definitions::register::register_task_definition(self, ctx, input).await?)
    }

    async fn run_task(
        &self,
        ctx: &Ctx,
        input: api::RunTaskRequest,
    ) -> Result<api::RunTaskResponse, ApiError> {
        Ok(tasks::run::run_task(self, ctx, input).await?)
    }

    async fn start_task(
        &self,
        ctx: &Ctx,
        input: api::StartTaskRequest,
    ) -> Result<api::StartTaskResponse, ApiError> {
        Ok(tasks::start::start_task(self, ctx, input).await?)
    }

    async fn stop_task(
        &self,
        ctx: &Ctx,
        input: api::StopTaskRequest,
    ) -> Result<api::StopTaskResponse, ApiError> {
        Ok(tasks::stop::stop_task(self, ctx, input).await?)
    }

    async fn submit_attachment_state_changes(
        &self,
        ctx: &Ctx,
        input: api::SubmitAttachmentStateChangesRequest,
    ) -> Result<api::SubmitAttachmentStateChangesResponse, ApiError> {
        Ok(tasks::submit_attachments::submit_attachment_state_changes(self, ctx, input).await?)
    }

    async fn submit_container_state_change(
        &self,
        ctx: &Ctx,
        input: api::SubmitContainerStateChangeRequest,
    ) -> Result<api::SubmitContainerStateChangeResponse, ApiError> {
        Ok(tasks::submit_container::submit_container_state_change(self, ctx, input).await?)
    }

    async fn submit_task_state_change(
        &self,
        ctx: &Ctx,
        input: api::SubmitTaskStateChangeRequest,
    ) -> Result<api::SubmitTaskStateChangeResponse, ApiError> {
        Ok(tasks::submit_task::submit_task_state_change(self, ctx, input).await?)
    }

    async fn tag_resource(
        &self,
        ctx: &Ctx,
        input: api::TagResourceRequest,
    ) -> Result<api::TagResourceResponse, ApiError> {
        Ok(tags::tag::tag_resource(self, ctx, input).await?)
    }

    async fn untag_resource(
        &self,
        ctx: &Ctx,
        input: api::UntagResourceRequest,
    ) -> Result<api::UntagResourceResponse, ApiError> {
        Ok(tags::untag::untag_resource(self, ctx, input).await?)
    }

    async fn create_capacity_provider(
        &self,
        ctx: &Ctx,
        input: api::CreateCapacityProviderRequest,
    ) -> Result<api::CreateCapacityProviderResponse, ApiError> {
        Ok(capacity::create::create_capacity_provider(self, ctx, input).await?)
    }

    async fn delete_attributes(
        &self,
        ctx: &Ctx,
        input: api::DeleteAttributesRequest,
    ) -> Result<api::DeleteAttributesResponse, ApiError> {
        Ok(instances::attributes::delete::delete_attributes(self, ctx, input).await?)
    }

    async fn delete_capacity_provider(
        &self,
        ctx: &Ctx,
        input: api::DeleteCapacityProviderRequest,
    ) -> Result<api::DeleteCapacityProviderResponse, ApiError> {
        Ok(capacity::delete::delete_capacity_provider(self, ctx, input).await?)
    }

    async fn describe_capacity_providers(
        &self,
        ctx: &Ctx,
        input: api::DescribeCapacityProvidersRequest,
    ) -> Result<api::DescribeCapacityProvidersResponse, ApiError> {
        Ok(capacity::describe::describe_capacity_providers(self, ctx, input).await?)
    }

    async fn list_attributes(
        &self,
        ctx: &Ctx,
        input: api::ListAttributesRequest,
    ) -> Result<api::ListAttributesResponse, ApiError> {
        Ok(instances::attributes::list::list_attributes(self, ctx, input).await?)
    }

    async fn put_attributes(
        &self,
        ctx: &Ctx,
        input: api::PutAttributesRequest,
    ) -> Result<api::PutAttributesResponse, ApiError> {
        Ok(instances::attributes::put::put_attributes(self, ctx, input).await?)
    }

    async fn put_cluster_capacity_providers(
        &self,
        ctx: &Ctx,
        input: api::PutClusterCapacityProvidersRequest,
    ) -> Result<api::PutClusterCapacityProvidersResponse, ApiError> {
        Ok(clusters::providers::put_cluster_capacity_providers(self, ctx, input).await?)
    }

    async fn update_capacity_provider(
        &self,
        ctx: &Ctx,
        input: api::UpdateCapacityProviderRequest,
    ) -> Result<api::UpdateCapacityProviderResponse, ApiError> {
        Ok(capacity::update::update_capacity_provider(self, ctx, input).await?)
    }

    async fn update_cluster(
        &self,
        ctx: &Ctx,
        input: api::UpdateClusterRequest,
    ) -> Result<api::UpdateClusterResponse, ApiError> {
        Ok(clusters::update::update_cluster(self, ctx, input).await?)
    }

    async fn update_cluster_settings(
        &self,
        ctx: &Ctx,
        input: api::UpdateClusterSettingsRequest,
    ) -> Result<api::UpdateClusterSettingsResponse, ApiError> {
        Ok(clusters::update::update_cluster_settings(self, ctx, input).await?)
    }

    async fn update_container_instances_state(
        &self,
        ctx: &Ctx,
        input: api::UpdateContainerInstancesStateRequest,
    ) -> Result<api::UpdateContainerInstancesStateResponse, ApiError> {
        Ok(instances::state::update_container_instances_state(self, ctx, input).await?)
    }

    async fn create_service(
        &self,
        ctx: &Ctx,
        input: api::CreateServiceRequest,
    ) -> Result<api::CreateServiceResponse, ApiError> {
        Ok(services::create::create_service(self, ctx, input).await?)
    }

    async fn delete_service(
        &self,
        ctx: &Ctx,
        input: api::DeleteServiceRequest,
    ) -> Result<api::DeleteServiceResponse, ApiError> {
        Ok(services::delete::delete_service(self, ctx, input).await?)
    }

    async fn describe_services(
        &self,
        ctx: &Ctx,
        input: api::DescribeServicesRequest,
    ) -> Result<api::DescribeServicesResponse, ApiError> {
        Ok(services::describe::describe_services(self, ctx, input).await?)
    }

    async fn list_services(
        &self,
        ctx: &Ctx,
        input: api::ListServicesRequest,
    ) -> Result<api::ListServicesResponse, ApiError> {
        Ok(services::list::list_services(self, ctx, input).await?)
    }

    async fn update_service(
        &self,
        ctx: &Ctx,
        input: api::UpdateServiceRequest,
    ) -> Result<api::UpdateServiceResponse, ApiError> {
        Ok(services::update::update_service(self, ctx, input).await?)
    }

    async fn get_task_protection(
        &self,
        ctx: &Ctx,
        input: api::GetTaskProtectionRequest,
    ) -> Result<api::GetTaskProtectionResponse, ApiError> {
        Ok(services::protection::get_task_protection(self, ctx, input).await?)
    }

    async fn list_services_by_namespace(
        &self,
        ctx: &Ctx,
        input: api::ListServicesByNamespaceRequest,
    ) -> Result<api::ListServicesByNamespaceResponse, ApiError> {
        Ok(services::namespaces::list_services_by_namespace(self, ctx, input).await?)
    }

    async fn update_task_protection(
        &self,
        ctx: &Ctx,
        input: api::UpdateTaskProtectionRequest,
    ) -> Result<api::UpdateTaskProtectionResponse, ApiError> {
        Ok(services::protection::update_task_protection(self, ctx, input).await?)
    }

    async fn continue_service_deployment(
        &self,
        ctx: &Ctx,
        input: api::ContinueServiceDeploymentRequest,
    ) -> Result<api::ContinueServiceDeploymentResponse, ApiError> {
        Ok(services::deployments::proceed::continue_service_deployment(self, ctx, input).await?)
    }

    async fn describe_service_deployments(
        &self,
        ctx: &Ctx,
        input: api::DescribeServiceDeploymentsRequest,
    ) -> Result<api::DescribeServiceDeploymentsResponse, ApiError> {
        Ok(services::deployments::describe::describe_service_deployments(self, ctx, input).await?)
    }

    async fn describe_service_revisions(
        &self,
        ctx: &Ctx,
        input: api::DescribeServiceRevisionsRequest,
    ) -> Result<api::DescribeServiceRevisionsResponse, ApiError> {
        Ok(services::deployments::revisions::describe_service_revisions(self, ctx, input).await?)
    }

    async fn list_service_deployments(
        &self,
        ctx: &Ctx,
        input: api::ListServiceDeploymentsRequest,
    ) -> Result<api::ListServiceDeploymentsResponse, ApiError> {
        Ok(services::deployments::list::list_service_deployments(self, ctx, input).await?)
    }

    async fn stop_service_deployment(
        &self,
        ctx: &Ctx,
        input: api::StopServiceDeploymentRequest,
    ) -> Result<api::StopServiceDeploymentResponse, ApiError> {
        Ok(services::deployments::stop::stop_service_deployment(self, ctx, input).await?)
    }

    async fn create_task_set(
        &self,
        ctx: &Ctx,
        input: api::CreateTaskSetRequest,
    ) -> Result<api::CreateTaskSetResponse, ApiError> {
        Ok(services::sets::create::create_task_set(self, ctx, input).await?)
    }

    async fn delete_task_set(
        &self,
        ctx: &Ctx,
        input: api::DeleteTaskSetRequest,
    ) -> Result<api::DeleteTaskSetResponse, ApiError> {
        Ok(services::sets::delete::delete_task_set(self, ctx, input).await?)
    }

    async fn describe_task_sets(
        &self,
        ctx: &Ctx,
        input: api::DescribeTaskSetsRequest,
    ) -> Result<api::DescribeTaskSetsResponse, ApiError> {
        Ok(services::sets::describe::describe_task_sets(self, ctx, input).await?)
    }

    async fn update_service_primary_task_set(
        &self,
        ctx: &Ctx,
        input: api::UpdateServicePrimaryTaskSetRequest,
    ) -> Result<api::UpdateServicePrimaryTaskSetResponse, ApiError> {
        Ok(services::sets::primary::update_service_primary_task_set(self, ctx, input).await?)
    }

    async fn update_task_set(
        &self,
        ctx: &Ctx,
        input: api::UpdateTaskSetRequest,
    ) -> Result<api::UpdateTaskSetResponse, ApiError> {
        Ok(services::sets::update::update_task_set(self, ctx, input).await?)
    }
}
