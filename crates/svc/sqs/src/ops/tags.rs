//! TagQueue, UntagQueue and ListQueueTags.

use std::collections::BTreeMap;

use roadstead_api_sqs::{ListQueueTagsRequest, ListQueueTagsResult, TagQueueRequest, UntagQueueRequest};
use roadstead_base::Ctx;

use crate::Sqs;
use crate::error::{Error, Result};

const MAX_TAGS: usize = 50;

/// Tags that a queue can have.
pub(crate) fn checked(tags: BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    for (key, value) in &tags {
        if key.is_empty() || key.chars().count() > 128 || key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Error::Value(format!(
                "Tag key {key:?} is invalid: it has 1 to 128 characters and does not begin with aws:."
            )));
        }
        if value.chars().count() > 256 {
            return Err(Error::Value(format!(
                "The value of the tag {key:?} has more than 256 characters."
            )));
        }
    }
    if tags.len() > MAX_TAGS {
        return Err(Error::Value(format!("A queue can have at most {MAX_TAGS} tags.")));
    }
    Ok(tags)
}

pub(crate) async fn tag_queue(sqs: &Sqs, ctx: &Ctx, input: TagQueueRequest) -> Result<()> {
    let TagQueueRequest { queue_url, tags } = input;
    sqs.change(ctx, &queue_url, |queue| {
        let mut all = queue.tags.clone();
        all.extend(tags.clone());
        queue.tags = checked(all)?;
        Ok(())
    })
    .await
}

pub(crate) async fn untag_queue(sqs: &Sqs, ctx: &Ctx, input: UntagQueueRequest) -> Result<()> {
    let UntagQueueRequest { queue_url, tag_keys } = input;
    sqs.change(ctx, &queue_url, |queue| {
        queue.tags.retain(|key, _| !tag_keys.contains(key));
        Ok(())
    })
    .await
}

pub(crate) fn list_queue_tags(
    sqs: &Sqs,
    ctx: &Ctx,
    input: ListQueueTagsRequest,
) -> Result<ListQueueTagsResult> {
    let ListQueueTagsRequest { queue_url } = input;
    let tags = sqs.queue(ctx, &queue_url)?.value.tags.clone();
    Ok(ListQueueTagsResult {
        tags: Some(tags).filter(|tags| !tags.is_empty()),
    })
}
