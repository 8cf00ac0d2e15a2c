//! Tags of functions.

use std::collections::BTreeMap;

use roadstead_api_lambda::{ListTagsRequest, ListTagsResponse, TagResourceRequest, UntagResourceRequest};
use roadstead_base::Ctx;

use crate::Lambda;
use crate::accept;
use crate::error::{Error, Result};
use crate::names::Named;

/// A function by its ARN; versions and aliases have no tags.
fn resource(ctx: &Ctx, arn: &str) -> Result<Named> {
    let named = Named::of(ctx, arn, None)?;
    match named.qualifier {
        None => Ok(named),
        Some(_) => Err(Error::invalid(
            "Tags on function aliases and versions are not supported. Please specify either a function ARN, CodeSigningConfig ARN, EventSourceMapping ARN, or CapacityProvider ARN.",
        )),
    }
}

pub(crate) async fn tag_resource(lambda: &Lambda, ctx: &Ctx, input: TagResourceRequest) -> Result<()> {
    let TagResourceRequest { resource: arn, tags } = input;
    let named = resource(ctx, &arn)?;
    if tags.is_empty() {
        return Err(Error::invalid(
            "An error occurred and the request cannot be processed.",
        ));
    }
    lambda
        .change_function(ctx, &named, |function| {
            function.tags = accept::tags(tags.clone(), std::mem::take(&mut function.tags))?;
            Ok(())
        })
        .await?;
    Ok(())
}

pub(crate) async fn untag_resource(lambda: &Lambda, ctx: &Ctx, input: UntagResourceRequest) -> Result<()> {
    let UntagResourceRequest {
        resource: arn,
        tag_keys,
    } = input;
    let named = resource(ctx, &arn)?;
    lambda
        .change_function(ctx, &named, |function| {
            function.tags.retain(|key, _| !tag_keys.contains(key));
            Ok(())
        })
        .await?;
    Ok(())
}

pub(crate) fn list_tags(lambda: &Lambda, ctx: &Ctx, input: ListTagsRequest) -> Result<ListTagsResponse> {
    let ListTagsRequest { resource: arn } = input;
    let tags: BTreeMap<String, String> = lambda.function(&ctx.partition(), &resource(ctx, &arn)?)?.tags;
    Ok(ListTagsResponse { tags: Some(tags) })
}
