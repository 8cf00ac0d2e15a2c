//! A network service of a few maps: subnets, groups, and interfaces as the real one keeps them, with its errors,
//! and with a knob to fail.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use roadstead_api_ec2 as ec2;
use roadstead_base::Ctx;
use roadstead_dispatch::{MapReceiver, NetworkMaps, NodeMap};
use roadstead_protocol::{ApiError, BoxFuture, Handler, Operation, ServiceModel, Value, Wire};
use tokio::sync::{Notify, watch};

use super::{GROUP, GROUP_OTHER, SUBNET_A, SUBNET_B, SUBNET_DUAL, SUBNET_OTHER, SUBNET_TINY};

const VPC_A: &str = "vpc-0000000000000000a";
const VPC_B: &str = "vpc-0000000000000000b";

#[derive(Default)]
struct State {
    interfaces: BTreeMap<String, ec2::NetworkInterface>,
    by_token: HashMap<String, String>,
    calls: Vec<&'static str>,
    /// The next call of this operation fails so.
    failing: HashMap<&'static str, ApiError>,
    /// The next call of this operation waits in between.
    holding: HashMap<&'static str, Arc<Hold>>,
    maps: HashMap<String, watch::Sender<Arc<NodeMap>>>,
    generation: u64,
    addresses: u8,
}

/// A call that was made and is not answered yet.
#[derive(Default)]
pub(crate) struct Hold {
    made: Notify,
    let_go: Notify,
}

impl Hold {
    pub(crate) async fn made(&self) {
        let made = tokio::time::timeout(Duration::from_secs(120), self.made.notified());
        made.await.expect("the call is made");
    }

    pub(crate) fn let_go(&self) {
        self.let_go.notify_one();
    }
}

pub(crate) struct Network(Mutex<State>);

impl Network {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic holds it")
    }

    pub(crate) fn interfaces(&self) -> Vec<ec2::NetworkInterface> {
        self.state().interfaces.values().cloned().collect()
    }

    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.state()
            .calls
            .iter()
            .filter(|call| **call == operation)
            .count()
    }

    pub(crate) fn fail_next(&self, operation: &'static str, error: ApiError) {
        self.state().failing.insert(operation, error);
    }

    /// Keeps the next call of that operation waiting for its answer.
    pub(crate) fn hold_next(&self, operation: &'static str) -> Arc<Hold> {
        let hold = Arc::<Hold>::default();
        self.state().holding.insert(operation, hold.clone());
        hold
    }

    /// Something about the machine's networks changed.
    pub(crate) fn bump(&self, machine: &str) {
        let mut state = self.state();
        state.generation += 1;
        let map = Arc::new(NodeMap {
            generation: state.generation,
            vpcs: Vec::new(),
        });
        let sender = state
            .maps
            .entry(machine.to_owned())
            .or_insert_with(|| watch::channel(Arc::default()).0);
        sender.send_replace(map);
    }
}

impl NetworkMaps for Network {
    fn subscribe(&self, instance_id: &str) -> MapReceiver {
        let mut state = self.state();
        let sender = state
            .maps
            .entry(instance_id.to_owned())
            .or_insert_with(|| watch::channel(Arc::default()).0);
        sender.subscribe()
    }
}

fn subnet(id: &str) -> Result<ec2::Subnet, ApiError> {
    let (vpc, zone, cidr) = match id {
        SUBNET_A => (VPC_A, "us-east-1a", "172.31.0.0/20"),
        SUBNET_B => (VPC_A, "us-east-1b", "172.31.16.0/20"),
        SUBNET_TINY => (VPC_A, "us-east-1a", "172.31.32.0/28"),
        SUBNET_DUAL => (VPC_A, "us-east-1a", "172.31.48.0/20"),
        SUBNET_OTHER => (VPC_B, "us-east-1a", "172.31.0.0/20"),
        _ => {
            let message = format!("The subnet ID '{id}' does not exist");
            return Err(ApiError::client("InvalidSubnetID.NotFound", message));
        }
    };
    let block = ec2::SubnetIpv6CidrBlockAssociation {
        ipv6_cidr_block: Some("fd00:0:0:1::/64".to_owned()),
        ipv6_cidr_block_state: Some(ec2::SubnetCidrBlockState {
            state: Some(ec2::SubnetCidrBlockStateCode::Associated),
            status_message: None,
        }),
        ..Default::default()
    };
    Ok(ec2::Subnet {
        ipv6_cidr_block_association_set: (id == SUBNET_DUAL).then(|| vec![block]),
        subnet_id: Some(id.to_owned()),
        vpc_id: Some(vpc.to_owned()),
        availability_zone: Some(zone.to_owned()),
        cidr_block: Some(cidr.to_owned()),
        ..Default::default()
    })
}

fn group(id: &str) -> Result<ec2::SecurityGroup, ApiError> {
    let vpc = match id {
        GROUP => VPC_A,
        GROUP_OTHER => VPC_B,
        _ => {
            let message = format!("The security group '{id}' does not exist");
            return Err(ApiError::client("InvalidGroup.NotFound", message));
        }
    };
    Ok(ec2::SecurityGroup {
        group_id: Some(id.to_owned()),
        vpc_id: Some(vpc.to_owned()),
        ..Default::default()
    })
}

impl Handler for Network {
    fn model(&self) -> &'static ServiceModel {
        &ec2::MODEL
    }

    fn call<'a>(
        &'a self,
        operation: &'static Operation,
        _ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        let (failing, holding) = {
            let mut state = self.state();
            state.calls.push(operation.name);
            (
                state.failing.remove(operation.name),
                state.holding.remove(operation.name),
            )
        };
        let answer = match failing {
            Some(error) => Err(error),
            None => self.answer(operation.name, input),
        };
        Box::pin(async move {
            if let Some(hold) = holding {
                hold.made.notify_one();
                hold.let_go.notified().await;
            }
            answer
        })
    }
}

fn read<T: Wire>(input: Value) -> T {
    T::from_value(input).expect("a request of that operation")
}

impl Network {
    fn answer(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        match operation {
            "DescribeSubnets" => {
                let ids = read::<ec2::DescribeSubnetsRequest>(input)
                    .subnet_ids
                    .unwrap_or_default();
                let subnets = ids.iter().map(|id| subnet(id)).collect::<Result<_, _>>()?;
                Ok(ec2::DescribeSubnetsResult {
                    subnets: Some(subnets),
                    next_token: None,
                }
                .into_value())
            }
            "DescribeVpcs" => {
                let ids = read::<ec2::DescribeVpcsRequest>(input)
                    .vpc_ids
                    .unwrap_or_default();
                let vpc = |id: String| ec2::Vpc {
                    vpc_id: Some(id),
                    cidr_block: Some("172.31.0.0/16".into()),
                    ..Default::default()
                };
                let vpcs = Some(ids.into_iter().map(vpc).collect());
                Ok(ec2::DescribeVpcsResult {
                    vpcs,
                    next_token: None,
                }
                .into_value())
            }
            "DescribeSecurityGroups" => {
                let ids = read::<ec2::DescribeSecurityGroupsRequest>(input)
                    .group_ids
                    .unwrap_or_default();
                let groups = ids.iter().map(|id| group(id)).collect::<Result<_, _>>()?;
                Ok(ec2::DescribeSecurityGroupsResult {
                    security_groups: Some(groups),
                    next_token: None,
                }
                .into_value())
            }
            "CreateNetworkInterface" => self.create(read(input)).map(Wire::into_value),
            "AttachNetworkInterface" => self.attach(read(input)).map(Wire::into_value),
            "DescribeNetworkInterfaces" => self.describe(read(input)).map(Wire::into_value),
            "DetachNetworkInterface" => self.detach(read(input)).map(Wire::into_value),
            "DeleteNetworkInterface" => self.delete(read(input)).map(Wire::into_value),
            other => Err(ApiError::not_implemented("ec2", other)),
        }
    }

    fn create(
        &self,
        request: ec2::CreateNetworkInterfaceRequest,
    ) -> Result<ec2::CreateNetworkInterfaceResult, ApiError> {
        let subnet = subnet(&request.subnet_id)?;
        let mut state = self.state();
        let token = request.client_token.expect("a token");
        let made = |interface: &ec2::NetworkInterface| ec2::CreateNetworkInterfaceResult {
            network_interface: Some(interface.clone()),
            client_token: None,
        };
        if let Some(known) = state.by_token.get(&token).and_then(|id| state.interfaces.get(id)) {
            return Ok(made(known));
        }
        let full = request.subnet_id == SUBNET_TINY
            && state
                .interfaces
                .values()
                .any(|other| other.subnet_id.as_deref() == Some(SUBNET_TINY));
        if full {
            return Err(ApiError::client(
                "InsufficientFreeAddressesInSubnet",
                "The specified subnet has no free addresses.",
            ));
        }
        state.addresses += 1;
        let (last, id) = (state.addresses + 9, format!("eni-{:017x}", state.addresses));
        let interface = ec2::NetworkInterface {
            network_interface_id: Some(id.clone()),
            mac_address: Some(format!("02:00:00:00:00:{last:02x}")),
            private_ip_address: Some(format!("172.31.0.{last}")),
            private_dns_name: Some(format!("ip-172-31-0-{last}.ec2.internal")),
            ipv6_addresses: request.ipv6_address_count.map(|count| {
                let address = |n: i32| ec2::NetworkInterfaceIpv6Address {
                    ipv6_address: Some(format!("fd00:0:0:1::{n:x}{last:02x}")),
                    ..Default::default()
                };
                (1..=count).map(address).collect()
            }),
            groups: request.groups.map(|ids| {
                let group = |id: String| ec2::GroupIdentifier {
                    group_id: Some(id),
                    ..Default::default()
                };
                ids.into_iter().map(group).collect()
            }),
            subnet_id: subnet.subnet_id,
            description: request.description,
            ..Default::default()
        };
        state.by_token.insert(token, id.clone());
        let answer = made(&interface);
        state.interfaces.insert(id, interface);
        Ok(answer)
    }

    fn attach(
        &self,
        request: ec2::AttachNetworkInterfaceRequest,
    ) -> Result<ec2::AttachNetworkInterfaceResult, ApiError> {
        {
            let mut state = self.state();
            let id = &request.network_interface_id;
            let interface = state.interfaces.get_mut(id).ok_or_else(|| not_found(id))?;
            if interface.attachment.is_some() {
                return Err(ApiError::client("InvalidNetworkInterface.InUse", "in use"));
            }
            interface.attachment = Some(ec2::NetworkInterfaceAttachment {
                attachment_id: Some(format!("eni-attach-{}", &id[4..])),
                instance_id: Some(request.instance_id.clone()),
                device_index: Some(request.device_index),
                ..Default::default()
            });
        }
        self.bump(&request.instance_id);
        let id = format!("eni-attach-{}", &request.network_interface_id[4..]);
        Ok(ec2::AttachNetworkInterfaceResult {
            attachment_id: Some(id),
            network_card_index: None,
        })
    }

    fn describe(
        &self,
        request: ec2::DescribeNetworkInterfacesRequest,
    ) -> Result<ec2::DescribeNetworkInterfacesResult, ApiError> {
        let state = self.state();
        let found: Vec<_> = match (request.network_interface_ids, request.filters) {
            (Some(ids), _) => ids
                .iter()
                .map(|id| state.interfaces.get(id).cloned().ok_or_else(|| not_found(id)))
                .collect::<Result<_, _>>()?,
            (None, Some(filters)) => {
                assert_eq!(filters[0].name.as_deref(), Some("description"));
                let wanted = filters[0].values.clone().expect("values");
                let fits = |it: &&ec2::NetworkInterface| it.description.as_ref() == wanted.first();
                state.interfaces.values().filter(fits).cloned().collect()
            }
            (None, None) => state.interfaces.values().cloned().collect(),
        };
        Ok(ec2::DescribeNetworkInterfacesResult {
            network_interfaces: Some(found),
            next_token: None,
        })
    }

    fn detach(&self, request: ec2::DetachNetworkInterfaceRequest) -> Result<(), ApiError> {
        let mut machine = None;
        for interface in self.state().interfaces.values_mut() {
            let here = |a: &ec2::NetworkInterfaceAttachment| {
                a.attachment_id.as_ref() == Some(&request.attachment_id)
            };
            if interface.attachment.as_ref().is_some_and(here) {
                machine = interface
                    .attachment
                    .take()
                    .and_then(|attachment| attachment.instance_id);
            }
        }
        let machine = machine.ok_or_else(|| ApiError::client("InvalidAttachmentID.NotFound", "not found"))?;
        self.bump(&machine);
        Ok(())
    }

    fn delete(&self, request: ec2::DeleteNetworkInterfaceRequest) -> Result<(), ApiError> {
        let mut state = self.state();
        let id = &request.network_interface_id;
        match state.interfaces.get(id) {
            None => Err(not_found(id)),
            Some(interface) if interface.attachment.is_some() => {
                Err(ApiError::client("InvalidParameterValue", "currently in use"))
            }
            Some(_) => {
                state.interfaces.remove(id);
                Ok(())
            }
        }
    }
}

fn not_found(id: &str) -> ApiError {
    ApiError::client(
        "InvalidNetworkInterfaceID.NotFound",
        format!("The networkInterface ID '{id}' does not exist"),
    )
}
