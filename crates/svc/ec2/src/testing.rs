//! What the tests of handlers share: a service over a store in memory and a clock that stands still.

use std::net::Ipv4Addr;
use std::sync::Arc;

use roadstead_api_ec2::{
    AttachNetworkInterfaceRequest, AttributeBooleanValue, CreateNetworkInterfaceRequest,
    CreateSecurityGroupRequest, CreateSubnetRequest, CreateVpcRequest, DescribeNetworkInterfacesRequest,
    DescribeSecurityGroupsRequest, DescribeSubnetsRequest, DescribeVpcsRequest, Ec2 as _, Filter,
    IpPermission, IpRange, ModifySubnetAttributeRequest, NetworkInterface, SecurityGroup, Subnet, Tag,
    TagSpecification, Vpc,
};
use roadstead_base::{Caller, Ctx, ManualClock, Pager, Timestamp};
use roadstead_protocol::ApiError;
use roadstead_store::{Embedded, Store};

use crate::default_vpc::DefaultVpc;
use crate::service::{Ec2, Options};

/// 2026-01-01T00:00:00Z
pub(crate) const NOW: Timestamp = Timestamp(1_767_225_600_000);

pub(crate) struct Bench {
    pub(crate) ec2: Arc<Ec2>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<dyn Store>,
    pager: Arc<Pager>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let store = Embedded::in_memory(roadstead_store::Options::default()).expect("a store");
        let store: Arc<dyn Store> = Arc::new(store);
        let clock = Arc::new(ManualClock::at(NOW));
        let ec2 = Ec2::new(Arc::clone(&store), clock.clone(), options)
            .await
            .expect("a service");
        Self {
            ec2,
            clock,
            store,
            pager: Arc::new(Pager::new([7; 32])),
        }
    }

    /// The service started anew on the same store.
    pub(crate) async fn restart(&mut self) {
        let options = self.ec2.options.clone();
        self.ec2 = Ec2::new(Arc::clone(&self.store), self.clock.clone(), options)
            .await
            .expect("a service");
    }

    pub(crate) fn ctx_of(&self, caller: Caller, account: &str, region: &str) -> Ctx {
        Ctx {
            account: account.parse().expect("an account"),
            region: region.parse().expect("a region"),
            caller,
            request_id: roadstead_base::random_uuid(),
            pager: Arc::clone(&self.pager),
            endpoint: String::new(),
            origin: Arc::default(),
        }
    }

    /// The account's root.
    pub(crate) fn root(&self) -> Ctx {
        self.ctx_of(Caller::Root, "000000000000", "us-east-1")
    }

    /// The part of the platform that runs tasks.
    pub(crate) fn ecs(&self) -> Ctx {
        self.ctx_of(Caller::Service("ecs.amazonaws.com"), "000000000000", "us-east-1")
    }

    pub(crate) fn node(&self) -> Ctx {
        self.ctx_of(Caller::Node, "000000000000", "us-east-1")
    }

    pub(crate) async fn default_vpc(&self) -> DefaultVpc {
        let made = self.ec2.ensure_default_vpc(&self.root().partition()).await;
        made.expect("a default VPC").expect("one that nobody deleted")
    }

    pub(crate) async fn vpc(&self, cidr: &str) -> Vpc {
        let input = CreateVpcRequest {
            cidr_block: Some(cidr.to_owned()),
            ..Default::default()
        };
        self.ec2
            .create_vpc(&self.root(), input)
            .await
            .expect("a VPC")
            .vpc
            .expect("a VPC")
    }

    pub(crate) async fn subnet(&self, vpc: &str, cidr: &str) -> Subnet {
        let input = CreateSubnetRequest {
            vpc_id: vpc.to_owned(),
            cidr_block: Some(cidr.to_owned()),
            ..Default::default()
        };
        self.ec2
            .create_subnet(&self.root(), input)
            .await
            .expect("a subnet")
            .subnet
            .expect("a subnet")
    }

    /// A VPC of 10.0.0.0/16 with one subnet of 10.0.0.0/24: their ids.
    pub(crate) async fn network(&self) -> (String, String) {
        let vpc = self.vpc("10.0.0.0/16").await.vpc_id.expect("an id");
        let subnet = self.subnet(&vpc, "10.0.0.0/24").await.subnet_id.expect("an id");
        (vpc, subnet)
    }

    /// A VPC of 10.0.0.0/16 with an IPv6 block, and a subnet with a part of both.
    pub(crate) async fn dual_stack(&self) -> DualStack {
        let input = CreateVpcRequest {
            cidr_block: Some("10.0.0.0/16".to_owned()),
            amazon_provided_ipv6_cidr_block: Some(true),
            ..Default::default()
        };
        let made = self.ec2.create_vpc(&self.root(), input).await.expect("a VPC");
        let made = made.vpc.expect("a VPC");
        let vpc = made.vpc_id.expect("an id");
        let vpc_block = made.ipv6_cidr_block_association_set.expect("blocks").remove(0);
        let vpc_block = vpc_block.ipv6_cidr_block.expect("a block");
        let input = CreateSubnetRequest {
            vpc_id: vpc.clone(),
            cidr_block: Some("10.0.0.0/24".to_owned()),
            ipv6_cidr_block: Some(within(&vpc_block, 0)),
            ..Default::default()
        };
        let made = self.ec2.create_subnet(&self.root(), input).await;
        let made = made.expect("a subnet").subnet.expect("a subnet");
        let block = made.ipv6_cidr_block_association_set.expect("blocks").remove(0);
        DualStack {
            vpc,
            vpc_block,
            subnet: made.subnet_id.expect("an id"),
            subnet_block: block.ipv6_cidr_block.expect("a block"),
            subnet_association: block.association_id.expect("an id"),
        }
    }

    /// Sets whether new interfaces of a subnet get an IPv6 address unasked.
    pub(crate) async fn assign_on_creation(&self, subnet: &str, value: bool) {
        let input = ModifySubnetAttributeRequest {
            subnet_id: subnet.to_owned(),
            assign_ipv6_address_on_creation: Some(AttributeBooleanValue { value: Some(value) }),
            ..Default::default()
        };
        let done = self.ec2.modify_subnet_attribute(&self.root(), input).await;
        done.expect("modified");
    }

    pub(crate) async fn shown_vpc(&self, id: &str) -> Vpc {
        let input = DescribeVpcsRequest {
            vpc_ids: Some(vec![id.to_owned()]),
            ..Default::default()
        };
        let shown = self.ec2.describe_vpcs(&self.root(), input).await;
        shown.expect("an answer").vpcs.expect("VPCs").remove(0)
    }

    pub(crate) async fn group(&self, vpc: &str, name: &str) -> String {
        let input = CreateSecurityGroupRequest {
            description: "a group".to_owned(),
            group_name: name.to_owned(),
            vpc_id: Some(vpc.to_owned()),
            ..Default::default()
        };
        let made = self
            .ec2
            .create_security_group(&self.root(), input)
            .await
            .expect("a group");
        made.group_id.expect("an id")
    }

    pub(crate) async fn shown_group(&self, id: &str) -> SecurityGroup {
        let input = DescribeSecurityGroupsRequest {
            group_ids: Some(vec![id.to_owned()]),
            ..Default::default()
        };
        let shown = self
            .ec2
            .describe_security_groups(&self.root(), input)
            .await
            .expect("an answer");
        shown.security_groups.expect("groups").remove(0)
    }

    pub(crate) async fn shown_subnet(&self, id: &str) -> Subnet {
        let input = DescribeSubnetsRequest {
            subnet_ids: Some(vec![id.to_owned()]),
            ..Default::default()
        };
        let shown = self
            .ec2
            .describe_subnets(&self.root(), input)
            .await
            .expect("an answer");
        shown.subnets.expect("subnets").remove(0)
    }

    pub(crate) async fn interface(&self, ctx: &Ctx, subnet: &str) -> NetworkInterface {
        let input = CreateNetworkInterfaceRequest {
            subnet_id: subnet.to_owned(),
            ..Default::default()
        };
        let made = self
            .ec2
            .create_network_interface(ctx, input)
            .await
            .expect("an interface");
        made.network_interface.expect("an interface")
    }

    pub(crate) async fn shown_interface(&self, id: &str) -> NetworkInterface {
        self.interfaces(DescribeNetworkInterfacesRequest {
            network_interface_ids: Some(vec![id.to_owned()]),
            ..Default::default()
        })
        .await
        .remove(0)
    }

    pub(crate) async fn interfaces(&self, input: DescribeNetworkInterfacesRequest) -> Vec<NetworkInterface> {
        let shown = self
            .ec2
            .describe_network_interfaces(&self.root(), input)
            .await
            .expect("an answer");
        shown.network_interfaces.expect("interfaces")
    }

    /// Attached for the part of the platform that runs tasks; the attachment's id.
    pub(crate) async fn attach(&self, interface: &str, instance: &str, device_index: i32) -> String {
        let input = AttachNetworkInterfaceRequest {
            device_index,
            instance_id: instance.to_owned(),
            network_interface_id: interface.to_owned(),
            ..Default::default()
        };
        let done = self
            .ec2
            .attach_network_interface(&self.ecs(), input)
            .await
            .expect("an attachment");
        done.attachment_id.expect("an id")
    }
}

/// What [`Bench::dual_stack`] made.
pub(crate) struct DualStack {
    pub(crate) vpc: String,
    pub(crate) vpc_block: String,
    pub(crate) subnet: String,
    pub(crate) subnet_block: String,
    pub(crate) subnet_association: String,
}

impl DualStack {
    /// An address of the subnet's IPv6 block.
    pub(crate) fn address(&self, host: u128) -> String {
        let block: ipnet::Ipv6Net = self.subnet_block.parse().expect("a net");
        std::net::Ipv6Addr::from(u128::from(block.network()) + host).to_string()
    }
}

/// The /64 of this number of a VPC's IPv6 block.
pub(crate) fn within(vpc_block: &str, number: u128) -> String {
    let block: ipnet::Ipv6Net = vpc_block.parse().expect("a net");
    let base = u128::from(block.network()) + (number << 64);
    format!("{}/64", std::net::Ipv6Addr::from(base))
}

/// An interface's IPv6 addresses.
pub(crate) fn ipv6(interface: &NetworkInterface) -> Vec<String> {
    let all = interface.ipv6_addresses.clone().expect("addresses");
    all.into_iter().filter_map(|one| one.ipv6_address).collect()
}

/// Whether a group lets all IPv6 traffic out.
pub(crate) fn outbound_ipv6(group: &SecurityGroup) -> bool {
    let permissions = group.ip_permissions_egress.iter().flatten();
    permissions
        .filter(|permission| permission.ip_protocol.as_deref() == Some("-1"))
        .flat_map(|permission| permission.ipv6_ranges.iter().flatten())
        .any(|range| range.cidr_ipv6.as_deref() == Some("::/0"))
}

pub(crate) fn id(interface: &NetworkInterface) -> String {
    interface.network_interface_id.clone().expect("an id")
}

pub(crate) fn address(interface: &NetworkInterface) -> Ipv4Addr {
    interface
        .private_ip_address
        .as_ref()
        .expect("an address")
        .parse()
        .expect("an address")
}

pub(crate) fn filter(name: &str, values: &[&str]) -> Option<Vec<Filter>> {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Some(vec![Filter {
        name: Some(name.to_owned()),
        values: Some(values),
    }])
}

pub(crate) fn tag(key: &str, value: &str) -> Tag {
    Tag {
        key: Some(key.to_owned()),
        value: Some(value.to_owned()),
    }
}

pub(crate) fn tagged(resource_type: &str, key: &str, value: &str) -> Option<Vec<TagSpecification>> {
    let tags = Some(vec![tag(key, value)]);
    Some(vec![TagSpecification {
        resource_type: Some(resource_type.to_owned()),
        tags,
    }])
}

/// One permission for TCP from one range.
pub(crate) fn tcp(port: i32, cidr: &str) -> IpPermission {
    IpPermission {
        from_port: Some(port),
        ip_protocol: Some("tcp".to_owned()),
        ip_ranges: Some(vec![IpRange {
            cidr_ip: Some(cidr.to_owned()),
            description: None,
        }]),
        to_port: Some(port),
        ..Default::default()
    }
}

/// The call failed with this code, and with these words somewhere in the message.
#[track_caller]
pub(crate) fn fails<T: std::fmt::Debug>(result: Result<T, ApiError>, code: &str, words: &str) {
    let error = result.expect_err("a refusal");
    assert_eq!(error.code, code, "{error}");
    assert!(error.message.contains(words), "{error}");
    assert_eq!(
        error.status,
        if code == "DryRunOperation" {
            412
        } else if code == "UnauthorizedOperation" {
            403
        } else {
            400
        }
    );
}

/// Each request is refused as `UnsupportedOperation`, by the name beside it.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>, member: &str) {
    fails(result, "UnsupportedOperation", member);
}
