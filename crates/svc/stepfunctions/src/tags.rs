//! Tags of state machines.

use roadstead_api_stepfunctions::{
    ListTagsForResourceInput, ListTagsForResourceOutput, Tag, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use roadstead_base::{Ctx, TagFault, Tags};

use crate::States;
use crate::error::{Error, Result};
use crate::names;

/// Tags over those that were there.
pub(crate) fn checked(given: Vec<Tag>, mut all: Tags) -> Result<Tags> {
    let pairs = given
        .into_iter()
        .map(|Tag { key, value }| (key.unwrap_or_default(), value.unwrap_or_default()));
    match all.add(pairs) {
        Ok(()) => Ok(all),
        Err(TagFault::TooMany) => Err(Error::TooManyTags),
        Err(TagFault::Reserved { index: _, key }) => Err(Error::Validation(format!(
            "The tag key {key} begins with aws:, which is reserved."
        ))),
    }
}

/// These operations have another word for what is not there.
fn resource(error: Error) -> Error {
    match error {
        Error::NoSuchMachine(arn) => Error::NoSuchResource(arn),
        error => error,
    }
}

pub(crate) async fn tag_resource(
    states: &States,
    ctx: &Ctx,
    input: TagResourceInput,
) -> Result<TagResourceOutput> {
    let TagResourceInput { resource_arn, tags } = input;
    let machine = names::machine(ctx, &resource_arn)?;
    let change = states.change_machine(ctx, &machine, |record| {
        record.tags = checked(tags.clone(), record.tags.clone())?;
        Ok(())
    });
    change.await.map_err(resource)?;
    Ok(TagResourceOutput {})
}

pub(crate) async fn untag_resource(
    states: &States,
    ctx: &Ctx,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput> {
    let UntagResourceInput {
        resource_arn,
        tag_keys,
    } = input;
    let machine = names::machine(ctx, &resource_arn)?;
    let change = states.change_machine(ctx, &machine, |record| {
        record.tags.remove(&tag_keys);
        Ok(())
    });
    change.await.map_err(resource)?;
    Ok(UntagResourceOutput {})
}

pub(crate) fn list_tags_for_resource(
    states: &States,
    ctx: &Ctx,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput> {
    let ListTagsForResourceInput { resource_arn } = input;
    let machine = names::machine(ctx, &resource_arn)?;
    let record = states.machine(ctx, &machine).map_err(resource)?;
    let show = |(key, value)| Tag {
        key: Some(key),
        value: Some(value),
    };
    let tags = record.tags.pairs().into_iter().map(show).collect();
    Ok(ListTagsForResourceOutput { tags: Some(tags) })
}
