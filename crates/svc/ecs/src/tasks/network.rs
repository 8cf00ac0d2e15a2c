//! `networkConfiguration`: which subnets and groups a task's interface may have. They belong to the network
//! service, which is asked; what it says becomes this service's error.

use roadstead_api_ec2 as ec2;
use roadstead_api_ecs::{AssignPublicIp, AwsVpcConfiguration, NetworkConfiguration, NetworkMode};
use roadstead_base::Ctx;
use roadstead_placement::Location;
use roadstead_protocol::ApiError;

use crate::error::{Error, Result};
use crate::{Ecs, PRINCIPAL, settings};

const MAX_SUBNETS: usize = 16;
const MAX_GROUPS: usize = 5;

/// A subnet that a task's interface may be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subnet {
    pub(super) id: String,
    pub(super) location: Location,
    /// `a.b.c.d/len`
    pub(super) cidr: String,
    /// Its IPv6 block, where tasks of this caller get an address of it.
    pub(super) ipv6_cidr: Option<String>,
}

/// Checked: all of it exists, in one VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(super) subnets: Vec<Subnet>,
    pub(super) groups: Vec<String>,
    /// The VPC's resolver: its base address + 2.
    pub(super) resolver: String,
}

/// The network of an `awsvpc` task; none for the other modes.
pub(super) async fn check(
    ecs: &Ecs,
    ctx: &Ctx,
    mode: NetworkMode,
    configuration: Option<NetworkConfiguration>,
) -> Result<Option<Network>> {
    let configuration =
        configuration.and_then(|NetworkConfiguration { awsvpc_configuration }| awsvpc_configuration);
    match (mode, configuration) {
        (NetworkMode::Awsvpc, None) => Err(Error::invalid(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )),
        (NetworkMode::Awsvpc, Some(configuration)) => resolve(ecs, ctx, configuration).await.map(Some),
        (_, None) => Ok(None),
        (_, Some(_)) => Err(Error::invalid(
            "Network Configuration is not valid for the given networkMode of this task definition.",
        )),
    }
}

async fn resolve(ecs: &Ecs, ctx: &Ctx, configuration: AwsVpcConfiguration) -> Result<Network> {
    let AwsVpcConfiguration {
        subnets,
        assign_public_ip,
        security_groups,
    } = configuration;
    if assign_public_ip == Some(AssignPublicIp::Enabled) {
        return Err(Error::invalid(
            "networkConfiguration.awsvpcConfiguration.assignPublicIp ENABLED is not supported by Roadstead yet: \
             there are no internet gateways, so no public addresses; use DISABLED.",
        ));
    }
    let groups = security_groups.unwrap_or_default();
    if subnets.is_empty() {
        return Err(Error::invalid("subnets can not be empty."));
    }
    if subnets.len() > MAX_SUBNETS {
        return Err(Error::invalid(format!(
            "subnets can have at most {MAX_SUBNETS} items."
        )));
    }
    if groups.len() > MAX_GROUPS {
        return Err(Error::invalid(format!(
            "securityGroups can have at most {MAX_GROUPS} items."
        )));
    }
    let inner = ecs
        .dispatcher
        .internal_ctx(PRINCIPAL, ctx.account.clone(), ctx.region.clone());
    let mut subnets = describe_subnets(ecs, &inner, subnets).await?;
    if subnets.iter().any(|subnet| subnet.ipv6_cidr.is_some()) && !settings::dual_stack(ecs, ctx).await? {
        for subnet in &mut subnets {
            subnet.ipv6_cidr = None;
        }
    }
    let vpc = subnets
        .first()
        .map(|subnet| subnet.location.vpc.clone())
        .unwrap_or_default();
    if subnets.iter().any(|subnet| subnet.location.vpc != vpc) {
        return Err(Error::invalid("All subnets must belong to the same VPC."));
    }
    check_groups(ecs, &inner, &groups, &vpc).await?;
    let resolver = resolver_of(ecs, &inner, &vpc).await?;
    Ok(Network {
        subnets,
        groups,
        resolver,
    })
}

async fn resolver_of(ecs: &Ecs, inner: &Ctx, vpc: &str) -> Result<String> {
    let request = ec2::DescribeVpcsRequest {
        vpc_ids: Some(vec![vpc.to_owned()]),
        ..Default::default()
    };
    let answer = ecs
        .ec2
        .describe_vpcs(inner, request)
        .await
        .map_err(|error| passed_on("VPC", &[vpc.to_owned()], error))?;
    let cidr = answer
        .vpcs
        .unwrap_or_default()
        .into_iter()
        .next()
        .and_then(|vpc| vpc.cidr_block)
        .unwrap_or_default();
    let base: Option<std::net::Ipv4Addr> = cidr.split_once('/').and_then(|(base, _)| base.parse().ok());
    let base =
        base.ok_or_else(|| Error::client(format!("The VPC {vpc} has no readable CIDR block: {cidr:?}.")))?;
    Ok(std::net::Ipv4Addr::from(u32::from(base).wrapping_add(2)).to_string())
}

fn passed_on(what: &str, ids: &[String], error: ApiError) -> Error {
    if error.status >= 500 {
        return Error::Other(error);
    }
    let ids = ids.join(",");
    Error::invalid(format!(
        "Error retrieving {what} information for [{ids}]: {} (ErrorCode: {})",
        error.message, error.code
    ))
}

/// In the order they were asked for, each once.
async fn describe_subnets(ecs: &Ecs, inner: &Ctx, ids: Vec<String>) -> Result<Vec<Subnet>> {
    let request = ec2::DescribeSubnetsRequest {
        subnet_ids: Some(ids.clone()),
        ..Default::default()
    };
    let answer = ecs
        .ec2
        .describe_subnets(inner, request)
        .await
        .map_err(|error| passed_on("subnet", &ids, error))?;
    let mut known = answer.subnets.unwrap_or_default();
    let mut found: Vec<Subnet> = Vec::new();
    for id in &ids {
        let Some(at) = known
            .iter()
            .position(|subnet| subnet.subnet_id.as_ref() == Some(id))
        else {
            continue;
        };
        let subnet = known.swap_remove(at);
        let location = Location {
            vpc: subnet.vpc_id.unwrap_or_default(),
            zone: subnet.availability_zone.unwrap_or_default(),
        };
        found.push(Subnet {
            id: id.clone(),
            location,
            cidr: subnet.cidr_block.unwrap_or_default(),
            ipv6_cidr: ipv6_block(subnet.ipv6_cidr_block_association_set),
        });
    }
    Ok(found)
}

/// The block that is associated with a subnet.
fn ipv6_block(blocks: Option<Vec<ec2::SubnetIpv6CidrBlockAssociation>>) -> Option<String> {
    let associated = |block: &ec2::SubnetIpv6CidrBlockAssociation| {
        let state = block.ipv6_cidr_block_state.as_ref().and_then(|state| state.state);
        state == Some(ec2::SubnetCidrBlockStateCode::Associated)
    };
    let block = blocks.unwrap_or_default().into_iter().find(associated)?;
    block.ipv6_cidr_block
}

async fn check_groups(ecs: &Ecs, inner: &Ctx, ids: &[String], vpc: &str) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let request = ec2::DescribeSecurityGroupsRequest {
        group_ids: Some(ids.to_vec()),
        ..Default::default()
    };
    let answer = ecs
        .ec2
        .describe_security_groups(inner, request)
        .await
        .map_err(|error| passed_on("security group", ids, error))?;
    let groups = answer.security_groups.unwrap_or_default();
    match groups.iter().find(|group| group.vpc_id.as_deref() != Some(vpc)) {
        Some(group) => Err(Error::invalid(format!(
            "Security Group {} does not appear to belong to the same VPC as the input subnets.",
            group.group_id.as_deref().unwrap_or_default()
        ))),
        None => Ok(()),
    }
}
