//! AddTagsToResource, RemoveTagsFromResource and ListTagsForResource, of parameters: there are no other resources here.

use std::collections::BTreeMap;

use roadstead_api_ssm::{
    AddTagsToResourceRequest, AddTagsToResourceResult, ListTagsForResourceRequest, ListTagsForResourceResult,
    RemoveTagsFromResourceRequest, RemoveTagsFromResourceResult, ResourceTypeForTagging, Tag,
};
use roadstead_base::Ctx;

use crate::Ssm;
use crate::error::{Error, Result};

/// Tags of one parameter.
const MAX: usize = 50;

/// Reads tags from a request.
pub(crate) fn read(tags: Vec<Tag>) -> Result<BTreeMap<String, String>> {
    let mut read = BTreeMap::new();
    for Tag { key, value } in tags {
        if key
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
        {
            return Err(Error::validation(format!(
                "Tag keys that begin with aws: are reserved: {key}"
            )));
        }
        if read.insert(key.clone(), value).is_some() {
            return Err(Error::validation(format!("Duplicate tag key: {key}")));
        }
    }
    if read.len() > MAX {
        return Err(Error::TooManyTags);
    }
    Ok(read)
}

/// Refuses resources that are no parameters.
fn check(kind: &ResourceTypeForTagging) -> Result<()> {
    if *kind == ResourceTypeForTagging::Parameter {
        Ok(())
    } else {
        Err(Error::ResourceType(kind.to_string()))
    }
}

/// Here, a parameter that is not there is a resource that is none.
fn named(error: Error, id: &str) -> Error {
    match error {
        Error::NotFound(_) | Error::Validation(_) => Error::ResourceId(id.to_owned()),
        other => other,
    }
}

pub(crate) async fn add_tags_to_resource(
    ssm: &Ssm,
    ctx: &Ctx,
    input: AddTagsToResourceRequest,
) -> Result<AddTagsToResourceResult> {
    let AddTagsToResourceRequest {
        resource_id,
        resource_type,
        tags,
    } = input;
    let tags = read(tags)?;
    check(&resource_type)?;
    ssm.change(ctx, &resource_id, |parameter| {
        parameter.tags.extend(tags.clone());
        if parameter.tags.len() > MAX {
            Err(Error::TooManyTags)
        } else {
            Ok(())
        }
    })
    .await
    .map_err(|error| named(error, &resource_id))?;
    Ok(AddTagsToResourceResult::default())
}

pub(crate) async fn remove_tags_from_resource(
    ssm: &Ssm,
    ctx: &Ctx,
    input: RemoveTagsFromResourceRequest,
) -> Result<RemoveTagsFromResourceResult> {
    let RemoveTagsFromResourceRequest {
        resource_id,
        resource_type,
        tag_keys,
    } = input;
    check(&resource_type)?;
    ssm.change(ctx, &resource_id, |parameter| {
        parameter.tags.retain(|key, _| !tag_keys.contains(key));
        Ok(())
    })
    .await
    .map_err(|error| named(error, &resource_id))?;
    Ok(RemoveTagsFromResourceResult::default())
}

pub(crate) async fn list_tags_for_resource(
    ssm: &Ssm,
    ctx: &Ctx,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResult> {
    let ListTagsForResourceRequest {
        resource_id,
        resource_type,
    } = input;
    check(&resource_type)?;
    let entry = ssm
        .existing(ctx, &resource_id)
        .await
        .map_err(|error| named(error, &resource_id))?;
    let tag = |(key, value): (&String, &String)| Tag {
        key: key.clone(),
        value: value.clone(),
    };
    Ok(ListTagsForResourceResult {
        tag_list: Some(entry.value.tags.iter().map(tag).collect()),
    })
}
