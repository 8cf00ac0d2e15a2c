//! Tags of state machines and activities.

use roadstead_api_stepfunctions::{
    ListTagsForResourceInput, ListTagsForResourceOutput, Tag, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use roadstead_base::{Ctx, TagFault, Tags};

use crate::States;
use crate::error::{Error, Result};
use crate::names::{self, Tagged};
use crate::records::{ActivityRecord, MachineRecord};

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
        Error::NoSuchMachine(arn) | Error::NoSuchActivity(arn) => Error::NoSuchResource(arn),
        error => error,
    }
}

async fn change(
    states: &States,
    ctx: &Ctx,
    arn: &str,
    mut change: impl FnMut(&mut Tags) -> Result<()>,
) -> Result<()> {
    let changed = match names::tagged(ctx, arn)? {
        Tagged::Machine(name) => {
            let change = |record: &mut MachineRecord| change(&mut record.tags);
            states.change_machine(ctx, &name, change).await
        }
        Tagged::Activity(name) => {
            let change = |record: &mut ActivityRecord| change(&mut record.tags);
            states.change_activity(ctx, &name, change).await
        }
    };
    changed.map_err(resource)
}

pub(crate) async fn tag_resource(
    states: &States,
    ctx: &Ctx,
    input: TagResourceInput,
) -> Result<TagResourceOutput> {
    let TagResourceInput { resource_arn, tags } = input;
    change(states, ctx, &resource_arn, |all| {
        *all = checked(tags.clone(), all.clone())?;
        Ok(())
    })
    .await?;
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
    change(states, ctx, &resource_arn, |all| {
        all.remove(&tag_keys);
        Ok(())
    })
    .await?;
    Ok(UntagResourceOutput {})
}

pub(crate) fn list_tags_for_resource(
    states: &States,
    ctx: &Ctx,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput> {
    let ListTagsForResourceInput { resource_arn } = input;
    let found = match names::tagged(ctx, &resource_arn)? {
        Tagged::Machine(name) => states.machine(ctx, &name).map(|record| record.tags),
        Tagged::Activity(name) => states.activity(ctx, &name).map(|record| record.tags),
    };
    let show = |(key, value)| Tag {
        key: Some(key),
        value: Some(value),
    };
    let tags = found.map_err(resource)?.pairs().into_iter().map(show).collect();
    Ok(ListTagsForResourceOutput { tags: Some(tags) })
}
