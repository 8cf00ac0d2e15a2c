//! Tags of groups, by the group's ARN and, as an older form, by its name.

use std::collections::BTreeMap;

use roadstead_api_logs::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, ListTagsLogGroupRequest,
    ListTagsLogGroupResponse, TagLogGroupRequest, TagResourceRequest, UntagLogGroupRequest,
    UntagResourceRequest,
};
use roadstead_base::Ctx;

use crate::Logs;
use crate::error::{Error, Result};
use crate::names::from_identifier;
use crate::records::GroupRecord;

pub(crate) const MAX_TAGS: usize = 50;

pub(crate) fn check(tags: &BTreeMap<String, String>) -> Result<()> {
    if let Some(key) = tags
        .keys()
        .find(|key| key.to_ascii_lowercase().starts_with("aws:"))
    {
        return Err(Error::invalid(format!(
            "The tag key {key} begins with aws:, which is reserved."
        )));
    }
    if tags.len() > MAX_TAGS {
        return Err(Error::invalid(format!(
            "A resource can have at most {MAX_TAGS} tags."
        )));
    }
    Ok(())
}

/// The group that an ARN names.
fn named(ctx: &Ctx, arn: &str) -> Result<String> {
    if !arn.starts_with("arn:") {
        return Err(Error::invalid(format!("{arn} is not the ARN of a log group.")));
    }
    from_identifier(ctx, arn)
}

async fn remove(logs: &Logs, ctx: &Ctx, group: &str, keys: &[String]) -> Result<()> {
    let change = |group: &mut GroupRecord| {
        group.tags.retain(|key, _| !keys.contains(key));
        Ok(())
    };
    logs.change_group(ctx, group, change).await
}

pub(crate) async fn tag_resource(logs: &Logs, ctx: &Ctx, input: TagResourceRequest) -> Result<()> {
    let TagResourceRequest { resource_arn, tags } = input;
    let group = named(ctx, &resource_arn)?;
    let change = |group: &mut GroupRecord| {
        group.tags.extend(tags.clone());
        match group.tags.len() > MAX_TAGS {
            true => Err(Error::TooManyTags {
                resource: resource_arn.clone(),
            }),
            false => check(&group.tags),
        }
    };
    logs.change_group(ctx, &group, change).await
}

pub(crate) async fn untag_resource(logs: &Logs, ctx: &Ctx, input: UntagResourceRequest) -> Result<()> {
    let UntagResourceRequest {
        resource_arn,
        tag_keys,
    } = input;
    remove(logs, ctx, &named(ctx, &resource_arn)?, &tag_keys).await
}

pub(crate) async fn list_tags_for_resource(
    logs: &Logs,
    ctx: &Ctx,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse> {
    let ListTagsForResourceRequest { resource_arn } = input;
    let group = logs.group(ctx, &named(ctx, &resource_arn)?).await?;
    Ok(ListTagsForResourceResponse {
        tags: Some(group.tags),
    })
}

pub(crate) async fn tag_log_group(logs: &Logs, ctx: &Ctx, input: TagLogGroupRequest) -> Result<()> {
    let TagLogGroupRequest { log_group_name, tags } = input;
    let change = |group: &mut GroupRecord| {
        group.tags.extend(tags.clone());
        check(&group.tags)
    };
    logs.change_group(ctx, &log_group_name, change).await
}

pub(crate) async fn untag_log_group(logs: &Logs, ctx: &Ctx, input: UntagLogGroupRequest) -> Result<()> {
    let UntagLogGroupRequest { log_group_name, tags } = input;
    remove(logs, ctx, &log_group_name, &tags).await
}

pub(crate) async fn list_tags_log_group(
    logs: &Logs,
    ctx: &Ctx,
    input: ListTagsLogGroupRequest,
) -> Result<ListTagsLogGroupResponse> {
    let ListTagsLogGroupRequest { log_group_name } = input;
    let group = logs.group(ctx, &log_group_name).await?;
    Ok(ListTagsLogGroupResponse {
        tags: Some(group.tags),
    })
}
