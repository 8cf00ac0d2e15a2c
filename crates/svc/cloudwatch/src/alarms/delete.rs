//! DeleteAlarms. Names that are right are deleted also if others are not there.

use roadstead_api_cloudwatch::DeleteAlarmsInput;
use roadstead_base::Ctx;

use super::change::Decided;
use super::records::{AlarmRecord, Watched};
use super::{all, key, name_of};
use crate::CloudWatch;
use crate::error::{Error, Result};

pub(crate) async fn delete_alarms(metrics: &CloudWatch, ctx: &Ctx, input: DeleteAlarmsInput) -> Result<()> {
    let DeleteAlarmsInput { alarm_names } = input;
    let partition = ctx.partition();
    let composite = |name: &String| {
        let found = metrics.alarms.get(&key(&partition, name));
        found.is_some_and(|entry| matches!(entry.value.watched, Watched::Composite(_)))
    };
    let mut names = alarm_names;
    names.sort();
    names.dedup();
    let (first, rest): (Vec<String>, Vec<String>) = names.into_iter().partition(composite);
    if first.len() > 1 {
        return Err(Error::validation(
            "At most one composite alarm can be deleted at a time.",
        ));
    }
    // The composite alarm first: those it depends on may go with it.
    for name in first.iter().chain(&rest) {
        free(metrics, ctx, name, &first)?;
    }
    let mut unknown = Vec::new();
    for name in first.into_iter().chain(rest) {
        let delete = |_: Option<&AlarmRecord>| Ok(Decided::Delete);
        if !metrics.change(&partition, &name, delete).await? {
            unknown.push(name);
        }
    }
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(Error::NoSuchAlarm(unknown.join(", "))),
    }
}

/// Refuses what a composite alarm depends on that stays.
fn free(metrics: &CloudWatch, ctx: &Ctx, name: &str, going: &[String]) -> Result<()> {
    let partition = ctx.partition();
    let depends = |other: &AlarmRecord| {
        !(going.contains(&other.name) && other.name != name)
            && other
                .depends_on()
                .iter()
                .any(|alarm| name_of(&partition, alarm) == Some(name))
    };
    let (above, snapshot) = (all(&partition), metrics.alarms.snapshot());
    let parent = snapshot.below(&above).find(|entry| depends(&entry.value));
    match parent {
        Some(parent) => Err(Error::validation(format!(
            "Cannot delete {name} as there are composite alarm(s) depending on it: {}.",
            parent.value.name
        ))),
        None => Ok(()),
    }
}
