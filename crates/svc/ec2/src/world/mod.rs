//! The state of EC2 in memory, fed by the store's watch. Decisions and describe calls read it instead of the
//! store: all of it is as of one revision, and what is asked often (who holds this address, which interfaces
//! are in this VPC, on this instance) has an index.

mod follow;
mod realm;

pub(crate) use follow::Feed;
pub(crate) use realm::{Realm, Rec};

use std::collections::{BTreeMap, BTreeSet, HashMap};

use roadstead_base::Partition;
use roadstead_store::{Entry, Key, KeyValue, Revision};
use serde::de::DeserializeOwned;

use crate::ids::{InstanceId, VpcId};
use crate::keys;
use crate::records::Interface;

/// Every account and region.
#[derive(Default)]
pub(crate) struct World {
    /// Everything through this revision is in it.
    pub(crate) revision: Revision,
    /// Milliseconds since 1970 when this process began. See [`World::generation`].
    pub(crate) began: u64,
    realms: HashMap<Partition, Realm>,
    /// The VPCs that have interfaces on an instance, and how many.
    by_instance: BTreeMap<InstanceId, BTreeMap<VpcId, usize>>,
    /// Where each VPC is.
    homes: HashMap<VpcId, Partition>,
}

/// A change of one key: what it holds now, or nothing.
pub(crate) struct Fact {
    pub(crate) key: Key,
    pub(crate) now: Option<KeyValue>,
}

/// A key of this service taken apart.
struct Place {
    partition: Partition,
    table: String,
    path: Vec<String>,
}

fn place(key: &Key) -> Option<Place> {
    let mut segments = key.segments();
    let (account, region, table) = (segments.next()?, segments.next()?, segments.next()?);
    if !table.starts_with(keys::TABLE_PREFIX) {
        return None;
    }
    let partition = Partition {
        account: account.parse().ok()?,
        region: region.parse().ok()?,
    };
    Some(Place {
        partition,
        table,
        path: segments.collect(),
    })
}

/// A record that cannot be read is left out and said so: one damaged record must not stop the service.
fn decoded<T: DeserializeOwned>(kv: KeyValue) -> Option<Entry<T>> {
    let key = Key::from_bytes(kv.key);
    match serde_json::from_slice(&kv.value) {
        Ok(value) => Some(Entry {
            key,
            value,
            revision: kv.mod_revision,
            created: kv.create_revision,
        }),
        Err(error) => {
            tracing::error!(%key, %error, "a record of EC2 cannot be read and is left out");
            None
        }
    }
}

impl World {
    /// What maps of this state are numbered by. Revisions alone would go back when a store is emptied or
    /// restored from a copy, and nodes refuse what is older than what they have; time does not go back.
    pub(crate) fn generation(&self) -> u64 {
        self.began.saturating_add(self.revision.0)
    }

    pub(crate) fn realm(&self, partition: &Partition) -> Option<&Realm> {
        self.realms.get(partition)
    }

    /// The account and region of a VPC.
    pub(crate) fn home(&self, vpc: &VpcId) -> Option<(&Partition, &Realm)> {
        let partition = self.homes.get(vpc)?;
        Some((partition, self.realms.get(partition)?))
    }

    /// The VPCs with an interface on the instance, in order of ids.
    pub(crate) fn vpcs_on(&self, instance: &str) -> impl Iterator<Item = &VpcId> {
        self.by_instance
            .get(instance)
            .into_iter()
            .flat_map(BTreeMap::keys)
    }

    /// Takes over a change. VPCs of which a node could see it are added to `touched`.
    pub(crate) fn apply(&mut self, fact: Fact, touched: &mut BTreeSet<VpcId>) {
        let Some(Place {
            partition,
            table,
            path,
        }) = place(&fact.key)
        else {
            return;
        };
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let realm = self.realms.entry(partition.clone()).or_default();
        match (table.as_str(), path.as_slice()) {
            (keys::VPC, [id]) => {
                let id = VpcId::named(*id);
                match fact.now.and_then(decoded) {
                    Some(entry) => {
                        self.homes.insert(id.clone(), partition);
                        realm.put_vpc(entry);
                    }
                    None => {
                        self.homes.remove(&id);
                        realm.remove_vpc(&id);
                    }
                }
                touched.insert(id);
            }
            (keys::SUBNET, [id]) => {
                touched.extend(realm.set_subnet(id, fact.now.and_then(decoded)));
            }
            (keys::GROUP, [id]) => {
                touched.extend(realm.set_group(id, fact.now.and_then(decoded)));
            }
            (keys::INTERFACE, [id]) => {
                let (before, after) = realm.set_interface(id, fact.now.and_then(decoded));
                touched.extend(
                    before
                        .iter()
                        .chain(&after)
                        .map(|interface| interface.value.vpc.clone()),
                );
                if let Some(before) = before {
                    self.count(&before.value, false);
                }
                if let Some(after) = after {
                    self.count(&after.value, true);
                }
            }
            (keys::ADDRESS, [subnet, address]) => {
                realm.set_address(subnet, address, fact.now.is_some());
            }
            (keys::RELEASED, [subnet, address]) => {
                realm.set_released(
                    subnet,
                    address,
                    fact.now.and_then(decoded).map(|entry| entry.value),
                );
            }
            (keys::TOKEN, [token]) => realm.set_token(token, fact.now.and_then(decoded)),
            (keys::DEFAULT_VPC, [_]) => realm.set_default_mark(fact.now.and_then(decoded)),
            (keys::GROUP_USE, [group, user]) => realm.set_use(group, user, fact.now.is_some()),
            // These exist to be compared in transactions alone.
            (keys::SUBNET_RANGE | keys::GROUP_NAME, _) => {}
            _ => tracing::warn!(key = %fact.key, "a key that this release of EC2 does not know"),
        }
    }

    fn count(&mut self, interface: &Interface, on: bool) {
        let Some(attachment) = &interface.attachment else {
            return;
        };
        let vpcs = self.by_instance.entry(attachment.instance.clone()).or_default();
        let count = vpcs.entry(interface.vpc.clone()).or_default();
        *count = if on { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            vpcs.remove(&interface.vpc);
        }
        if vpcs.is_empty() {
            self.by_instance.remove(&attachment.instance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store brought back from a copy has lower revisions, and the nodes have seen the higher ones.
    #[test]
    fn generations_do_not_go_back_with_a_restored_store() {
        let of = |began, revision| {
            let world = World {
                began,
                revision: Revision(revision),
                ..World::default()
            };
            world.generation()
        };
        assert!(of(1_800_000_060_000, 3) > of(1_800_000_000_000, 500));
        assert!(of(1_800_000_000_000, 501) > of(1_800_000_000_000, 500));
    }
}
