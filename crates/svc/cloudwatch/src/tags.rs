//! Tags of alarms and dashboards, under the rules that AWS tags share.

pub(crate) mod list;
pub(crate) mod tag;
pub(crate) mod untag;

use std::collections::BTreeMap;

use roadstead_api_cloudwatch::Tag;
use roadstead_base::{Arn, Ctx};
use roadstead_store::Change;
use serde::{Deserialize, Serialize};

use crate::CloudWatch;
use crate::alarms;
use crate::dashboards;
use crate::error::{Error, Result};

const MAX_TAGS: usize = 50;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Tags of a request.
    pub(crate) fn of(tags: Option<Vec<Tag>>) -> Result<Self> {
        let mut all = Self::default();
        all.add(tags.unwrap_or_default())?;
        Ok(all)
    }

    /// Adds these, over what was there.
    pub(crate) fn add(&mut self, tags: Vec<Tag>) -> Result<()> {
        for (number, Tag { key, value }) in (1..).zip(tags) {
            if key.to_ascii_lowercase().starts_with("aws:") {
                return Err(Error::value(format!(
                    "Tags.member.{number}.Key {key} begins with aws:, which is reserved."
                )));
            }
            self.0.insert(key, value);
        }
        if self.0.len() > MAX_TAGS {
            return Err(Error::value(format!(
                "A resource can have at most {MAX_TAGS} tags."
            )));
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, keys: &[String]) {
        self.0.retain(|key, _| !keys.contains(key));
    }

    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let pair = |(key, value): (&String, &String)| (key.clone(), value.clone());
        self.0.iter().map(pair).collect()
    }

    pub(crate) fn to_api(&self) -> Vec<Tag> {
        let tag = |(key, value)| Tag { key, value };
        self.pairs().into_iter().map(tag).collect()
    }
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
