//! CreateSubnet. Two at the same time never overlap: the store refuses the second if the VPC got a subnet
//! since its range was chosen.

use roadstead_api_ec2::{CreateSubnetRequest, CreateSubnetResult};
use roadstead_base::Ctx;

use super::associate_subnet_cidr_block;
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
    refuse::text("Ipv6IpamPoolId", ipv6_ipam_pool_id)?;
    refuse::flag("Ipv6Native", ipv6_native)?;
    refuse::given("Ipv6NetmaskLength", ipv6_netmask_length)?;
    refuse::text("OutpostArn", outpost_arn)?;
    let cidr_block = cidr_block
        .filter(|text| !text.is_empty())
        .ok_or_else(|| error::missing("cidrBlock"))?;
    let ipv6_cidr_block = ipv6_cidr_block.filter(|text| !text.is_empty());
    let tags = tags::at_creation(&ctx.caller, tag_specifications, "subnet")?;
    let zones = ec2.zones(&ctx.region);
    let zone = zone(&zones, availability_zone, availability_zone_id)?
        .name
        .clone();
    let answer = ec2
        .change(ctx, dry_run, |realm, keys, plan| {
            let entry = realm.vpc(&vpc_id)?;
            let vpc = &entry.value;
            let others = realm.subnets_of(&vpc.id).map(|other| other.value.cidr);
            let subnet = Subnet {
                id: SubnetId::random(),
                vpc: vpc.id.clone(),
                cidr: cidr::of_subnet(&cidr_block, vpc.cidr, others)?,
                ipv6: ipv6_cidr_block
                    .as_deref()
                    .map(|text| associate_subnet_cidr_block::block(realm, vpc, text))
                    .transpose()?,
                assign_ipv6: false,
                zone: zone.clone(),
                default_for_zone: false,
                tags: tags.clone(),
            };
            plan.unmodified(entry);
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

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{CreateSubnetRequest, DescribeSubnetsRequest, Ec2 as _};

    use crate::testing::{Bench, fails, filter, refused, tag, tagged};

    fn of(vpc: &str, cidr: &str) -> CreateSubnetRequest {
        CreateSubnetRequest {
            vpc_id: vpc.to_owned(),
            cidr_block: Some(cidr.to_owned()),
            ..Default::default()
        }
    }

    #[tokio::test]
    async fn create_subnet_lands_in_the_zone_that_is_named() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let vpc = bench.vpc("10.0.0.0/16").await.vpc_id.expect("an id");
        let zone = |text: &str| Some(text.to_owned());
        let requests = [
            (of(&vpc, "10.0.0.0/24"), "us-east-1a", "use1-az1"),
            (
                CreateSubnetRequest {
                    availability_zone: zone("us-east-1b"),
                    ..of(&vpc, "10.0.1.0/24")
                },
                "us-east-1b",
                "use1-az2",
            ),
            (
                CreateSubnetRequest {
                    availability_zone_id: zone("use1-az3"),
                    ..of(&vpc, "10.0.2.0/24")
                },
                "us-east-1c",
                "use1-az3",
            ),
        ];
        for (request, name, id) in requests {
            let subnet = bench
                .ec2
                .create_subnet(&ctx, request)
                .await
                .expect("a subnet")
                .subnet
                .expect("a subnet");
            assert_eq!(subnet.availability_zone.as_deref(), Some(name));
            assert_eq!(subnet.availability_zone_id.as_deref(), Some(id));
        }
        let wrong = CreateSubnetRequest {
            availability_zone: zone("us-west-2a"),
            ..of(&vpc, "10.0.3.0/24")
        };
        fails(
            bench.ec2.create_subnet(&ctx, wrong).await,
            "InvalidParameterValue",
            "Value (us-west-2a) for parameter availabilityZone is invalid. Subnets can currently only be created in \
             the following availability zones: us-east-1a, us-east-1b, us-east-1c.",
        );
        let two = CreateSubnetRequest {
            availability_zone: zone("us-east-1a"),
            availability_zone_id: zone("use1-az2"),
            ..of(&vpc, "10.0.3.0/24")
        };
        fails(
            bench.ec2.create_subnet(&ctx, two).await,
            "InvalidParameterCombination",
            "different",
        );
        let tagged = CreateSubnetRequest {
            tag_specifications: tagged("subnet", "tier", "web"),
            ..of(&vpc, "10.0.4.9/28")
        };
        let subnet = bench
            .ec2
            .create_subnet(&ctx, tagged)
            .await
            .expect("a subnet")
            .subnet
            .expect("a subnet");
        assert_eq!(subnet.cidr_block.as_deref(), Some("10.0.4.0/28"));
        assert_eq!(
            (subnet.available_ip_address_count, subnet.default_for_az),
            (Some(11), Some(false))
        );
        assert_eq!(subnet.tags, Some(vec![tag("tier", "web")]));
        bench.restart().await;
        assert_eq!(
            bench
                .shown_subnet(subnet.subnet_id.as_deref().expect("an id"))
                .await,
            subnet
        );
    }

    #[tokio::test]
    async fn create_subnet_refuses_bad_ranges() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, _) = bench.network().await;
        let ask = async |input| bench.ec2.create_subnet(&ctx, input).await;
        fails(
            ask(of(&vpc, "10.0.0.128/25")).await,
            "InvalidSubnet.Conflict",
            "conflicts with another subnet",
        );
        fails(
            ask(of(&vpc, "10.1.0.0/24")).await,
            "InvalidSubnet.Range",
            "The CIDR '10.1.0.0/24' is invalid.",
        );
        fails(
            ask(of(&vpc, "10.0.1.0/29")).await,
            "InvalidSubnet.Range",
            "10.0.1.0/29",
        );
        fails(
            ask(of(&vpc, "ten")).await,
            "InvalidParameterValue",
            "not a valid CIDR block",
        );
        fails(ask(of(&vpc, "")).await, "MissingParameter", "cidrBlock");
        fails(
            ask(of("vpc-0123", "10.0.1.0/24")).await,
            "InvalidVpcID.NotFound",
            "The vpc ID 'vpc-0123' does not exist",
        );
        let dry = CreateSubnetRequest {
            dry_run: Some(true),
            ..of(&vpc, "10.0.1.0/24")
        };
        fails(ask(dry).await, "DryRunOperation", "");
        let wrong = CreateSubnetRequest {
            tag_specifications: tagged("vpc", "a", "b"),
            ..of(&vpc, "10.0.1.0/24")
        };
        fails(
            ask(wrong).await,
            "InvalidParameterValue",
            "'vpc' is not a valid taggable resource type",
        );
    }

    #[tokio::test]
    async fn create_subnet_refuses_by_name_what_it_cannot_do() {
        let bench = Bench::new().await;
        let text = || Some("x".to_owned());
        let (vpc, _) = bench.network().await;
        let base = || of(&vpc, "10.0.1.0/24");
        let requests = [
            (
                "Ipv4IpamPoolId",
                CreateSubnetRequest {
                    ipv4_ipam_pool_id: text(),
                    ..base()
                },
            ),
            (
                "Ipv4NetmaskLength",
                CreateSubnetRequest {
                    ipv4_netmask_length: Some(24),
                    ..base()
                },
            ),
            (
                "Ipv6IpamPoolId",
                CreateSubnetRequest {
                    ipv6_ipam_pool_id: text(),
                    ..base()
                },
            ),
            (
                "Ipv6Native",
                CreateSubnetRequest {
                    ipv6_native: Some(true),
                    ..base()
                },
            ),
            (
                "Ipv6NetmaskLength",
                CreateSubnetRequest {
                    ipv6_netmask_length: Some(64),
                    ..base()
                },
            ),
            (
                "OutpostArn",
                CreateSubnetRequest {
                    outpost_arn: text(),
                    ..base()
                },
            ),
        ];
        for (member, request) in requests {
            refused(bench.ec2.create_subnet(&bench.root(), request).await, member);
        }
    }

    #[tokio::test]
    async fn subnets_made_at_the_same_time_do_not_overlap() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let vpc = bench.vpc("10.0.0.0/16").await.vpc_id.expect("an id");
        let calls = (0..32).map(|i| {
            let input = of(
                &vpc,
                &format!("10.0.{}.0/{}", i % 8 * 4, if i < 16 { 22 } else { 24 }),
            );
            bench.ec2.create_subnet(&ctx, input)
        });
        let answers = futures_util::future::join_all(calls).await;
        assert_eq!(
            answers.iter().filter(|answer| answer.is_ok()).count(),
            8,
            "one in each range"
        );
        for answer in answers.into_iter().filter(Result::is_err) {
            fails(answer, "InvalidSubnet.Conflict", "conflicts with another subnet");
        }
        let input = DescribeSubnetsRequest {
            filters: filter("vpc-id", &[&vpc]),
            ..Default::default()
        };
        let shown = bench
            .ec2
            .describe_subnets(&ctx, input)
            .await
            .expect("an answer")
            .subnets
            .expect("subnets");
        assert_eq!(shown.len(), 8);
    }
}
