//! What each node is told of the networks it has interfaces in. A VPC's map is made once for all nodes and
//! only when something in it changed; a node hears of it only if what it would see is different.

mod build;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use roadstead_acs::network::VpcMap;
use roadstead_dispatch::{MapReceiver, NodeMap};
use tokio::sync::watch;

use crate::ids::VpcId;
use crate::world::World;

/// Maps of the VPCs that nodes look at, and the nodes.
#[derive(Default)]
pub(crate) struct Maps {
    vpcs: HashMap<VpcId, Arc<VpcMap>>,
    nodes: HashMap<String, Node>,
}

struct Node {
    sender: watch::Sender<Arc<NodeMap>>,
    /// What was sent, in order of VPC ids.
    shown: Vec<Arc<VpcMap>>,
}

impl Maps {
    /// The present map of an instance and every later one.
    pub(crate) fn subscribe(&mut self, world: &World, instance: &str) -> MapReceiver {
        self.forget_unheard();
        if let Some(node) = self.nodes.get(instance) {
            return node.sender.subscribe();
        }
        let shown = self.shown(world, instance);
        let (sender, receiver) = watch::channel(Arc::new(node_map(world, &shown)));
        self.nodes.insert(instance.to_owned(), Node { sender, shown });
        receiver
    }

    /// Tells nodes what changed in the touched VPCs.
    pub(crate) fn publish(&mut self, world: &World, touched: &BTreeSet<VpcId>) {
        self.forget_unheard();
        for vpc in touched {
            let Some(known) = self.vpcs.get(vpc) else { continue };
            match build::vpc_map(world, vpc) {
                Some(now) if build::same(known, &now) => {}
                Some(now) => _ = self.vpcs.insert(vpc.clone(), Arc::new(now)),
                None => _ = self.vpcs.remove(vpc),
            }
        }
        let instances: Vec<String> = self.nodes.keys().cloned().collect();
        let mut made = Made::default();
        for instance in instances {
            let now = self.shown(world, &instance);
            if let Some(node) = self.nodes.get_mut(&instance)
                && !identical(&node.shown, &now)
            {
                node.sender.send_replace(made.node_map(world, &now));
                node.shown = now;
            }
        }
        let seen: BTreeSet<VpcId> = self
            .nodes
            .values()
            .flat_map(|node| node.shown.iter().map(|map| VpcId::named(map.vpc_id.as_str())))
            .collect();
        self.vpcs.retain(|vpc, _| seen.contains(vpc));
    }

    /// After the state was read anew: anything may be different.
    pub(crate) fn rebuild(&mut self, world: &World) {
        let all = self.vpcs.keys().cloned().collect();
        self.publish(world, &all);
    }

    /// The maps an instance sees, made if nobody saw them before.
    fn shown(&mut self, world: &World, instance: &str) -> Vec<Arc<VpcMap>> {
        let mut shown = Vec::new();
        for vpc in world.vpcs_on(instance) {
            if let Some(map) = self.vpcs.get(vpc) {
                shown.push(Arc::clone(map));
            } else if let Some(map) = build::vpc_map(world, vpc).map(Arc::new) {
                self.vpcs.insert(vpc.clone(), Arc::clone(&map));
                shown.push(map);
            }
        }
        shown
    }

    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.nodes.len(), self.vpcs.len())
    }

    fn forget_unheard(&mut self) {
        self.nodes.retain(|_, node| node.sender.receiver_count() > 0);
    }
}

/// Node maps made for one change. Most nodes see the same VPCs: they share one.
#[derive(Default)]
struct Made(Vec<(Vec<Arc<VpcMap>>, Arc<NodeMap>)>);

impl Made {
    fn node_map(&mut self, world: &World, shown: &[Arc<VpcMap>]) -> Arc<NodeMap> {
        if let Some((_, map)) = self.0.iter().find(|(of, _)| identical(of, shown)) {
            return Arc::clone(map);
        }
        let map = Arc::new(node_map(world, shown));
        self.0.push((shown.to_vec(), Arc::clone(&map)));
        map
    }
}

fn identical(a: &[Arc<VpcMap>], b: &[Arc<VpcMap>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(a, b))
}

fn node_map(world: &World, shown: &[Arc<VpcMap>]) -> NodeMap {
    NodeMap {
        generation: world.generation(),
        vpcs: shown.iter().map(|map| VpcMap::clone(map)).collect(),
    }
}

#[cfg(test)]
mod tests;
