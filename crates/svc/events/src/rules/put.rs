//! PutRule: makes a rule, or replaces what one is; its targets and tags stay.

use roadstead_api_events::{PutRuleRequest, PutRuleResponse, RuleState};
use roadstead_base::Ctx;
use roadstead_patterns::Pattern;
use roadstead_schedule::Schedule;
use roadstead_store::{Outcome, Revision, Transaction};

use crate::Events;
use crate::error::{Error, Result};
use crate::names::{self, DEFAULT_BUS, rule_arn};
use crate::records::RuleRecord;
use crate::tables::{self, bus_key, rule_key, rules_of};
use crate::tags;

/// How often it is tried while others change the rule.
const MAX_TRIES: usize = 32;

pub(crate) async fn put_rule(events: &Events, ctx: &Ctx, input: PutRuleRequest) -> Result<PutRuleResponse> {
    let PutRuleRequest {
        name,
        description,
        event_bus_name,
        event_pattern,
        role_arn,
        schedule_expression,
        state,
        tags,
    } = input;
    let bus = names::bus(ctx, event_bus_name.as_deref())?;
    let pattern = event_pattern.filter(|pattern| !pattern.is_empty());
    let schedule = schedule_expression.filter(|schedule| !schedule.is_empty());
    if pattern.is_none() && schedule.is_none() {
        return Err(Error::invalid(
            "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ));
    }
    if let Some(pattern) = &pattern {
        pattern.parse::<Pattern>()?;
    }
    if let Some(schedule) = &schedule {
        check_schedule(schedule, &bus)?;
    }
    if let Some(role) = &role_arn {
        crate::targets::check_role("RoleArn", role)?;
    }
    let (enabled, reads) = match state.unwrap_or(RuleState::Enabled) {
        RuleState::Enabled => (true, false),
        RuleState::Disabled => (false, false),
        RuleState::EnabledWithAllCloudtrailManagementEvents => (true, true),
    };
    let tags = tags::of(tags)?;
    events.bus(ctx, &bus).await?;
    let partition = ctx.partition();
    let table = tables::rules(&events.store);
    let key = rule_key(&partition, &bus, &name);
    if table.get(&key).await?.is_none() {
        let (all, _) = table.all(&rules_of(&partition, &bus)).await?;
        if all.len() >= events.options.max_rules {
            return Err(Error::Limit(format!(
                "The event bus {bus} has {} rules, which is as many as it can have.",
                events.options.max_rules
            )));
        }
    }
    let now = events.clock.now();
    let put = |found: Option<&RuleRecord>| {
        let record = RuleRecord {
            name: name.clone(),
            bus: bus.clone(),
            description: description.clone(),
            pattern: pattern.clone(),
            schedule: schedule.clone(),
            enabled,
            reads,
            role_arn: role_arn.clone(),
            tags: found.map_or_else(|| tags.clone(), |found| found.tags.clone()),
            targets: found.map(|found| found.targets.clone()).unwrap_or_default(),
            anchor: now,
        };
        // The same again changes nothing, so that a schedule does not begin anew.
        match found {
            Some(found)
                if (RuleRecord {
                    anchor: found.anchor,
                    ..record.clone()
                }) == *found =>
            {
                None
            }
            Some(found) if found.enabled == enabled && found.schedule == schedule => Some(RuleRecord {
                anchor: found.anchor,
                ..record
            }),
            _ => Some(record),
        }
    };
    let answer = PutRuleResponse {
        rule_arn: Some(rule_arn(&partition, &bus, &name)),
    };
    for _ in 0..MAX_TRIES {
        let found = table.get(&key).await?;
        let decided = put(found.as_ref().map(|found| &found.value));
        let Some(record) = decided else {
            let revision = found.map_or(Revision(0), |found| found.revision);
            events.rules.wait_for(revision).await?;
            return Ok(answer);
        };
        let transaction = Transaction::new(&events.store);
        let transaction = match &found {
            Some(found) => transaction.replace(&table, found, &record),
            None => transaction.insert(&table, &key, &record),
        };
        // Only if the bus is there still. The default one always is, with a record or without.
        let transaction = match bus.as_str() {
            DEFAULT_BUS => transaction,
            _ => transaction.compare_exists(&bus_key(&partition, &bus)),
        };
        if let Outcome::Committed(revision) = transaction.commit().await? {
            events.rules.wait_for(revision).await?;
            return Ok(answer);
        }
        events.bus(ctx, &bus).await?;
    }
    Err(Error::Contended)
}

/// In the service's words, and behind them where the fault is, which the service does not say.
fn no_schedule(fault: &dyn std::fmt::Display) -> Error {
    Error::invalid(format!(
        "Parameter ScheduleExpression is not valid. Reason: {fault}"
    ))
}

fn check_schedule(schedule: &str, bus: &str) -> Result<()> {
    if bus != DEFAULT_BUS {
        return Err(Error::invalid(
            "ScheduleExpression is supported only on the default event bus.",
        ));
    }
    match Schedule::parse(schedule) {
        // One-time schedules are those of another service.
        Ok(Schedule::At(_)) => Err(no_schedule(&"at position 0: expected rate(...) or cron(...)")),
        Ok(_) => Ok(()),
        Err(fault) => Err(no_schedule(&fault)),
    }
}
