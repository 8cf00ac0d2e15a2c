//! What makes two permissions the same, in both directions: all of it but the descriptions.

use roadstead_api_ec2::{
    AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupIngressRequest, Ec2 as _, IpPermission,
    IpRange, Ipv6Range, RevokeSecurityGroupEgressRequest, RevokeSecurityGroupIngressRequest,
    RevokedSecurityGroupRule, SecurityGroupRule, UserIdGroupPair,
};
use roadstead_protocol::ApiError;

use crate::testing::{Bench, fails};

async fn authorize(
    bench: &Bench,
    egress: bool,
    group: &str,
    permission: IpPermission,
) -> Vec<SecurityGroupRule> {
    let (ctx, ip_permissions) = (bench.root(), Some(vec![permission]));
    let rules = if egress {
        let input = AuthorizeSecurityGroupEgressRequest {
            group_id: group.to_owned(),
            ip_permissions,
            ..Default::default()
        };
        let done = bench.ec2.authorize_security_group_egress(&ctx, input).await;
        done.expect("rules").security_group_rules
    } else {
        let input = AuthorizeSecurityGroupIngressRequest {
            group_id: Some(group.to_owned()),
            ip_permissions,
            ..Default::default()
        };
        let done = bench.ec2.authorize_security_group_ingress(&ctx, input).await;
        done.expect("rules").security_group_rules
    };
    rules.expect("rules")
}

async fn revoke(
    bench: &Bench,
    egress: bool,
    group: &str,
    permission: IpPermission,
) -> Result<Vec<RevokedSecurityGroupRule>, ApiError> {
    let (ctx, ip_permissions) = (bench.root(), Some(vec![permission]));
    let rules = if egress {
        let input = RevokeSecurityGroupEgressRequest {
            group_id: group.to_owned(),
            ip_permissions,
            ..Default::default()
        };
        let done = bench.ec2.revoke_security_group_egress(&ctx, input).await?;
        done.revoked_security_group_rules
    } else {
        let input = RevokeSecurityGroupIngressRequest {
            group_id: Some(group.to_owned()),
            ip_permissions,
            ..Default::default()
        };
        let done = bench.ec2.revoke_security_group_ingress(&ctx, input).await?;
        done.revoked_security_group_rules
    };
    Ok(rules.expect("rules"))
}

/// One rule for each kind of peer, all described by the same words.
fn permission(group: &str, description: &str) -> IpPermission {
    let description = Some(description.to_owned());
    IpPermission {
        ip_protocol: Some("tcp".to_owned()),
        from_port: Some(80),
        to_port: Some(81),
        ip_ranges: Some(vec![IpRange {
            cidr_ip: Some("10.1.2.3/8".to_owned()),
            description: description.clone(),
        }]),
        ipv6_ranges: Some(vec![Ipv6Range {
            cidr_ipv6: Some("2001:DB8::1/64".to_owned()),
            description: description.clone(),
        }]),
        user_id_group_pairs: Some(vec![UserIdGroupPair {
            group_id: Some(group.to_owned()),
            description,
            ..Default::default()
        }]),
        ..Default::default()
    }
}

#[tokio::test]
async fn each_member_of_a_permission_counts_in_both_directions() {
    let bench = Bench::new().await;
    let (vpc, _) = bench.network().await;
    let (web, db) = (bench.group(&vpc, "web").await, bench.group(&vpc, "db").await);
    for egress in [false, true] {
        let rules = authorize(&bench, egress, &web, permission(&db, "why")).await;
        let peers = rules.iter().map(|rule| {
            assert_eq!(
                (rule.is_egress, rule.description.as_deref()),
                (Some(egress), Some("why"))
            );
            assert_eq!(
                (rule.ip_protocol.as_deref(), rule.from_port, rule.to_port),
                (Some("tcp"), Some(80), Some(81))
            );
            let group = rule
                .referenced_group_info
                .as_ref()
                .and_then(|info| info.group_id.clone());
            let peer = rule.cidr_ipv4.clone().or(rule.cidr_ipv6.clone()).or(group);
            peer.expect("a peer")
        });
        assert_eq!(
            peers.collect::<Vec<_>>(),
            ["10.0.0.0/8", "2001:db8::/64", db.as_str()]
        );
        type Alter<'a> = Box<dyn Fn(&mut IpPermission) + 'a>;
        let others: [(&str, Alter<'_>); 6] = [
            (
                "IpProtocol",
                Box::new(|it| it.ip_protocol = Some("udp".to_owned())),
            ),
            ("FromPort", Box::new(|it| it.from_port = Some(79))),
            ("ToPort", Box::new(|it| it.to_port = Some(82))),
            (
                "CidrIp",
                Box::new(|it| {
                    it.ip_ranges.as_mut().expect("ranges")[0].cidr_ip = Some("10.0.0.0/9".to_owned())
                }),
            ),
            (
                "CidrIpv6",
                Box::new(|it| {
                    it.ipv6_ranges.as_mut().expect("ranges")[0].cidr_ipv6 = Some("2001:db8::/65".to_owned());
                }),
            ),
            (
                "GroupId",
                Box::new(|it| {
                    it.user_id_group_pairs.as_mut().expect("pairs")[0].group_id = Some(web.clone())
                }),
            ),
        ];
        for (member, alter) in others {
            let mut other = permission(&db, "why");
            alter(&mut other);
            let refused = revoke(&bench, egress, &web, other).await.map_err(|mut error| {
                error.message = format!("{member}: {}", error.message);
                error
            });
            fails(
                refused,
                "InvalidPermission.NotFound",
                "does not exist in this security group",
            );
        }
        let revoked = revoke(&bench, egress, &web, permission(&db, "other words")).await;
        let revoked = revoked.expect("descriptions take no part");
        assert_eq!(revoked.len(), 3);
        assert!(revoked.iter().all(|rule| rule.is_egress == Some(egress)));
    }
}
