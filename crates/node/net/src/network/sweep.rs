//! What outlives the process must be found again, and what nobody owns any more must go. Both start from
//! the names: everything that bears this instance's id is ours, and nothing else is ever touched.

use std::collections::{BTreeMap, BTreeSet};

use super::vpc::{Vpc, VpcRecord};
use super::{Eni, Inner, lock, torn_down};
use crate::cni::bridge;
use crate::names::{InterfaceId, VpcId};
use crate::netlink::Netlink;
use crate::netns::Netns;
use crate::{Error, Result};

/// What [`crate::Network::reap`] leaves alone.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    pub interfaces: BTreeSet<InterfaceId>,
    /// Container ids, as in [`crate::TaskNet::container`], which also name task namespaces.
    pub tasks: BTreeSet<String>,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    pub interfaces: Vec<InterfaceId>,
    /// Containers that were on the bridge network.
    pub bridged: Vec<String>,
    /// Names of task namespaces.
    pub namespaces: Vec<String>,
}

/// Keeps the first error while the rest is still tried.
struct First(Option<Error>);

impl First {
    fn note(&mut self, outcome: Result<()>) -> bool {
        match outcome {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "clean-up");
                self.0.get_or_insert(error);
                false
            }
        }
    }

    fn into_result<T>(self, value: T) -> Result<T> {
        self.0.map_or(Ok(value), Err)
    }
}

impl Inner {
    /// Brings records and kernel together after a start.
    pub(super) fn find_again(&self) -> Result<()> {
        let mut recorded: BTreeMap<VpcId, Vec<Eni>> = BTreeMap::new();
        for eni in self.enis.all::<Eni>()? {
            recorded.entry(eni.vpc_id.clone()).or_default().push(eni);
        }
        for record in self.vpc_records.all::<VpcRecord>()? {
            let vpc = self.vpc(&record.vpc_id);
            let mut vpc = lock(&vpc);
            vpc.map = record.map;
            vpc.host = record.host;
        }
        for name in Netns::list(&format!("rs-{}-vpc-", self.instance))? {
            if let Some(id) = self.instance.vpc_of_namespace(&name) {
                self.vpc(&id);
            }
        }
        for id in recorded.keys() {
            self.vpc(id);
        }
        let vpcs: Vec<_> = lock(&self.vpcs)
            .iter()
            .map(|(id, vpc)| (id.clone(), vpc.clone()))
            .collect();
        let mut known = Vec::new();
        for (id, vpc) in vpcs {
            known.extend(lock(&vpc).find_again(self, recorded.remove(&id).unwrap_or_default())?);
        }
        lock(&self.local).find_again(self)?;
        self.remove_node_devices(&known)
    }

    /// Removes devices of this instance in the node's namespace, but for `known`.
    fn remove_node_devices(&self, known: &[String]) -> Result<()> {
        let mut node = Netlink::open(&self.node)?;
        let prefix = self.instance.device_prefix();
        for link in node.links()? {
            if link.name.starts_with(&prefix) && !known.contains(&link.name) {
                node.delete_link(&link.name)?;
            }
        }
        Ok(())
    }

    pub(super) fn reap(&self, keep: &Keep) -> Result<Reaped> {
        let mut reaped = Reaped::default();
        let mut first = First(None);
        let valid: Vec<String> = keep.tasks.iter().map(|task| format!("{task}/ecs-eth0")).collect();
        let collected = match lock(&self.agent).as_mut() {
            Some(agent) => {
                bridge::collect_garbage(&mut agent.side, super::AGENT_LINK, &valid).map_err(|source| {
                    Error::Cni {
                        plugin: "ecs-bridge",
                        command: "GC",
                        source,
                    }
                })
            }
            None => Err(torn_down()),
        };
        first.note(collected);
        let vpcs: Vec<_> = lock(&self.vpcs).values().cloned().collect();
        for vpc in vpcs {
            let mut vpc = lock(&vpc);
            for eni in vpc.enis() {
                if !keep.interfaces.contains(&eni.interface_id)
                    && first.note(vpc.detach(self, &eni.interface_id))
                {
                    reaped.interfaces.push(eni.interface_id);
                }
            }
        }
        {
            let mut local = lock(&self.local);
            for container in local.containers() {
                if !keep.tasks.contains(&container) && first.note(local.disconnect(self, &container)) {
                    reaped.bridged.push(container);
                }
            }
        }
        let prefix = self.instance.task_namespace("");
        for name in Netns::list(&prefix)? {
            let kept = name
                .strip_prefix(&prefix)
                .is_some_and(|task| keep.tasks.contains(task));
            if !kept && first.note(Netns::remove(&name)) {
                reaped.namespaces.push(name);
            }
        }
        first.into_result(reaped)
    }

    pub(super) fn teardown(&self) -> Result<()> {
        let mut first = First(None);
        let vpcs: Vec<_> = std::mem::take(&mut *lock(&self.vpcs)).into_values().collect();
        for vpc in vpcs {
            let mut vpc = lock(&vpc);
            first.note(vpc.detach_host(self));
            for eni in vpc.enis() {
                first.note(vpc.detach(self, &eni.interface_id));
            }
            first.note(vpc.router.take().map_or(Ok(()), |router| router.remove()));
            *vpc = Vpc::new(vpc.id.clone());
        }
        first.note(lock(&self.local).teardown(self));
        first.note(self.remove_node_devices(&[]));
        self.undertaker.finish();
        if let Some(mut agent) = lock(&self.agent).take() {
            // Sockets of the daemon may keep the namespace alive; its devices go now.
            let links = agent.side.netlink.links().unwrap_or_default();
            for link in links.iter().filter(|link| link.name != "lo") {
                first.note(agent.side.netlink.delete_link(&link.name));
            }
        }
        for name in Netns::list(&format!("rs-{}-", self.instance))? {
            first.note(Netns::remove(&name));
        }
        for part in [
            "interfaces",
            "vpcs",
            "bridge",
            "ipam.json",
            "ipam.json.new",
            "ipam.json.lock",
        ] {
            let path = self.state_dir.join(part);
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            let removed = removed.or_else(|e| {
                if e.kind() == std::io::ErrorKind::NotFound {
                    Ok(())
                } else {
                    Err(e)
                }
            });
            first.note(removed.map_err(|source| Error::State {
                attempt: "removing",
                path: path.display().to_string(),
                source,
            }));
        }
        first.into_result(())
    }
}
