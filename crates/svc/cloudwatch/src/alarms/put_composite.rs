//! PutCompositeAlarm. Makes a composite alarm, or overwrites its configuration; it is decided again at once.

use roadstead_alarms::{Rule, State};
use roadstead_api_cloudwatch::PutCompositeAlarmInput;
use roadstead_base::Ctx;

use super::records::{AlarmRecord, CompositeRecord, StateRecord, Suppressor, Watched};
use super::{accept, all, key, name_of, reason};
use crate::CloudWatch;
use crate::error::{Error, Result};
use crate::tags;

/// Composite alarms that one alarm may be in.
const MAX_PARENTS: usize = 150;

pub(crate) async fn put_composite_alarm(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: PutCompositeAlarmInput,
) -> Result<()> {
    let PutCompositeAlarmInput {
        alarm_name,
        alarm_rule,
        actions_enabled,
        actions_suppressor,
        actions_suppressor_extension_period,
        actions_suppressor_wait_period,
        alarm_actions,
        alarm_description,
        insufficient_data_actions,
        ok_actions,
        tags,
    } = input;
    accept::name(&alarm_name)?;
    let rule = Rule::parse(&alarm_rule).map_err(|error| Error::validation(format!("{error}.")))?;
    for alarm in rule.alarms() {
        known(metrics, ctx, "AlarmRule", alarm)?;
        crowded(metrics, ctx, &alarm_name, alarm)?;
    }
    let suppressor = suppressor(
        actions_suppressor,
        actions_suppressor_wait_period,
        actions_suppressor_extension_period,
    )?;
    if let Some(by) = &suppressor {
        known(metrics, ctx, "ActionsSuppressor", &by.alarm)?;
    }
    let now = metrics.clock.now();
    let made = AlarmRecord {
        name: alarm_name,
        description: alarm_description,
        actions_enabled: actions_enabled.unwrap_or(true),
        ok_actions: accept::actions(ctx, "OKActions", ok_actions, true)?,
        alarm_actions: accept::actions(ctx, "AlarmActions", alarm_actions, true)?,
        insufficient_data_actions: accept::actions(
            ctx,
            "InsufficientDataActions",
            insufficient_data_actions,
            true,
        )?,
        tags: tags::of(tags)?,
        configured_at: now,
        watched: Watched::Composite(CompositeRecord {
            rule: alarm_rule,
            suppressor,
            seen: None,
            suppression: None,
            held_back: None,
        }),
        state: StateRecord {
            value: State::InsufficientData,
            reason: reason::CREATED.to_owned(),
            reason_data: None,
            updated_at: now,
            transitioned_at: now,
        },
        version: 0,
    };
    metrics.put_alarm(ctx, made).await
}

/// An alarm that a composite one depends on must be there.
fn known(metrics: &CloudWatch, ctx: &Ctx, member: &str, alarm: &str) -> Result<()> {
    let partition = ctx.partition();
    let found = name_of(&partition, alarm).and_then(|name| metrics.alarms.get(&key(&partition, name)));
    match found {
        Some(_) => Ok(()),
        None => Err(Error::validation(format!(
            "{member} names the alarm {alarm}, which does not exist in this account and region."
        ))),
    }
}

fn crowded(metrics: &CloudWatch, ctx: &Ctx, own: &str, alarm: &str) -> Result<()> {
    let partition = ctx.partition();
    let snapshot = metrics.alarms.snapshot();
    let name = name_of(&partition, alarm);
    let names = |other: &AlarmRecord| match &other.watched {
        Watched::Composite(composite) => {
            other.name != own
                && composite
                    .children()
                    .iter()
                    .any(|child| name_of(&partition, child) == name)
        }
        Watched::Metric(_) => false,
    };
    let parents = snapshot
        .below(&all(&partition))
        .filter(|entry| names(&entry.value))
        .count();
    if parents < MAX_PARENTS {
        return Ok(());
    }
    Err(Error::Limit(format!(
        "The alarm {alarm} is in the rules of {MAX_PARENTS} composite alarms, which is as many as can be."
    )))
}

fn suppressor(
    alarm: Option<String>,
    wait: Option<i32>,
    extension: Option<i32>,
) -> Result<Option<Suppressor>> {
    let periods = [
        ("ActionsSuppressorWaitPeriod", wait),
        ("ActionsSuppressorExtensionPeriod", extension),
    ];
    let Some(alarm) = alarm else {
        return match periods.iter().find(|(_, period)| period.is_some()) {
            Some((member, _)) => Err(Error::validation(format!(
                "{member} goes with an ActionsSuppressor."
            ))),
            None => Ok(None),
        };
    };
    for (member, period) in periods {
        match period {
            Some(0..) => {}
            Some(_) => return Err(Error::validation(format!("{member} must not be negative."))),
            None => {
                return Err(Error::validation(format!(
                    "{member} is required with an ActionsSuppressor."
                )));
            }
        }
    }
    Ok(Some(Suppressor {
        alarm,
        wait: wait.unwrap_or_default(),
        extension: extension.unwrap_or_default(),
    }))
}
