//! Tags of topics.

use std::collections::BTreeMap;

use roadstead_api_sns::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, Tag, TagResourceRequest, TagResourceResponse,
    UntagResourceRequest, UntagResourceResponse,
};
use roadstead_base::{Ctx, Tags};

use crate::Sns;
use crate::error::{Error, Result};
use crate::names;

/// Tags over those that were there.
pub(crate) fn checked(tags: Vec<Tag>, mut all: BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    for Tag { key, value } in tags {
        if Tags::is_reserved(&key) {
            return Err(Error::invalid(format!(
                "Tags Reason: the key {key} begins with aws:, which is reserved"
            )));
        }
        all.insert(key, value);
    }
    match all.len() > Tags::MAX {
        true => Err(Error::TooManyTags),
        false => Ok(all),
    }
}

/// These operations have another word for what is not there.
fn resource(error: Error) -> Error {
    match error {
        Error::NoSuchTopic => Error::NoSuchResource,
        error => error,
    }
}

pub(crate) async fn tag_resource(
    sns: &Sns,
    ctx: &Ctx,
    input: TagResourceRequest,
) -> Result<TagResourceResponse> {
    let TagResourceRequest { resource_arn, tags } = input;
    let topic = names::topic(ctx, "ResourceArn", &resource_arn)?;
    sns.change_topic(ctx, &topic, |record| {
        record.tags = checked(tags.clone(), record.tags.clone())?;
        Ok(())
    })
    .await
    .map_err(resource)?;
    Ok(TagResourceResponse {})
}

pub(crate) async fn untag_resource(
    sns: &Sns,
    ctx: &Ctx,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse> {
    let UntagResourceRequest {
        resource_arn,
        tag_keys,
    } = input;
    let topic = names::topic(ctx, "ResourceArn", &resource_arn)?;
    sns.change_topic(ctx, &topic, |record| {
        record.tags.retain(|key, _| !tag_keys.contains(key));
        Ok(())
    })
    .await
    .map_err(resource)?;
    Ok(UntagResourceResponse {})
}

pub(crate) fn list_tags_for_resource(
    sns: &Sns,
    ctx: &Ctx,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse> {
    let ListTagsForResourceRequest { resource_arn } = input;
    let topic = names::topic(ctx, "ResourceArn", &resource_arn)?;
    let tags = sns.topic(ctx, &topic).map_err(resource)?.tags;
    Ok(ListTagsForResourceResponse {
        tags: Some(tags.into_iter().map(|(key, value)| Tag { key, value }).collect()),
    })
}
