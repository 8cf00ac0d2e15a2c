//! ListTagsForResource.

use roadstead_api_events::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use roadstead_base::Ctx;

use crate::Events;
use crate::error::Result;
use crate::names::{Named, resource};

pub(crate) async fn list_tags_for_resource(
    events: &Events,
    ctx: &Ctx,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse> {
    let ListTagsForResourceRequest { resource_arn } = input;
    let tags = match resource(ctx, &resource_arn)? {
        Named::Bus(bus) => events.bus(ctx, &bus).await?.tags,
        Named::Rule { bus, rule } => events.rule(ctx, &bus, &rule).await?.value.tags,
    };
    Ok(ListTagsForResourceResponse {
        tags: Some(super::to_api(&tags)),
    })
}
