//! Tags of buses and rules, under the rules that AWS tags share.

pub(crate) mod list;
pub(crate) mod tag;
pub(crate) mod untag;

use roadstead_api_events::Tag;
use roadstead_base::{TagFault, Tags};

use crate::error::{Error, Result};

/// Adds tags of a request, over what was there.
pub(crate) fn add(all: &mut Tags, tags: Vec<Tag>) -> Result<()> {
    let pairs = tags.into_iter().map(|Tag { key, value }| (key, value));
    all.add(pairs).map_err(|fault| match fault {
        TagFault::Reserved { index: _, key } => Error::invalid(format!(
            "Parameter Tags is not valid. Reason: the key {key} begins with aws:, which is reserved."
        )),
        TagFault::TooMany => Error::Limit(format!("A resource can have at most {} tags.", Tags::MAX)),
    })
}

/// Tags of a request.
pub(crate) fn of(tags: Option<Vec<Tag>>) -> Result<Tags> {
    let mut all = Tags::default();
    add(&mut all, tags.unwrap_or_default())?;
    Ok(all)
}

pub(crate) fn to_api(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value)| Tag { key, value };
    tags.pairs().into_iter().map(tag).collect()
}
