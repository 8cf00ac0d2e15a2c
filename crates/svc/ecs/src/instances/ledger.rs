//! One ledger for each machine: what of it is sold, and to which task. Instances of several clusters and the
//! capacity behind FARGATE may stand for one machine, of one account or of several; all of them draw on this one
//! record, in the same commit that makes or ends the task, so that nothing is sold twice.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_placement::{Capacity, Demand, NodeId, Ports};
use roadstead_store::{Key, Table};
use serde::{Deserialize, Serialize};

use crate::Ecs;
use crate::instances::ContainerInstanceRecord;

const NODES: &str = "ecs-node";

/// What one machine has sold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeRecord {
    /// By the task's ARN.
    pub sold: BTreeMap<String, Sold>,
}

/// What one task took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sold {
    /// The ARN of the instance it was sold through.
    pub instance: String,
    /// The task's group.
    pub group: String,
    pub cpu: i64,
    pub memory: i64,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tcp: BTreeSet<u16>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub udp: BTreeSet<u16>,
    /// The device index of its interface on the machine; none: it has no interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_index: Option<i32>,
}

impl NodeRecord {
    /// Writes a task's demand down. Gives its interface the lowest device index that is free; 0 is the machine's
    /// own interface.
    pub(crate) fn sell(
        &mut self,
        task: String,
        instance: String,
        group: String,
        demand: &Demand,
    ) -> Option<i32> {
        let used: BTreeSet<i32> = self.sold.values().filter_map(|sold| sold.device_index).collect();
        let device_index = (demand.eni_slots > 0)
            .then(|| (1..).find(|index| !used.contains(index)))
            .flatten();
        let sold = Sold {
            instance,
            group,
            cpu: demand.cpu,
            memory: demand.memory,
            tcp: demand.ports.tcp.clone(),
            udp: demand.ports.udp.clone(),
            device_index,
        };
        self.sold.insert(task, sold);
        device_index
    }

    /// Takes a task off; false if it was not there.
    pub(crate) fn release(&mut self, task: &str) -> bool {
        self.sold.remove(task).is_some()
    }

    /// What is left of what this instance registered. Everything sold on the machine counts, through whichever
    /// instance.
    pub(crate) fn left(&self, instance: &ContainerInstanceRecord) -> Capacity {
        let mut left = Capacity {
            cpu: instance.registered.cpu,
            memory: instance.registered.memory,
            eni_slots: instance.eni_slots(),
            // No instance can register one.
            gpus: 0,
            used_ports: instance.registered.ports(),
        };
        for sold in self.sold.values() {
            left.cpu -= sold.cpu;
            left.memory -= sold.memory;
            left.eni_slots -= i64::from(sold.device_index.is_some());
            left.used_ports.take(&Ports {
                tcp: sold.tcp.clone(),
                udp: sold.udp.clone(),
            });
        }
        left
    }
}

impl Ecs {
    /// `ecs-node/<machine>`, beside all accounts: a machine belongs to none.
    pub(crate) fn nodes(&self) -> Table<NodeRecord> {
        Table::new(self.store.clone(), NODES)
    }
}

pub(crate) fn node_key(node: &NodeId) -> Key {
    Key::root().child("-").child("-").child(NODES).child(&node.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_indexes_are_unique_and_used_again() {
        let mut node = NodeRecord::default();
        let eni = Demand {
            eni_slots: 1,
            ..Demand::default()
        };
        let mut sell = |task: &str, demand: &Demand| node.sell(task.into(), "i".into(), "g".into(), demand);
        assert_eq!(sell("a", &eni), Some(1));
        assert_eq!(sell("b", &Demand::default()), None);
        assert_eq!(sell("c", &eni), Some(2));
        assert!(node.release("a") && !node.release("a"));
        assert_eq!(node.sell("d".into(), "i".into(), "g".into(), &eni), Some(1));
    }
}
