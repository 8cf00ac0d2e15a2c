//! The service as a component: its options, its state, and the one way in which a call changes anything.

use std::collections::{BTreeSet, HashSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::Ipv4Net;
use roadstead_base::{Caller, Ctx, Partition, Region, SharedClock};
use roadstead_dispatch::{MapReceiver, NetworkMaps};
use roadstead_store::Store;

use crate::error::{self, Error, Result};
use crate::ids::SubnetId;
use crate::keys::Keys;
use crate::plan::Plan;
use crate::world::{Feed, Realm};
use crate::zones::{Zone, zones};

/// How often a call decides anew when others keep changing what it read. Of the calls that change one record
/// at the same time one succeeds in each round, so this is how many may.
const MAX_TRIES: usize = 128;

/// How the service is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of each account's default VPC in each region; /16 to /26.
    pub default_vpc_cidr: Ipv4Net,
    /// Availability zones of a region: 1 to 26.
    pub zones: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            default_vpc_cidr: Ipv4Net::new_assert(Ipv4Addr::new(172, 31, 0, 0), 16),
            zones: 3,
        }
    }
}

impl Options {
    /// The blocks of the default subnets, one for each zone.
    fn check(&self) -> std::result::Result<(), Error> {
        let (cidr, zones) = (self.default_vpc_cidr, self.zones);
        if !(1..=26).contains(&zones) {
            return Err(Error::Zones(zones));
        }
        let cidr = roadstead_ipam::check_vpc(cidr)?;
        if crate::default_vpc::blocks(cidr, zones).len() < usize::from(zones) {
            return Err(Error::DefaultVpcCidr { cidr, zones });
        }
        Ok(())
    }
}

/// EC2's networking.
pub struct Ec2 {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    pub(crate) options: Options,
    pub(crate) feed: Feed,
    /// Addresses that calls of this process are about to claim. The store decides who gets an address; this
    /// only keeps calls at the same time from all trying the same one.
    wanted: Arc<Mutex<HashSet<(SubnetId, Ipv4Addr)>>>,
}

impl Ec2 {
    /// Reads the state and keeps it level with the store from then on.
    ///
    /// # Errors
    /// The options do not fit together, or the store cannot be read.
    pub async fn new(
        store: Arc<dyn Store>,
        clock: SharedClock,
        options: Options,
    ) -> std::result::Result<Arc<Self>, Error> {
        let options = Options {
            default_vpc_cidr: options.default_vpc_cidr.trunc(),
            ..options
        };
        options.check()?;
        let feed = Feed::start(&store, clock.now()).await?;
        Ok(Arc::new(Self {
            store,
            clock,
            options,
            feed,
            wanted: Arc::default(),
        }))
    }

    pub(crate) fn zones(&self, region: &Region) -> Vec<Zone> {
        zones(region, self.options.zones)
    }

    /// Reads the present state: everything acknowledged to anybody before is in it.
    pub(crate) async fn read<T>(&self, ctx: &Ctx, read: impl FnOnce(&Realm) -> T) -> Result<T> {
        let partition = ctx.partition();
        self.settle(&partition).await?;
        let world = self.feed.world();
        let realm = world.realm(&partition).ok_or_else(error::contended)?;
        Ok(read(realm))
    }

    /// Decides on the present state and writes the plan if that state still holds; if not, decides again.
    /// With `dry_run`, what would have been written is answered with `DryRunOperation`.
    pub(crate) async fn change<T>(
        &self,
        ctx: &Ctx,
        dry_run: Option<bool>,
        decide: impl FnMut(&Realm, &Keys, &mut Plan) -> Result<T> + Send,
    ) -> Result<T> {
        error::may_write(&ctx.caller)?;
        let partition = ctx.partition();
        self.settle(&partition).await?;
        self.commit(&partition, dry_run == Some(true), decide).await
    }

    /// [`Self::change`] for an account and region that may be new.
    pub(crate) async fn commit<T>(
        &self,
        partition: &Partition,
        dry_run: bool,
        mut decide: impl FnMut(&Realm, &Keys, &mut Plan) -> Result<T> + Send,
    ) -> Result<T> {
        let keys = Keys::of(partition);
        for _ in 0..MAX_TRIES {
            self.catch_up().await?;
            let (mut plan, answer);
            {
                let world = self.feed.world();
                plan = Plan::as_of(world.revision);
                let empty = Realm::default();
                answer = decide(world.realm(partition).unwrap_or(&empty), &keys, &mut plan)?;
            }
            if dry_run {
                return Err(error::dry_run());
            }
            if plan.is_empty() {
                return Ok(answer);
            }
            let done = self
                .store
                .commit(plan.into_txn())
                .await
                .map_err(|cause| error::store(&cause))?;
            if done.succeeded {
                self.feed
                    .wait_for(done.revision)
                    .await
                    .map_err(|cause| error::store(&cause))?;
                return Ok(answer);
            }
        }
        Err(error::contended())
    }

    /// Refuses changes to what a part of the platform made for itself.
    pub(crate) fn may_manage(caller: &Caller, interface: &crate::records::Interface) -> Result<()> {
        match (caller, &interface.requester) {
            (Caller::Service(_), _) | (_, None) => Ok(()),
            _ => Err(error::not_yours()),
        }
    }

    /// The state has everything that was acknowledged, and the default VPC was made if this is the first use.
    pub(crate) async fn settle(&self, partition: &Partition) -> Result<()> {
        self.catch_up().await?;
        let made = self
            .feed
            .world()
            .realm(partition)
            .is_some_and(|realm| realm.default_mark.is_some());
        if made {
            Ok(())
        } else {
            self.make_first_default_vpc(partition).await
        }
    }

    async fn catch_up(&self) -> Result<()> {
        let revision = self
            .store
            .revision()
            .await
            .map_err(|cause| error::store(&cause))?;
        self.feed
            .wait_for(revision)
            .await
            .map_err(|cause| error::store(&cause))
    }

    /// Addresses that calls of this process have set their eyes on.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            all: Arc::clone(&self.wanted),
            ours: Vec::new(),
        }
    }
}

/// Addresses a call is about to claim; let go when it is dropped.
pub(crate) struct Wanted {
    all: Arc<Mutex<HashSet<(SubnetId, Ipv4Addr)>>>,
    ours: Vec<(SubnetId, Ipv4Addr)>,
}

impl Wanted {
    /// Chooses addresses of a subnet, in place of those chosen before. `choose` is given what adds to a set of
    /// addresses those that others want.
    pub(crate) fn choose<T>(
        &mut self,
        subnet: &SubnetId,
        choose: impl FnOnce(&dyn Fn(&mut BTreeSet<Ipv4Addr>)) -> Result<(T, Vec<Ipv4Addr>)>,
    ) -> Result<T> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        for old in self.ours.drain(..) {
            all.remove(&old);
        }
        let others = |used: &mut BTreeSet<Ipv4Addr>| {
            used.extend(
                all.iter()
                    .filter(|(of, _)| of == subnet)
                    .map(|(_, address)| *address),
            );
        };
        let (answer, chosen) = choose(&others)?;
        for address in chosen {
            // One that somebody else wants too was asked for by name; it stays theirs to let go.
            if all.insert((subnet.clone(), address)) {
                self.ours.push((subnet.clone(), address));
            }
        }
        Ok(answer)
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        for address in self.ours.drain(..) {
            all.remove(&address);
        }
    }
}

impl NetworkMaps for Ec2 {
    fn subscribe(&self, instance_id: &str) -> MapReceiver {
        self.feed.subscribe(instance_id)
    }
}
