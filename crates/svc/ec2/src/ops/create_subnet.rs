//! CreateSubnet. Two at the same time never overlap: the store refuses the second if the VPC got a subnet
//! since its range was chosen.

use roadstead_api_ec2::{CreateSubnetRequest, CreateSubnetResult};
use roadstead_base::Ctx;

use crate::default_vpc::plan_subnet;
use crate::error::{self, Result};
use crate::ids::SubnetId;
use crate::records::Subnet;
use crate::service::Ec2;
use crate::zones::Zone;
use crate::{cidr, refuse, show, tags};

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: CreateSubnetRequest) -> Result<CreateSubnetResult> {
    let CreateSubnetRequest {
        vpc_id,
        availability_zone,
        availability_zone_id,
        cidr_block,
        dry_run,
        ipv4_ipam_pool_id,
        ipv4_netmask_length,
        ipv6_cidr_block,
        ipv6_ipam_pool_id,
        ipv6_native,
        ipv6_netmask_length,
        outpost_arn,
        tag_specifications,
    } = input;
    refuse::text("Ipv4IpamPoolId", ipv4_ipam_pool_id)?;
    refuse::given("Ipv4NetmaskLength", ipv4_netmask_length)?;
    refuse::text("Ipv6CidrBlock", ipv6_cidr_block)?;
    refuse::text("Ipv6IpamPoolId", ipv6_ipam_pool_id)?;
    refuse::flag("Ipv6Native", ipv6_native)?;
    refuse::given("Ipv6NetmaskLength", ipv6_netmask_length)?;
    refuse::text("OutpostArn", outpost_arn)?;
    let cidr_block = cidr_block
        .filter(|text| !text.is_empty())
        .ok_or_else(|| error::missing("cidrBlock"))?;
    let tags = tags::at_creation(&ctx.caller, tag_specifications, "subnet")?;
    let zones = ec2.zones(&ctx.region);
    let zone = zone(&zones, availability_zone, availability_zone_id)?
        .name
        .clone();
    let answer = ec2
        .change(ctx, dry_run, |realm, keys, plan| {
            let vpc = &realm.vpc(&vpc_id)?.value;
            let others = realm.subnets_of(&vpc.id).map(|other| other.value.cidr);
            let subnet = Subnet {
                id: SubnetId::random(),
                vpc: vpc.id.clone(),
                cidr: cidr::of_subnet(&cidr_block, vpc.cidr, others)?,
                zone: zone.clone(),
                default_for_zone: false,
                tags: tags.clone(),
            };
            plan.exists(&keys.vpc(&vpc.id));
            plan.none_newer_below(&keys.subnet_ranges(&vpc.id));
            plan_subnet(keys, plan, &subnet)?;
            Ok(show::subnet::View {
                ctx,
                realm,
                zones: &zones,
            }
            .wire(&subnet))
        })
        .await?;
    Ok(CreateSubnetResult { subnet: Some(answer) })
}

/// The zone that is named; the first if none is, so that a subnet lands where a cloud of one machine has it.
fn zone(zones: &[Zone], name: Option<String>, id: Option<String>) -> Result<&Zone> {
    let invalid = |value: &str, parameter: &str| {
        let valid: Vec<&str> = zones.iter().map(|zone| zone.name.as_str()).collect();
        error::invalid_value(format!(
            "Value ({}) for parameter {parameter} is invalid. Subnets can currently only be created in the \
             following availability zones: {}.",
            error::clip(value),
            valid.join(", ")
        ))
    };
    let named = match name.as_deref().filter(|name| !name.is_empty()) {
        // The documentation takes ids in place of names here.
        Some(name) => Some(
            zones
                .iter()
                .find(|zone| zone.name == name || zone.id == name)
                .ok_or_else(|| invalid(name, "availabilityZone"))?,
        ),
        None => None,
    };
    let by_id = match id.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => Some(
            zones
                .iter()
                .find(|zone| zone.id == id)
                .ok_or_else(|| invalid(id, "availabilityZoneId"))?,
        ),
        None => None,
    };
    match (named, by_id) {
        (Some(named), Some(by_id)) if named != by_id => Err(error::combination(
            "The parameters availabilityZone and availabilityZoneId name different availability zones",
        )),
        (Some(zone), _) | (None, Some(zone)) => Ok(zone),
        (None, None) => zones.first().ok_or_else(|| error::missing("availabilityZone")),
    }
}
