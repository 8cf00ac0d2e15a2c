//! What interfaces cannot have yet.

use roadstead_api_ec2::{
    ConnectionTrackingSpecificationRequest, CreateNetworkInterfaceRequest, Ipv4PrefixSpecificationRequest,
    Ipv6PrefixSpecificationRequest, NetworkInterfaceCreationType, OperatorRequest,
};

use super::{make, of};
use crate::testing::{Bench, refused};

#[tokio::test]
async fn create_network_interface_refuses_by_name_what_it_cannot_do() {
    let bench = Bench::new().await;
    let (_, subnet) = bench.network().await;
    let base = || of(&subnet);
    for (member, request) in [
        (
            "ConnectionTrackingSpecification",
            CreateNetworkInterfaceRequest {
                connection_tracking_specification: Some(ConnectionTrackingSpecificationRequest::default()),
                ..base()
            },
        ),
        (
            "EnablePrimaryIpv6",
            CreateNetworkInterfaceRequest {
                enable_primary_ipv6: Some(true),
                ..base()
            },
        ),
        (
            "InterfaceType",
            CreateNetworkInterfaceRequest {
                interface_type: Some(NetworkInterfaceCreationType::Trunk),
                ..base()
            },
        ),
        (
            "Ipv4PrefixCount",
            CreateNetworkInterfaceRequest {
                ipv4_prefix_count: Some(1),
                ..base()
            },
        ),
        (
            "Ipv4Prefixes",
            CreateNetworkInterfaceRequest {
                ipv4_prefixes: Some(vec![Ipv4PrefixSpecificationRequest::default()]),
                ..base()
            },
        ),
        (
            "Ipv6PrefixCount",
            CreateNetworkInterfaceRequest {
                ipv6_prefix_count: Some(1),
                ..base()
            },
        ),
        (
            "Ipv6Prefixes",
            CreateNetworkInterfaceRequest {
                ipv6_prefixes: Some(vec![Ipv6PrefixSpecificationRequest::default()]),
                ..base()
            },
        ),
        (
            "Operator",
            CreateNetworkInterfaceRequest {
                operator: Some(OperatorRequest::default()),
                ..base()
            },
        ),
    ] {
        refused(make(&bench, &bench.root(), request).await, member);
    }
    let nothing_asked = CreateNetworkInterfaceRequest {
        ipv6_address_count: Some(0),
        ipv6_addresses: Some(vec![]),
        ..base()
    };
    assert!(make(&bench, &bench.root(), nothing_asked).await.is_ok());
}
