//! Where the records lie: `account/region/<table>/<bus>/<rule>`, and what is owed by its id.

use std::sync::Arc;

use roadstead_base::Partition;
use roadstead_store::{Key, Store, Table};

use crate::records::{BusRecord, CursorRecord, DeliveryRecord, RuleRecord};

const BUSES: &str = "events-bus";
const RULES: &str = "events-rule";
const CURSORS: &str = "events-cursor";
const DELIVERIES: &str = "events-delivery";

pub(crate) fn buses(store: &Arc<dyn Store>) -> Table<BusRecord> {
    Table::new(Arc::clone(store), BUSES)
}

pub(crate) fn rules(store: &Arc<dyn Store>) -> Table<RuleRecord> {
    Table::new(Arc::clone(store), RULES)
}

pub(crate) fn cursors(store: &Arc<dyn Store>) -> Table<CursorRecord> {
    Table::new(Arc::clone(store), CURSORS)
}

pub(crate) fn deliveries(store: &Arc<dyn Store>) -> Table<DeliveryRecord> {
    Table::new(Arc::clone(store), DELIVERIES)
}

/// Above every bus.
pub(crate) fn all_buses(partition: &Partition) -> Key {
    Key::of(partition).child(BUSES)
}

pub(crate) fn bus_key(partition: &Partition, bus: &str) -> Key {
    all_buses(partition).child(bus)
}

/// Above every rule of a bus.
pub(crate) fn rules_of(partition: &Partition, bus: &str) -> Key {
    Key::of(partition).child(RULES).child(bus)
}

pub(crate) fn rule_key(partition: &Partition, bus: &str, rule: &str) -> Key {
    rules_of(partition, bus).child(rule)
}

pub(crate) fn cursor_key(partition: &Partition, bus: &str, rule: &str) -> Key {
    Key::of(partition).child(CURSORS).child(bus).child(rule)
}

pub(crate) fn delivery_key(partition: &Partition, id: &str) -> Key {
    Key::of(partition).child(DELIVERIES).child(id)
}

/// The account and region that a key lies in.
pub(crate) fn partition_of(key: &Key) -> Option<Partition> {
    let mut segments = key.segments();
    Some(Partition {
        account: segments.next()?.parse().ok()?,
        region: segments.next()?.parse().ok()?,
    })
}
