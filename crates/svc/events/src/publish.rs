//! PutEvents and TestEventPattern: events come in, find their rules, and are owed to targets.

pub(crate) mod put;
pub(crate) mod test_pattern;

use roadstead_base::{Partition, derived_hex};
use roadstead_store::Transaction;
use serde_json::Value as Json;

use crate::Events;
use crate::error::{Error, Result};
use crate::names::rule_arn;
use crate::records::{DeliveryRecord, RuleRecord};
use crate::tables::{self, delivery_key, rules_of};

impl Events {
    /// What an event, in JSON, is owed to: one delivery for each target of each rule of the bus that matches it.
    pub(crate) fn route(
        &self,
        partition: &Partition,
        bus: &str,
        id: &str,
        event: &Json,
    ) -> Vec<DeliveryRecord> {
        let snapshot = self.rules.snapshot();
        let matching = self.router.matching(&snapshot, &rules_of(partition, bus), event);
        matching
            .iter()
            .flat_map(|entry| self.deliveries(partition, &entry.value, id, event))
            .collect()
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
            target.role_arn = target.role_arn.or_else(|| rule.role_arn.clone());
            DeliveryRecord {
                id: derived_hex(&format!("{arn}/{id}"), &target.id, 32),
                rule: rule.name.clone(),
                bus: rule.bus.clone(),
                target,
                event: event.to_string(),
                created_at: now,
                failures: 0,
                due_at: now,
            }
        };
        rule.targets.iter().map(owed).collect()
    }

    /// Writes down what is owed, all of it before it returns.
    pub(crate) async fn owe(&self, partition: &Partition, owed: &[DeliveryRecord]) -> Result<()> {
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
