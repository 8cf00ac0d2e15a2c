//! That a node's map says what describe calls say, at once, and only when it is news to that node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use roadstead_acs::network::{self, Peer, Protocol, VpcMap};
use roadstead_api_ec2::{
    AssignIpv6AddressesRequest, AuthorizeSecurityGroupIngressRequest, CreateTagsRequest,
    DeleteNetworkInterfaceRequest, DescribeNetworkInterfacesRequest, DetachNetworkInterfaceRequest, Ec2 as _,
    IpPermission, Ipv6Range, ModifyNetworkInterfaceAttributeRequest, UnassignIpv6AddressesRequest,
    UserIdGroupPair,
};
use roadstead_dispatch::{MapReceiver, NetworkMaps as _, NodeMap};

use crate::testing::{Bench, DualStack, address, filter, id, ipv6, tag, tcp};

fn now(receiver: &mut MapReceiver) -> Arc<NodeMap> {
    receiver.borrow_and_update().clone()
}

async fn interface_on(bench: &Bench, subnet: &str, instance: &str) -> String {
    let made = id(&bench.interface(&bench.ecs(), subnet).await);
    bench.attach(&made, instance, 1).await;
    made
}

async fn permit(bench: &Bench, group: &str, permissions: Vec<IpPermission>) {
    let input = AuthorizeSecurityGroupIngressRequest {
        group_id: Some(group.to_owned()),
        ip_permissions: Some(permissions),
        ..Default::default()
    };
    bench
        .ec2
        .authorize_security_group_ingress(&bench.root(), input)
        .await
        .expect("rules");
}

#[tokio::test]
async fn a_map_holds_what_was_acknowledged() {
    let mut bench = Bench::new().await;
    let (vpc, subnet) = bench.network().await;
    let mut early = bench.ec2.subscribe("i-0a");
    assert_eq!(now(&mut early).vpcs, [], "no interface yet");
    let (web, db) = (bench.group(&vpc, "web").await, bench.group(&vpc, "db").await);
    let unattached = bench.interface(&bench.root(), &subnet).await;
    assert!(
        !early.has_changed().expect("a sender"),
        "nothing that this node sees"
    );
    let attached = interface_on(&bench, &subnet, "i-0a").await;
    let map = now(&mut early);
    assert_eq!((map.vpcs.len(), map.vpcs[0].vpc_id.as_str()), (1, vpc.as_str()));
    let pair = UserIdGroupPair {
        group_id: Some(db.clone()),
        ..Default::default()
    };
    let from = |protocol: &str, from: i32, to: i32| IpPermission {
        ip_protocol: Some(protocol.to_owned()),
        from_port: Some(from),
        to_port: Some(to),
        ..tcp(0, "192.0.2.0/24")
    };
    permit(
        &bench,
        &web,
        vec![
            tcp(80, "0.0.0.0/0"),
            from("udp", 53, 54),
            from("icmp", 8, -1),
            from("50", -1, -1),
            IpPermission {
                ip_ranges: None,
                user_id_group_pairs: Some(vec![pair]),
                ipv6_ranges: Some(vec![Ipv6Range {
                    cidr_ipv6: Some("::/0".to_owned()),
                    description: None,
                }]),
                ..from("icmpv6", -1, -1)
            },
        ],
    )
    .await;
    assert!(
        early.has_changed().expect("a sender"),
        "an acknowledged rule is in the map"
    );
    let map = now(&mut early);
    let VpcMap {
        vpc_id,
        generation,
        region,
        cidrs,
        subnets,
        interfaces,
        groups,
    } = map.vpcs[0].clone();
    assert_eq!(
        (vpc_id, region.as_str(), generation),
        (vpc.clone(), "us-east-1", map.generation)
    );
    assert_eq!(cidrs, ["10.0.0.0/16".parse().expect("a net")]);
    assert_eq!(subnets.len(), 1);
    assert_eq!(
        (
            subnets[0].subnet_id.as_str(),
            subnets[0].availability_zone.as_str()
        ),
        (subnet.as_str(), "us-east-1a")
    );
    let places: BTreeMap<_, _> = interfaces
        .iter()
        .map(|i| (i.interface_id.clone(), i.instance_id.as_deref()))
        .collect();
    assert_eq!(
        places,
        BTreeMap::from([(id(&unattached), None), (attached, Some("i-0a"))])
    );
    let group = groups
        .iter()
        .find(|group| group.group_id == web)
        .expect("the group");
    let net = |text: &str| Peer::Cidr(text.parse().expect("a net"));
    let rule = |protocol, peer| network::Rule { protocol, peer };
    let icmpv6 = Protocol::Icmpv6 {
        kind: None,
        code: None,
    };
    assert_eq!(
        group.ingress,
        [
            rule(Protocol::Tcp { from: 80, to: 80 }, net("0.0.0.0/0")),
            rule(Protocol::Udp { from: 53, to: 54 }, net("192.0.2.0/24")),
            rule(
                Protocol::Icmp {
                    kind: Some(8),
                    code: None
                },
                net("192.0.2.0/24")
            ),
            rule(Protocol::Number(50), net("192.0.2.0/24")),
            rule(icmpv6.clone(), net("::/0")),
            rule(icmpv6, Peer::Group(db)),
        ]
    );
    assert_eq!(group.egress, [rule(Protocol::All, net("0.0.0.0/0"))]);
    bench.restart().await;
    let after = now(&mut bench.ec2.subscribe("i-0a"));
    assert!(after.generation >= map.generation, "a restart does not go back");
    assert!(super::build::same(&after.vpcs[0], &map.vpcs[0]));
}

#[tokio::test]
async fn a_map_holds_both_families() {
    let bench = Bench::new().await;
    let dual = bench.dual_stack().await;
    bench.assign_on_creation(&dual.subnet, true).await;
    let mut node = bench.ec2.subscribe("i-0a");
    let made = interface_on(&bench, &dual.subnet, "i-0a").await;
    let shown = bench.shown_interface(&made).await;
    let map = now(&mut node);
    let VpcMap {
        cidrs,
        subnets,
        interfaces,
        ..
    } = map.vpcs[0].clone();
    let texts: Vec<String> = cidrs.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["10.0.0.0/16", &dual.vpc_block], "IPv4 first");
    assert_eq!(
        subnets[0].ipv6_cidr.map(|cidr| cidr.to_string()),
        Some(dual.subnet_block.clone())
    );
    let addresses: Vec<String> = interfaces[0]
        .ipv6_addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(addresses, ipv6(&shown));
    assert_eq!(addresses.len(), 1);
    let mut older = serde_json::to_value(&map.vpcs[0]).expect("JSON");
    for list in ["subnets", "interfaces"] {
        let first = older[list][0].as_object_mut().expect("an object");
        first.retain(|member, _| !member.starts_with("ipv6"));
    }
    let read: VpcMap = serde_json::from_value(older).expect("an earlier control plane's map");
    assert!(read.subnets[0].ipv6_cidr.is_none() && read.interfaces[0].ipv6_addresses.is_empty());
}

#[tokio::test]
async fn a_node_hears_of_the_vpcs_it_is_in_alone() {
    let bench = Bench::new().await;
    let (_, a) = bench.network().await;
    let (_, b) = bench.network().await;
    let on_a = interface_on(&bench, &a, "i-0a").await;
    interface_on(&bench, &b, "i-0b").await;
    let (mut node_a, mut node_b) = (bench.ec2.subscribe("i-0a"), bench.ec2.subscribe("i-0b"));
    let (before_a, before_b) = (now(&mut node_a), now(&mut node_b));
    bench.interface(&bench.root(), &a).await;
    assert!(node_a.has_changed().expect("a sender") && !node_b.has_changed().expect("a sender"));
    assert!(now(&mut node_a).generation > before_a.generation);
    let tags = CreateTagsRequest {
        resources: vec![a.clone(), on_a.clone()],
        tags: vec![tag("a", "b")],
        ..Default::default()
    };
    bench.ec2.create_tags(&bench.root(), tags).await.expect("tagged");
    assert!(
        !node_a.has_changed().expect("a sender"),
        "tags are nothing to a node"
    );
    interface_on(&bench, &b, "i-0a").await;
    let both = now(&mut node_a);
    assert_eq!(both.vpcs.len(), 2);
    assert!(
        now(&mut node_b).generation > before_b.generation,
        "it sees where its neighbour's interface is"
    );
    let shown = bench
        .shown_interface(&on_a)
        .await
        .attachment
        .expect("an attachment")
        .attachment_id;
    let detach = DetachNetworkInterfaceRequest {
        attachment_id: shown.expect("an id"),
        ..Default::default()
    };
    bench
        .ec2
        .detach_network_interface(&bench.ecs(), detach)
        .await
        .expect("detached");
    let left = now(&mut node_a);
    assert_eq!(
        left.vpcs.len(),
        1,
        "with its last interface the VPC is gone from the node"
    );
    assert!(left.generation > both.generation);
    assert!(!node_b.has_changed().expect("a sender"));
}

#[tokio::test]
async fn a_changed_attribute_reaches_the_node() {
    let bench = Bench::new().await;
    let (_, subnet) = bench.network().await;
    let interface = interface_on(&bench, &subnet, "i-0a").await;
    let mut node = bench.ec2.subscribe("i-0a");
    assert!(now(&mut node).vpcs[0].interfaces[0].source_dest_check);
    let input = ModifyNetworkInterfaceAttributeRequest {
        network_interface_id: interface,
        source_dest_check: Some(roadstead_api_ec2::AttributeBooleanValue { value: Some(false) }),
        ..Default::default()
    };
    bench
        .ec2
        .modify_network_interface_attribute(&bench.ecs(), input)
        .await
        .expect("changed");
    assert!(!now(&mut node).vpcs[0].interfaces[0].source_dest_check);
}

/// A change that another server made arrives by the store's watch.
#[tokio::test]
async fn a_node_hears_of_what_another_server_did() {
    let bench = Bench::new().await;
    let (_, subnet) = bench.network().await;
    interface_on(&bench, &subnet, "i-0a").await;
    let options = crate::Options::default();
    let other = crate::Ec2::new(bench.store.clone(), bench.clock.clone(), options)
        .await
        .expect("a service");
    let mut node = other.subscribe("i-0a");
    assert_eq!(now(&mut node).vpcs[0].interfaces.len(), 1);
    bench.interface(&bench.root(), &subnet).await;
    tokio::time::timeout(std::time::Duration::from_secs(120), node.changed())
        .await
        .expect("in time")
        .expect("a sender");
    assert_eq!(now(&mut node).vpcs[0].interfaces.len(), 2);
}

#[tokio::test]
async fn nobody_is_kept_who_does_not_listen() {
    let bench = Bench::new().await;
    let (_, subnet) = bench.network().await;
    interface_on(&bench, &subnet, "i-0a").await;
    let node = bench.ec2.subscribe("i-0a");
    let second = bench.ec2.subscribe("i-0a");
    assert_eq!(bench.ec2.feed.listeners(), (1, 1), "one node, one VPC");
    drop((node, second));
    bench.interface(&bench.root(), &subnet).await;
    assert_eq!(bench.ec2.feed.listeners(), (0, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Create {
        instance: Option<u8>,
    },
    Delete {
        nth: usize,
    },
    /// An IPv6 address of few, so that several want the same.
    Assign {
        nth: usize,
        host: u8,
    },
    Unassign {
        nth: usize,
        host: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::option::of(0..3_u8).prop_map(|instance| Step::Create { instance }),
        2 => (0..64_usize).prop_map(|nth| Step::Delete { nth }),
        2 => (0..64_usize, 4..8_u8).prop_map(|(nth, host)| Step::Assign { nth, host }),
        1 => (0..64_usize, 4..8_u8).prop_map(|(nth, host)| Step::Unassign { nth, host }),
    ]
}

/// Id, addresses and instance of an interface.
type Facts = (String, Vec<String>, Option<String>);

/// The interfaces of a VPC as describe calls show them.
async fn described(bench: &Bench, vpc: &str) -> BTreeSet<Facts> {
    let filters = filter("vpc-id", &[vpc]);
    let shown = bench
        .interfaces(DescribeNetworkInterfacesRequest {
            filters,
            ..Default::default()
        })
        .await;
    shown
        .iter()
        .map(|i| {
            (
                id(i),
                std::iter::once(address(i).to_string()).chain(ipv6(i)).collect(),
                i.attachment.as_ref().and_then(|a| a.instance_id.clone()),
            )
        })
        .collect()
}

fn mapped(map: &VpcMap) -> BTreeSet<Facts> {
    map.interfaces
        .iter()
        .map(|i| {
            (
                i.interface_id.clone(),
                std::iter::once(i.private_ips[0].to_string())
                    .chain(i.ipv6_addresses.iter().map(ToString::to_string))
                    .collect(),
                i.instance_id.clone(),
            )
        })
        .collect()
}

async fn take(bench: &Bench, dual: &DualStack, subnet: &str, known: &[String], step: Step) {
    match step {
        Step::Assign { nth, host } => {
            let Some(one) = known.get(nth % known.len().max(1)) else {
                return;
            };
            let input = AssignIpv6AddressesRequest {
                network_interface_id: one.clone(),
                ipv6_addresses: Some(vec![dual.address(host.into())]),
                ..Default::default()
            };
            if let Err(error) = bench.ec2.assign_ipv6_addresses(&bench.ecs(), input).await {
                let taken =
                    ["InvalidIPAddress.InUse", "InvalidParameterValue"].contains(&error.code.as_ref());
                assert!(
                    taken || error.code == "InvalidNetworkInterfaceID.NotFound",
                    "{error}"
                );
            }
        }
        Step::Unassign { nth, host } => {
            let Some(one) = known.get(nth % known.len().max(1)) else {
                return;
            };
            let input = UnassignIpv6AddressesRequest {
                network_interface_id: one.clone(),
                ipv6_addresses: Some(vec![dual.address(host.into())]),
                ipv6_prefixes: None,
            };
            if let Err(error) = bench.ec2.unassign_ipv6_addresses(&bench.ecs(), input).await {
                let absent = ["InvalidParameterValue", "InvalidNetworkInterfaceID.NotFound"];
                assert!(absent.contains(&error.code.as_ref()), "{error}");
            }
        }
        Step::Create { instance } => {
            let input = roadstead_api_ec2::CreateNetworkInterfaceRequest {
                subnet_id: subnet.to_owned(),
                ..Default::default()
            };
            match bench.ec2.create_network_interface(&bench.ecs(), input).await {
                Ok(made) => {
                    let made = id(&made.network_interface.expect("an interface"));
                    if let Some(instance) = instance {
                        bench.attach(&made, &format!("i-0{instance}"), 1).await;
                    }
                }
                Err(error) => assert_eq!(error.code, "InsufficientFreeAddressesInSubnet"),
            }
        }
        Step::Delete { nth } => {
            let Some(one) = known.get(nth % known.len().max(1)) else {
                return;
            };
            let input = DescribeNetworkInterfacesRequest {
                filters: filter("network-interface-id", &[one]),
                ..Default::default()
            };
            let shown = bench.interfaces(input).await;
            let attachment = shown
                .first()
                .and_then(|i| i.attachment.as_ref()?.attachment_id.clone());
            if let Some(attachment_id) = attachment {
                let input = DetachNetworkInterfaceRequest {
                    attachment_id,
                    ..Default::default()
                };
                if let Err(error) = bench.ec2.detach_network_interface(&bench.ecs(), input).await {
                    assert_eq!(error.code, "InvalidAttachmentID.NotFound");
                }
            }
            let input = DeleteNetworkInterfaceRequest {
                network_interface_id: one.clone(),
                ..Default::default()
            };
            if let Err(error) = bench.ec2.delete_network_interface(&bench.ecs(), input).await {
                assert_eq!(error.code, "InvalidNetworkInterfaceID.NotFound");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_address_is_held_twice_and_maps_say_what_describe_says(
        rounds in prop::collection::vec(prop::collection::vec(step(), 1..12), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let bench = Bench::new().await;
            let dual = bench.dual_stack().await;
            let input = roadstead_api_ec2::DeleteSubnetRequest {
                subnet_id: dual.subnet.clone(),
                dry_run: None,
            };
            bench.ec2.delete_subnet(&bench.root(), input).await.expect("gone");
            let input = roadstead_api_ec2::CreateSubnetRequest {
                vpc_id: dual.vpc.clone(),
                cidr_block: Some("10.0.0.0/28".to_owned()),
                ipv6_cidr_block: Some(dual.subnet_block.clone()),
                ..Default::default()
            };
            let made = bench.ec2.create_subnet(&bench.root(), input).await.expect("a subnet");
            let subnet = made.subnet.and_then(|subnet| subnet.subnet_id).expect("an id");
            let vpc = dual.vpc.clone();
            let mut nodes: Vec<_> = (0..3).map(|i| bench.ec2.subscribe(&format!("i-0{i}"))).collect();
            let mut generations = [0; 3];
            for round in rounds {
                let known: Vec<String> = described(&bench, &vpc).await.into_iter().map(|(id, ..)| id).collect();
                let steps = round.into_iter().map(|step| take(&bench, &dual, &subnet, &known, step));
                futures_util::future::join_all(steps).await;
                let shown = described(&bench, &vpc).await;
                let held = || shown.iter().flat_map(|(_, addresses, _)| addresses);
                let different: BTreeSet<_> = held().collect();
                assert_eq!(different.len(), held().count(), "{shown:?}");
                let free = bench.shown_subnet(&subnet).await.available_ip_address_count.expect("a count");
                assert_eq!(usize::try_from(free).expect("a count"), 11 - shown.len());
                for (i, node) in nodes.iter_mut().enumerate() {
                    let here = shown.iter().any(|(_, _, instance)| *instance == Some(format!("i-0{i}")));
                    let map = now(node);
                    assert!(map.generation >= generations[i]);
                    generations[i] = map.generation;
                    let wanted: Vec<_> = here.then(|| shown.clone()).into_iter().collect();
                    assert_eq!(map.vpcs.iter().map(mapped).collect::<Vec<_>>(), wanted);
                }
            }
        });
    }
}
