//! PutEvents and TestEventPattern: events come in, find their rules, and are owed to targets.

pub(crate) mod put;
pub(crate) mod test_pattern;

use roadstead_base::{Partition, derived_hex};
use roadstead_store::Transaction;
use serde_json::Value as Json;

use crate::Events;
use crate::counts::Metric;
use crate::deliver::kinds::Kind;
use crate::error::{Error, Result};
use crate::names::rule_arn;
use crate::records::{DeliveryRecord, RuleRecord};
use crate::tables::{self, delivery_key, rules_of};

/// What became of events: who is owed them, and which rules they ran.
#[derive(Default)]
pub(crate) struct Routed {
    pub owed: Vec<DeliveryRecord>,
    counted: Vec<(Metric, String, String)>,
}

impl Routed {
    pub(crate) fn extend(&mut self, other: Self) {
        self.owed.extend(other.owed);
        self.counted.extend(other.counted);
    }
}

impl Events {
    /// What an event, in JSON, is owed to: one delivery for each target of each rule of the bus that matches it, but for
    /// rules that it went through already, which would go on in circles.
    pub(crate) fn route(
        &self,
        partition: &Partition,
        bus: &str,
        id: &str,
        event: &Json,
        through: &[String],
    ) -> Routed {
        let snapshot = self.rules.snapshot();
        let matching = self.router.matching(&snapshot, &rules_of(partition, bus), event);
        let mut routed = Routed::default();
        for entry in matching {
            let rule = &entry.value;
            let mut count = |metric| routed.counted.push((metric, rule.bus.clone(), rule.name.clone()));
            count(Metric::MatchedEvents);
            if through.contains(&rule_arn(partition, &rule.bus, &rule.name)) {
                count(Metric::DeadLetterInvocations);
                continue;
            }
            count(Metric::TriggeredRules);
            let mut owed = self.deliveries(partition, rule, id, event);
            for record in &mut owed {
                record.through = through.to_vec();
            }
            routed.owed.extend(owed);
        }
        routed
    }

    /// One delivery for each target of a rule.
    pub(crate) fn deliveries(
        &self,
        partition: &Partition,
        rule: &RuleRecord,
        id: &str,
        event: &Json,
    ) -> Vec<DeliveryRecord> {
        let now = self.clock.now();
        let arn = rule_arn(partition, &rule.bus, &rule.name);
        let owed = |target: &crate::records::TargetRecord| {
            let mut target = target.clone();
            if Kind::of(&target.arn).is_ok_and(|kind| kind.needs_role) {
                target.role_arn = target.role_arn.or_else(|| rule.role_arn.clone());
            }
            DeliveryRecord {
                id: derived_hex(&format!("{arn}/{id}"), &target.id, 32),
                rule: rule.name.clone(),
                bus: rule.bus.clone(),
                target,
                event: event.to_string(),
                created_at: now,
                through: Vec::new(),
                failures: 0,
                due_at: now,
                dead: None,
            }
        };
        rule.targets.iter().map(owed).collect()
    }

    /// Writes down what is owed, all of it before it returns.
    pub(crate) async fn owe(&self, partition: &Partition, routed: Routed) -> Result<()> {
        let Routed { owed, counted } = routed;
        self.write_down(partition, &owed).await?;
        let now = self.clock.now();
        for (metric, bus, rule) in counted {
            self.counts.add(partition, &bus, &rule, metric, 1, now);
        }
        Ok(())
    }

    async fn write_down(&self, partition: &Partition, owed: &[DeliveryRecord]) -> Result<()> {
        if self.owed.snapshot().len() + owed.len() > self.options.max_owed {
            return Err(Error::Limit(format!(
                "{} deliveries are owed already; publish more slowly.",
                self.options.max_owed
            )));
        }
        let table = tables::deliveries(&self.store);
        let mut rest = owed;
        while !rest.is_empty() {
            let mut transaction = Transaction::new(&self.store);
            let mut bytes = 0;
            let mut taken = 0;
            for record in rest {
                bytes += record.event.len() + 4096;
                if taken > 0 && (transaction.room() == 0 || bytes > MAX_BYTES) {
                    break;
                }
                transaction = transaction.put(&table, &delivery_key(partition, &record.id), record);
                taken += 1;
            }
            rest = &rest[taken..];
            // There is no condition that could fail: ids are unique, and the same again is the same.
            let _written = transaction.commit().await?;
        }
        Ok(())
    }
}

/// Of events in one transaction, well within what the store takes.
const MAX_BYTES: usize = 1024 * 1024;
