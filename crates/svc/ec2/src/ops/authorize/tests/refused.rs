//! Rules that are there already, and what no rule can say.

use roadstead_api_ec2::{
    AuthorizeSecurityGroupIngressRequest, IpPermission, IpRange, PrefixListId, UserIdGroupPair,
};

use super::{ingress, of, pair};
use crate::testing::{Bench, fails, refused, tcp};

#[tokio::test]
async fn authorize_refuses_a_rule_that_is_there() {
    let bench = Bench::new().await;
    let (vpc, _) = bench.network().await;
    let web = bench.group(&vpc, "web").await;
    let icmp = IpPermission {
        ip_protocol: Some("icmp".to_owned()),
        from_port: Some(8),
        to_port: Some(-1),
        ..tcp(80, "10.0.0.0/8")
    };
    let esp = IpPermission {
        ip_protocol: Some("50".to_owned()),
        ..tcp(80, "10.0.0.0/8")
    };
    ingress(
        &bench,
        of(&web, vec![tcp(80, "100.68.0.0/18"), icmp.clone(), esp.clone()]),
    )
    .await
    .expect("rules");
    for (permission, told) in [
        (
            tcp(80, "100.68.0.18/18"),
            "\"peer: 100.68.0.0/18, TCP, from port: 80, to port: 80, ALLOW\"",
        ),
        (icmp, "\"peer: 10.0.0.0/8, ICMP, type: 8, code: ALL, ALLOW\""),
        (esp, "\"peer: 10.0.0.0/8, protocol: 50, ALLOW\""),
    ] {
        let words = format!("the specified rule {told} already exists");
        fails(
            ingress(&bench, of(&web, vec![tcp(81, "10.0.0.0/8"), permission])).await,
            "InvalidPermission.Duplicate",
            &words,
        );
    }
    let twice = of(&web, vec![tcp(82, "10.0.0.0/8"), tcp(82, "10.1.2.3/8")]);
    fails(
        ingress(&bench, twice).await,
        "InvalidParameterValue",
        "The same permission must not appear multiple times",
    );
    let shown = bench.shown_group(&web).await.ip_permissions.expect("permissions");
    assert_eq!(shown.len(), 3, "nothing of a refused request was added");
}

#[tokio::test]
async fn authorize_refuses_what_no_rule_can_say() {
    let bench = Bench::new().await;
    let (vpc, _) = bench.network().await;
    let web = bench.group(&vpc, "web").await;
    let elsewhere = bench.default_vpc().await.group_id.to_string();
    let ask = async |permission: IpPermission| ingress(&bench, of(&web, vec![permission])).await;
    let from = |pair: UserIdGroupPair| IpPermission {
        user_id_group_pairs: Some(vec![pair]),
        ip_protocol: Some("-1".to_owned()),
        ..Default::default()
    };
    fails(
        ask(tcp(80, "10.0.0.0/33")).await,
        "InvalidParameterValue",
        "CIDR block 10.0.0.0/33 is malformed",
    );
    fails(
        ask(tcp(70000, "10.0.0.0/8")).await,
        "InvalidParameterValue",
        "TCP/UDP port (70000) out of range",
    );
    let no_ports = IpPermission {
        from_port: None,
        to_port: None,
        ..tcp(80, "10.0.0.0/8")
    };
    fails(
        ask(no_ports).await,
        "InvalidParameterValue",
        "Must specify both from and to ports",
    );
    let no_peer = IpPermission {
        ip_ranges: None,
        ..tcp(80, "")
    };
    fails(ask(no_peer).await, "MissingParameter", "ipRanges");
    let no_protocol = IpPermission {
        ip_protocol: None,
        ..tcp(80, "10.0.0.0/8")
    };
    fails(ask(no_protocol).await, "MissingParameter", "ipProtocol");
    let described = IpRange {
        cidr_ip: Some("10.0.0.0/8".to_owned()),
        description: Some("<b>".to_owned()),
    };
    let bad = IpPermission {
        ip_ranges: Some(vec![described]),
        ..tcp(80, "")
    };
    fails(
        ask(bad).await,
        "InvalidParameterValue",
        "Invalid rule description",
    );
    fails(
        ask(from(pair("sg-0123"))).await,
        "InvalidGroup.NotFound",
        "sg-0123",
    );
    fails(ask(from(pair("web"))).await, "InvalidGroupId.Malformed", "web");
    fails(
        ask(from(pair(&elsewhere))).await,
        "InvalidGroup.NotFound",
        "belong to different networks",
    );
    let misnamed = UserIdGroupPair {
        group_name: Some("db".to_owned()),
        ..pair(&web)
    };
    fails(
        ask(from(misnamed)).await,
        "InvalidParameterValue",
        "does not belong to the group",
    );
    let text = || Some("x".to_owned());
    for (member, pair) in [
        (
            "PeeringStatus",
            UserIdGroupPair {
                peering_status: text(),
                ..pair(&web)
            },
        ),
        (
            "UserId",
            UserIdGroupPair {
                user_id: Some("111111111111".to_owned()),
                ..pair(&web)
            },
        ),
        (
            "VpcId",
            UserIdGroupPair {
                vpc_id: text(),
                ..pair(&web)
            },
        ),
        (
            "VpcPeeringConnectionId",
            UserIdGroupPair {
                vpc_peering_connection_id: text(),
                ..pair(&web)
            },
        ),
    ] {
        refused(ask(from(pair)).await, member);
    }
    let prefix_list = PrefixListId {
        prefix_list_id: Some("pl-1".to_owned()),
        description: None,
    };
    refused(
        ask(IpPermission {
            prefix_list_ids: Some(vec![prefix_list]),
            ..tcp(80, "10.0.0.0/8")
        })
        .await,
        "PrefixListIds",
    );
    fails(
        ingress(&bench, of(&web, vec![])).await,
        "MissingParameter",
        "ipPermissions",
    );
    fails(
        ingress(&bench, of("sg-0123", vec![tcp(80, "10.0.0.0/8")])).await,
        "InvalidGroup.NotFound",
        "sg-0123",
    );
    let dry = AuthorizeSecurityGroupIngressRequest {
        dry_run: Some(true),
        ..of(&web, vec![tcp(80, "10.0.0.0/8")])
    };
    fails(ingress(&bench, dry).await, "DryRunOperation", "");
    assert_eq!(bench.shown_group(&web).await.ip_permissions, Some(vec![]));
}
