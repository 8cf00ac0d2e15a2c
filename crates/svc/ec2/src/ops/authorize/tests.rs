//! What rules can be added, in both forms, and what is refused.

mod egress;
mod refused;

use roadstead_api_ec2::{
    AuthorizeSecurityGroupIngressRequest, Ec2 as _, IpPermission, IpRange, Ipv6Range, SecurityGroupRule,
    UserIdGroupPair,
};
use roadstead_protocol::ApiError;

use crate::testing::{Bench, fails, refused, tag, tagged, tcp};

type Rules = Result<Vec<SecurityGroupRule>, ApiError>;

async fn ingress(bench: &Bench, input: AuthorizeSecurityGroupIngressRequest) -> Rules {
    let done = bench
        .ec2
        .authorize_security_group_ingress(&bench.root(), input)
        .await?;
    assert_eq!(done.r#return, Some(true));
    Ok(done.security_group_rules.expect("rules"))
}

fn of(group: &str, permissions: Vec<IpPermission>) -> AuthorizeSecurityGroupIngressRequest {
    AuthorizeSecurityGroupIngressRequest {
        group_id: Some(group.to_owned()),
        ip_permissions: Some(permissions),
        ..Default::default()
    }
}

fn pair(group: &str) -> UserIdGroupPair {
    UserIdGroupPair {
        group_id: Some(group.to_owned()),
        ..Default::default()
    }
}

#[tokio::test]
async fn authorize_adds_one_rule_for_each_peer() {
    let mut bench = Bench::new().await;
    let (vpc, _) = bench.network().await;
    let (web, db) = (bench.group(&vpc, "web").await, bench.group(&vpc, "db").await);
    let range = |cidr: &str, text: Option<&str>| IpRange {
        cidr_ip: Some(cidr.to_owned()),
        description: text.map(str::to_owned),
    };
    let permission = IpPermission {
        ip_protocol: Some("tcp".to_owned()),
        from_port: Some(80),
        to_port: Some(81),
        ip_ranges: Some(vec![
            range("100.68.0.18/18", Some("office")),
            range("192.0.2.1/32", None),
        ]),
        ipv6_ranges: Some(vec![Ipv6Range {
            cidr_ipv6: Some("2001:DB8::1/64".to_owned()),
            description: Some("six".to_owned()),
        }]),
        user_id_group_pairs: Some(vec![
            UserIdGroupPair {
                description: Some("the web".to_owned()),
                user_id: Some("000000000000".to_owned()),
                vpc_id: Some(vpc.clone()),
                ..pair(&web)
            },
            pair(&db),
        ]),
        ..Default::default()
    };
    let input = AuthorizeSecurityGroupIngressRequest {
        tag_specifications: tagged("security-group-rule", "why", "test"),
        ..of(&db, vec![permission])
    };
    let rules = ingress(&bench, input).await.expect("rules");
    let told: Vec<_> = rules
        .iter()
        .map(|rule| {
            assert!(
                rule.security_group_rule_id
                    .as_ref()
                    .is_some_and(|id| id.starts_with("sgr-") && id.len() == 21)
            );
            assert_eq!((rule.group_id.as_ref(), rule.is_egress), (Some(&db), Some(false)));
            assert_eq!(
                (rule.from_port, rule.to_port, rule.ip_protocol.as_deref()),
                (Some(80), Some(81), Some("tcp"))
            );
            assert_eq!(rule.tags, Some(vec![tag("why", "test")]));
            let group = rule
                .referenced_group_info
                .as_ref()
                .and_then(|info| info.group_id.as_deref());
            let peer = rule
                .cidr_ipv4
                .as_deref()
                .or(rule.cidr_ipv6.as_deref())
                .or(group)
                .expect("a peer");
            (peer, rule.description.as_deref())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("100.68.0.0/18", Some("office")),
            ("192.0.2.1/32", None),
            ("2001:db8::/64", Some("six")),
            (web.as_str(), Some("the web")),
            (db.as_str(), None),
        ]
    );
    bench.restart().await;
    let shown = bench.shown_group(&db).await.ip_permissions.expect("permissions");
    assert_eq!(shown.len(), 1, "same protocol and ports are one permission");
    assert_eq!(shown[0].ip_ranges.as_ref().map(Vec::len), Some(2));
    assert_eq!(shown[0].ipv6_ranges.as_ref().map(Vec::len), Some(1));
    assert_eq!(shown[0].user_id_group_pairs.as_ref().map(Vec::len), Some(2));
    assert_eq!(shown[0].prefix_list_ids, Some(vec![]));
}

#[tokio::test]
async fn authorize_takes_the_flat_form() {
    let bench = Bench::new().await;
    let default = bench.default_vpc().await;
    let web = bench.group(default.vpc_id.as_str(), "web").await;
    let flat = |cidr: &str| AuthorizeSecurityGroupIngressRequest {
        cidr_ip: Some(cidr.to_owned()),
        from_port: Some(80),
        ip_protocol: Some("tcp".to_owned()),
        to_port: Some(80),
        group_name: Some("web".to_owned()),
        ..Default::default()
    };
    let rules = ingress(&bench, flat("0.0.0.0/0")).await.expect("a rule");
    assert_eq!(
        (rules.len(), rules[0].cidr_ipv4.as_deref()),
        (1, Some("0.0.0.0/0"))
    );
    assert_eq!(rules[0].group_id.as_deref(), Some(web.as_str()));
    let no_protocol = AuthorizeSecurityGroupIngressRequest {
        ip_protocol: None,
        ..flat("0.0.0.0/0")
    };
    fails(
        ingress(&bench, no_protocol).await,
        "MissingParameter",
        "ipProtocol",
    );
    let no_peer = AuthorizeSecurityGroupIngressRequest {
        cidr_ip: None,
        ..flat("")
    };
    fails(
        ingress(&bench, no_peer).await,
        "MissingParameter",
        "Source group or CIDR missing",
    );
    let v6 = AuthorizeSecurityGroupIngressRequest {
        ip_protocol: Some("icmpv6".to_owned()),
        from_port: None,
        to_port: None,
        ..flat("0.0.0.0/0")
    };
    fails(
        ingress(&bench, v6).await,
        "InvalidParameterValue",
        "use IP permissions instead",
    );
    let both = AuthorizeSecurityGroupIngressRequest {
        ip_permissions: Some(vec![tcp(1, "10.0.0.0/8")]),
        ..flat("::")
    };
    fails(
        ingress(&bench, both).await,
        "InvalidParameterCombination",
        "ipPermissions",
    );
}

#[tokio::test]
async fn authorize_from_a_named_group_grants_tcp_udp_and_icmp() {
    let bench = Bench::new().await;
    let default = bench.default_vpc().await;
    bench.group(default.vpc_id.as_str(), "web").await;
    let db = bench.group(default.vpc_id.as_str(), "db").await;
    let from = |name: &str| AuthorizeSecurityGroupIngressRequest {
        group_id: Some(db.clone()),
        source_security_group_name: Some(name.to_owned()),
        source_security_group_owner_id: Some("000000000000".to_owned()),
        ..Default::default()
    };
    let rules = ingress(&bench, from("web")).await.expect("rules");
    let told: Vec<_> = rules
        .iter()
        .map(|rule| {
            (
                rule.ip_protocol.as_deref().expect("a protocol"),
                rule.from_port,
                rule.to_port,
            )
        })
        .collect();
    let all = [
        ("tcp", Some(0), Some(65535)),
        ("udp", Some(0), Some(65535)),
        ("icmp", Some(-1), Some(-1)),
    ];
    assert_eq!(told, all);
    fails(
        ingress(&bench, from("nobody")).await,
        "InvalidGroup.NotFound",
        "'nobody' does not exist in default VPC",
    );
    let more = AuthorizeSecurityGroupIngressRequest {
        ip_protocol: Some("tcp".to_owned()),
        ..from("web")
    };
    fails(
        ingress(&bench, more).await,
        "InvalidParameterCombination",
        "sourceSecurityGroupName",
    );
    let other = AuthorizeSecurityGroupIngressRequest {
        source_security_group_owner_id: Some("111111111111".to_owned()),
        ..from("web")
    };
    refused(ingress(&bench, other).await, "SourceSecurityGroupOwnerId");
    let alone = AuthorizeSecurityGroupIngressRequest {
        source_security_group_name: None,
        ..from("web")
    };
    fails(
        ingress(&bench, alone).await,
        "MissingParameter",
        "sourceSecurityGroupName",
    );
}

#[tokio::test]
async fn a_group_can_be_named_as_a_peer_in_the_default_vpc() {
    let bench = Bench::new().await;
    let default = bench.default_vpc().await;
    let (web, db) = (
        bench.group(default.vpc_id.as_str(), "web").await,
        bench.group(default.vpc_id.as_str(), "db").await,
    );
    let named = UserIdGroupPair {
        group_name: Some("web".to_owned()),
        ..Default::default()
    };
    let both = UserIdGroupPair {
        group_name: Some("db".to_owned()),
        ..pair(&db)
    };
    let permission = IpPermission {
        ip_ranges: None,
        user_id_group_pairs: Some(vec![named, both]),
        ..tcp(80, "")
    };
    let rules = ingress(&bench, of(&db, vec![permission])).await.expect("rules");
    let peers: Vec<_> = rules
        .into_iter()
        .filter_map(|rule| rule.referenced_group_info?.group_id)
        .collect();
    assert_eq!(peers, [web, db.clone()]);
    let nobody = UserIdGroupPair {
        group_name: Some("nobody".to_owned()),
        ..Default::default()
    };
    let permission = IpPermission {
        ip_ranges: None,
        user_id_group_pairs: Some(vec![nobody]),
        ..tcp(80, "")
    };
    fails(
        ingress(&bench, of(&db, vec![permission])).await,
        "InvalidGroup.NotFound",
        "'nobody'",
    );
}

#[tokio::test]
async fn authorize_keeps_to_sixty_rules_for_each_kind_of_address() {
    let bench = Bench::new().await;
    let (vpc, _) = bench.network().await;
    let (web, db) = (bench.group(&vpc, "web").await, bench.group(&vpc, "db").await);
    let ranges = |from: i32, to: i32| (from..to).map(|port| tcp(port, "10.0.0.0/8")).collect::<Vec<_>>();
    let from_db = |port: i32| IpPermission {
        ip_ranges: None,
        user_id_group_pairs: Some(vec![pair(&db)]),
        ..tcp(port, "")
    };
    let six = IpPermission {
        ip_ranges: None,
        ipv6_ranges: Some(vec![Ipv6Range {
            cidr_ipv6: Some("::/0".to_owned()),
            description: None,
        }]),
        ..tcp(80, "")
    };
    ingress(&bench, of(&web, ranges(1, 60))).await.expect("59 rules");
    ingress(&bench, of(&web, vec![from_db(100)]))
        .await
        .expect("the 60th, counted for both");
    let words = "The maximum number of rules per security group has been reached.";
    for one_more in [tcp(200, "10.0.0.0/8"), from_db(201)] {
        fails(
            ingress(&bench, of(&web, vec![one_more])).await,
            "RulesPerSecurityGroupLimitExceeded",
            words,
        );
    }
    ingress(&bench, of(&web, vec![six]))
        .await
        .expect("the second for IPv6");
    fails(
        ingress(&bench, of(&db, ranges(1, 62))).await,
        "RulesPerSecurityGroupLimitExceeded",
        words,
    );
}

#[tokio::test]
async fn rules_added_at_the_same_time_are_all_there() {
    let bench = Bench::new().await;
    let (vpc, _) = bench.network().await;
    let web = bench.group(&vpc, "web").await;
    let calls = (0..32).map(|port| ingress(&bench, of(&web, vec![tcp(port, "10.0.0.0/8")])));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.expect("a rule").len(), 1);
    }
    assert_eq!(
        bench
            .shown_group(&web)
            .await
            .ip_permissions
            .map(|list| list.len()),
        Some(32)
    );
}
