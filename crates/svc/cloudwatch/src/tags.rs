//! Tags of alarms and dashboards, under the rules that AWS tags share.

pub(crate) mod list;
pub(crate) mod tag;
pub(crate) mod untag;

use roadstead_api_cloudwatch::Tag;
use roadstead_base::{Arn, Ctx, TagFault, Tags};
use roadstead_store::Change;

use crate::CloudWatch;
use crate::alarms;
use crate::dashboards;
use crate::error::{Error, Result};

/// Adds tags of a request, over what was there.
pub(crate) fn add(all: &mut Tags, tags: Vec<Tag>) -> Result<()> {
    let pairs = tags.into_iter().map(|Tag { key, value }| (key, value));
    all.add(pairs).map_err(|fault| match fault {
        TagFault::Reserved { index, key } => Error::value(format!(
            "Tags.member.{}.Key {key} begins with aws:, which is reserved.",
            index + 1
        )),
        TagFault::TooMany => Error::value(format!("A resource can have at most {} tags.", Tags::MAX)),
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

/// What an ARN of the caller's own account names.
enum Named {
    Alarm(String),
    Dashboard(String),
}

fn missing(arn: &str) -> Error {
    Error::NoSuchResource(arn.to_owned())
}

fn resource(ctx: &Ctx, given: &str) -> Result<Named> {
    let arn: Arn = given
        .parse()
        .map_err(|_| Error::value(format!("The value {given} for parameter ResourceARN is no ARN.")))?;
    if arn.service != "cloudwatch" || arn.account != ctx.account.as_str() {
        return Err(missing(given));
    }
    if let (Some(name), "") = (arn.resource.strip_prefix("dashboard/"), arn.region.as_str()) {
        return Ok(Named::Dashboard(name.to_owned()));
    }
    let alarm = arn.resource.strip_prefix("alarm:");
    match alarm.filter(|_| arn.region == ctx.region.as_str()) {
        Some(name) => Ok(Named::Alarm(name.to_owned())),
        None => Err(missing(given)),
    }
}

impl CloudWatch {
    /// The tags of an alarm or dashboard.
    pub(crate) async fn tags_of(&self, ctx: &Ctx, arn: &str) -> Result<Tags> {
        let found = match resource(ctx, arn)? {
            Named::Alarm(name) => {
                let key = alarms::key(&ctx.partition(), &name);
                let found = alarms::table(&self.store).get(&key).await?;
                found.map(|entry| entry.value.tags)
            }
            Named::Dashboard(name) => {
                let key = dashboards::key(&ctx.account, &name);
                let found = dashboards::table(&self.store).get(&key).await?;
                found.map(|entry| entry.value.tags)
            }
        };
        found.ok_or_else(|| missing(arn))
    }

    /// Changes the tags of an alarm or dashboard.
    async fn retag(
        &self,
        ctx: &Ctx,
        arn: &str,
        mut change: impl FnMut(&mut Tags) -> Result<()>,
    ) -> Result<()> {
        match resource(ctx, arn)? {
            Named::Alarm(name) => {
                let key = alarms::key(&ctx.partition(), &name);
                let update = |found: Option<&alarms::records::AlarmRecord>| {
                    let mut record = found.ok_or_else(|| missing(arn))?.clone();
                    change(&mut record.tags)?;
                    Ok::<_, Error>(Change::Put(record))
                };
                alarms::table(&self.store).update(&key, update).await?;
            }
            Named::Dashboard(name) => {
                let key = dashboards::key(&ctx.account, &name);
                let update = |found: Option<&dashboards::DashboardRecord>| {
                    let mut record = found.ok_or_else(|| missing(arn))?.clone();
                    change(&mut record.tags)?;
                    Ok::<_, Error>(Change::Put(record))
                };
                dashboards::table(&self.store).update(&key, update).await?;
            }
        }
        Ok(())
    }
}
