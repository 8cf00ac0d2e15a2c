//! The default VPC: there at the first use of an account in a region, and gone for good when its owner
//! deletes it, until `CreateDefaultVpc`.

use ipnet::{Ipv4Net, Ipv6Net};
use roadstead_base::Partition;

use crate::error::{self, Result};
use crate::ids::{CidrAssociationId, GroupId, RuleId, SubnetId, VpcId};
use crate::keys::Keys;
use crate::plan::Plan;
use crate::records::{
    DefaultVpcMark, Group, GroupUse, Ipv6Block, Peer, Permit, Rule, Subnet, SubnetRange, Tags, Traffic, Vpc,
};
use crate::service::Ec2;
use crate::world::Realm;
use crate::zones::Zone;

/// A subnet gets a sixteenth of the VPC, as a /20 of the /16.
const SUBNET_BITS: u8 = 4;
/// And is no smaller than a subnet can be.
const SMALLEST: u8 = 28;

/// What a new network interface is put into when nothing is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultVpc {
    pub vpc_id: VpcId,
    pub cidr: Ipv4Net,
    /// None until its owner associates one.
    pub ipv6_cidr: Option<Ipv6Net>,
    /// In order of their zones.
    pub subnets: Vec<DefaultSubnet>,
    /// The VPC's default security group.
    pub group_id: GroupId,
}

/// The default subnet of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultSubnet {
    pub subnet_id: SubnetId,
    /// The zone's name.
    pub availability_zone: String,
    pub cidr: Ipv4Net,
}

/// The blocks of the default subnets; fewer than zones if there is no room.
pub(crate) fn blocks(cidr: Ipv4Net, zones: u8) -> Vec<Ipv4Net> {
    let length = (cidr.prefix_len() + SUBNET_BITS).min(SMALLEST);
    cidr.subnets(length)
        .map(|subnets| subnets.take(usize::from(zones)).collect())
        .unwrap_or_default()
}

/// A rule that lets everything through.
fn everything(egress: bool, peer: Peer) -> Rule {
    Rule {
        id: RuleId::random(),
        permit: Permit {
            egress,
            traffic: Traffic::All,
            peer,
        },
        description: None,
        tags: Tags::new(),
    }
}

/// Lets all IPv6 traffic out: of every new group of a VPC with an IPv6 block.
pub(crate) fn all_ipv6_out() -> Rule {
    everything(true, Peer::V6(Ipv6Net::default()))
}

/// A new group lets everything out that its VPC has addresses for, and nothing in.
pub(crate) fn new_group(vpc: &VpcId, ipv6: bool, name: &str, description: &str, tags: Tags) -> Group {
    let mut rules = vec![everything(true, Peer::V4(Ipv4Net::default()))];
    rules.extend(ipv6.then(all_ipv6_out));
    Group {
        id: GroupId::random(),
        vpc: vpc.clone(),
        name: name.to_owned(),
        description: description.to_owned(),
        rules,
        tags,
    }
}

/// Plans a VPC with its default group, whose members reach each other.
pub(crate) fn plan_vpc(
    keys: &Keys,
    plan: &mut Plan,
    cidr: Ipv4Net,
    ipv6: Option<Ipv6Block<CidrAssociationId>>,
    is_default: bool,
    tags: Tags,
) -> Result<Vpc> {
    let id = VpcId::random();
    let description = "default VPC security group";
    let mut group = new_group(&id, ipv6.is_some(), "default", description, Tags::new());
    group
        .rules
        .insert(0, everything(false, Peer::Group(group.id.clone())));
    let vpc = Vpc {
        id,
        cidr,
        association: CidrAssociationId::random(),
        ipv6,
        is_default,
        default_group: group.id.clone(),
        tags,
    };
    plan.insert(&keys.vpc(&vpc.id), &vpc)?;
    plan.insert(&keys.group(&group.id), &group)?;
    Ok(vpc)
}

/// Plans a subnet. That its range is free is the caller's to see to.
pub(crate) fn plan_subnet(keys: &Keys, plan: &mut Plan, subnet: &Subnet) -> Result<()> {
    plan.insert(&keys.subnet(&subnet.id), subnet)?;
    plan.insert(&keys.subnet_range(&subnet.vpc, &subnet.id), &range(subnet))
}

/// What keeps other subnets apart from this one.
pub(crate) fn range(subnet: &Subnet) -> SubnetRange {
    SubnetRange {
        cidr: subnet.cidr,
        ipv6_cidr: subnet.ipv6.as_ref().map(|block| block.cidr),
    }
}

/// Plans that `user`, an interface or a group, uses these groups, which must exist.
pub(crate) fn plan_uses(keys: &Keys, plan: &mut Plan, user: &str, groups: &[GroupId]) -> Result<()> {
    for group in groups {
        plan.exists(&keys.group(group));
        plan.put(&keys.use_of_group(group, user), &GroupUse {})?;
    }
    Ok(())
}

/// Plans the default VPC, a subnet in each zone, and the mark that it was made.
fn plan_default(realm: &Realm, keys: &Keys, plan: &mut Plan, cidr: Ipv4Net, zones: &[Zone]) -> Result<Vpc> {
    let vpc = plan_vpc(keys, plan, cidr, None, true, Tags::new())?;
    let count = u8::try_from(zones.len()).unwrap_or(u8::MAX);
    for (zone, cidr) in zones.iter().zip(blocks(cidr, count)) {
        let subnet = Subnet {
            id: SubnetId::random(),
            vpc: vpc.id.clone(),
            cidr,
            ipv6: None,
            assign_ipv6: false,
            zone: zone.name.clone(),
            default_for_zone: true,
            tags: Tags::new(),
        };
        plan_subnet(keys, plan, &subnet)?;
    }
    let mark = DefaultVpcMark {
        vpc: Some(vpc.id.clone()),
    };
    match &realm.default_mark {
        Some(entry) => plan.replace(entry, &mark)?,
        None => plan.insert(&keys.default_vpc(), &mark)?,
    }
    Ok(vpc)
}

impl Ec2 {
    /// The default VPC of an account and region, made if this is its first use; none if its owner deleted it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn ensure_default_vpc(&self, partition: &Partition) -> Result<Option<DefaultVpc>> {
        self.settle(partition).await?;
        let world = self.feed.world();
        let Some(realm) = world.realm(partition) else {
            return Ok(None);
        };
        let Some(vpc) = realm.default_vpc() else {
            return Ok(None);
        };
        let mut subnets: Vec<DefaultSubnet> = realm
            .subnets_of(&vpc.value.id)
            .filter(|subnet| subnet.value.default_for_zone)
            .map(|subnet| DefaultSubnet {
                subnet_id: subnet.value.id.clone(),
                availability_zone: subnet.value.zone.clone(),
                cidr: subnet.value.cidr,
            })
            .collect();
        subnets.sort_by(|a, b| a.availability_zone.cmp(&b.availability_zone));
        Ok(Some(DefaultVpc {
            vpc_id: vpc.value.id.clone(),
            cidr: vpc.value.cidr,
            ipv6_cidr: vpc.value.ipv6.as_ref().map(|block| block.cidr),
            subnets,
            group_id: vpc.value.default_group.clone(),
        }))
    }

    pub(crate) async fn make_first_default_vpc(&self, partition: &Partition) -> Result<()> {
        let zones = self.zones(&partition.region);
        let cidr = self.options.default_vpc_cidr;
        self.commit(partition, false, |realm, keys, plan| {
            if realm.default_mark.is_none() {
                plan_default(realm, keys, plan, cidr, &zones)?;
            }
            Ok(())
        })
        .await
    }

    /// A default VPC for an owner who deleted theirs.
    pub(crate) async fn make_default_vpc(
        &self,
        ctx: &roadstead_base::Ctx,
        dry_run: Option<bool>,
    ) -> Result<Vpc> {
        let zones = self.zones(&ctx.region);
        let cidr = self.options.default_vpc_cidr;
        self.change(ctx, dry_run, |realm, keys, plan| match realm.default_vpc() {
            Some(_) => Err(error::other(
                "DefaultVpcAlreadyExists",
                "A Default VPC already exists for this account in this region.",
            )),
            None => plan_default(realm, keys, plan, cidr, &zones),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_subnets_are_a_sixteenth_and_at_least_a_28() {
        let check = |cidr: &str, wanted: &[&str]| {
            let blocks = blocks(cidr.parse().expect("a net"), 3);
            assert_eq!(
                blocks.iter().map(ToString::to_string).collect::<Vec<_>>(),
                wanted,
                "{cidr}"
            );
        };
        check(
            "172.31.0.0/16",
            &["172.31.0.0/20", "172.31.16.0/20", "172.31.32.0/20"],
        );
        check("10.1.2.0/24", &["10.1.2.0/28", "10.1.2.16/28", "10.1.2.32/28"]);
        check("10.1.2.0/26", &["10.1.2.0/28", "10.1.2.16/28", "10.1.2.32/28"]);
        check("10.1.2.0/27", &["10.1.2.0/28", "10.1.2.16/28"]);
    }
}
