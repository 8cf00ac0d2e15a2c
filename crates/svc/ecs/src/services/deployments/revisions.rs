//! DescribeServiceRevisions.

use roadstead_api_ecs as api;
use roadstead_api_ecs::{DescribeServiceRevisionsRequest, DescribeServiceRevisionsResponse};
use roadstead_base::Ctx;

use super::describe::{all_named, missing, service_of};
use super::name::{Named, REVISION};
use super::record::RevisionRecord;
use crate::Ecs;
use crate::error::Result;
use crate::services::show::{launch_type, network_shown, platform_shown, strategy_shown};
use crate::tables::{definition_key, revisions_of};
use crate::tasks::Launch;

pub(crate) async fn describe_service_revisions(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DescribeServiceRevisionsRequest,
) -> Result<DescribeServiceRevisionsResponse> {
    let DescribeServiceRevisionsRequest {
        service_revision_arns,
    } = input;
    let named = all_named(ctx, REVISION, "serviceRevisionArns", &service_revision_arns)?;
    let (mut revisions, mut failures) = (Vec::new(), Vec::new());
    for named in &named {
        match show(ecs, ctx, named).await? {
            Some(revision) => revisions.push(revision),
            None => failures.push(missing(ctx, REVISION, named)),
        }
    }
    Ok(DescribeServiceRevisionsResponse {
        failures: Some(failures),
        service_revisions: Some(revisions),
    })
}

async fn show(ecs: &Ecs, ctx: &Ctx, named: &Named) -> Result<Option<api::ServiceRevision>> {
    let Some(service) = service_of(ecs, ctx, named).await? else {
        return Ok(None);
    };
    let below = revisions_of(&service.partition, &service.cluster, &service.name);
    let Some(entry) = ecs.revisions().get(&below.child(&named.id)).await? else {
        return Ok(None);
    };
    let record = entry.value;
    let spec = &record.spec;
    let partition = &service.partition;
    Ok(Some(api::ServiceRevision {
        capacity_provider_strategy: strategy_shown(spec),
        cluster_arn: Some(service.cluster.arn(partition)),
        container_images: Some(images(ecs, ctx, &record).await?),
        created_at: Some(record.created_at),
        guard_duty_enabled: Some(false),
        launch_type: launch_type(Some(spec)),
        network_configuration: network_shown(spec),
        platform_family: (spec.launch == Launch::Fargate).then(|| "Linux".to_owned()),
        platform_version: platform_shown(spec.launch, spec.platform.as_deref()),
        service_arn: Some(service.arn()),
        service_revision_arn: Some(named.arn(REVISION, partition)),
        task_definition: Some(spec.definition.arn(partition)),
        ..api::ServiceRevision::default()
    }))
}

/// The definition's images, with what they turned out to be.
async fn images(ecs: &Ecs, ctx: &Ctx, record: &RevisionRecord) -> Result<Vec<api::ContainerImage>> {
    let key = definition_key(&ctx.partition(), &record.spec.definition);
    let Some(entry) = ecs.definitions().get(&key).await? else {
        return Ok(Vec::new());
    };
    let containers = entry.value.definition.container_definitions.clone();
    let image = |container: api::ContainerDefinition| api::ContainerImage {
        image_digest: container
            .name
            .as_ref()
            .and_then(|name| record.digests.get(name))
            .cloned(),
        container_name: container.name,
        image: container.image,
    };
    Ok(containers.unwrap_or_default().into_iter().map(image).collect())
}
