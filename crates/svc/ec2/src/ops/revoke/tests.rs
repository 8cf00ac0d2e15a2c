//! Which rules go, by id and by value, and what is said of those that are not there.

mod members;

use roadstead_api_ec2::{
    AuthorizeSecurityGroupIngressRequest, DeleteSecurityGroupRequest, Ec2 as _, IpPermission,
    RevokeSecurityGroupEgressRequest, RevokeSecurityGroupIngressRequest, RevokeSecurityGroupIngressResult,
    UserIdGroupPair,
};
use roadstead_protocol::ApiError;

use crate::testing::{Bench, fails, refused, tcp};

async fn authorized(bench: &Bench, group: &str, permissions: Vec<IpPermission>) -> Vec<String> {
    let input = AuthorizeSecurityGroupIngressRequest {
        group_id: Some(group.to_owned()),
        ip_permissions: Some(permissions),
        ..Default::default()
    };
    let done = bench
        .ec2
        .authorize_security_group_ingress(&bench.root(), input)
        .await
        .expect("rules");
    done.security_group_rules
        .expect("rules")
        .into_iter()
        .filter_map(|rule| rule.security_group_rule_id)
        .collect()
}

async fn revoke(
    bench: &Bench,
    input: RevokeSecurityGroupIngressRequest,
) -> Result<RevokeSecurityGroupIngressResult, ApiError> {
    bench
        .ec2
        .revoke_security_group_ingress(&bench.root(), input)
        .await
}

fn of(group: &str) -> RevokeSecurityGroupIngressRequest {
    RevokeSecurityGroupIngressRequest {
        group_id: Some(group.to_owned()),
        ..Default::default()
    }
}

#[tokio::test]
async fn revoke_by_id_takes_exactly_these() {
    let mut bench = Bench::new().await;
    let (vpc, _) = bench.network().await;
    let web = bench.group(&vpc, "web").await;
    let rules = authorized(&bench, &web, vec![tcp(80, "10.0.0.0/8"), tcp(81, "10.0.0.0/8")]).await;
    let by_ids = |ids: &[&str]| RevokeSecurityGroupIngressRequest {
        security_group_rule_ids: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
        ..of(&web)
    };
    let absent = by_ids(&[&rules[0], "sgr-0123"]);
    fails(
        revoke(&bench, absent).await,
        "InvalidSecurityGroupRuleId.NotFound",
        "'sgr-0123' does not exist",
    );
    fails(
        revoke(&bench, by_ids(&["rule"])).await,
        "InvalidSecurityGroupRuleId.Malformed",
        "sgr-...",
    );
    let both = RevokeSecurityGroupIngressRequest {
        ip_permissions: Some(vec![tcp(80, "10.0.0.0/8")]),
        ..by_ids(&[&rules[0]])
    };
    fails(
        revoke(&bench, both).await,
        "InvalidParameterCombination",
        "securityGroupRuleIds",
    );
    fails(
        revoke(&bench, of(&web)).await,
        "MissingParameter",
        "Either 'ipPermissions' or 'securityGroupRuleIds'",
    );
    let dry = RevokeSecurityGroupIngressRequest {
        dry_run: Some(true),
        ..by_ids(&[&rules[0]])
    };
    fails(revoke(&bench, dry).await, "DryRunOperation", "");
    let done = revoke(&bench, by_ids(&[&rules[0]])).await.expect("gone");
    let revoked = done.revoked_security_group_rules.expect("rules");
    assert_eq!((done.r#return, revoked.len()), (Some(true), 1));
    assert_eq!(
        (revoked[0].security_group_rule_id.as_ref(), revoked[0].is_egress),
        (Some(&rules[0]), Some(false))
    );
    assert_eq!(
        (revoked[0].cidr_ipv4.as_deref(), revoked[0].from_port),
        (Some("10.0.0.0/8"), Some(80))
    );
    bench.restart().await;
    let left = bench.shown_group(&web).await.ip_permissions.expect("permissions");
    assert_eq!((left.len(), left[0].from_port), (1, Some(81)));
}

#[tokio::test]
async fn revoke_by_value_matches_exactly() {
    let bench = Bench::new().await;
    let (vpc, _) = bench.network().await;
    let (web, db) = (bench.group(&vpc, "web").await, bench.group(&vpc, "db").await);
    let pair = UserIdGroupPair {
        group_id: Some(db.clone()),
        ..Default::default()
    };
    let from_db = IpPermission {
        ip_ranges: None,
        user_id_group_pairs: Some(vec![pair]),
        ..tcp(82, "")
    };
    authorized(
        &bench,
        &web,
        vec![tcp(80, "100.68.0.0/18"), tcp(81, "10.0.0.0/8"), from_db],
    )
    .await;
    let values = |permissions: Vec<IpPermission>| RevokeSecurityGroupIngressRequest {
        ip_permissions: Some(permissions),
        ..of(&web)
    };
    let words = "The specified rule does not exist in this security group.";
    for absent in [tcp(79, "100.68.0.0/18"), tcp(80, "100.68.0.0/19")] {
        let input = values(vec![tcp(81, "10.0.0.0/8"), absent]);
        fails(revoke(&bench, input).await, "InvalidPermission.NotFound", words);
    }
    assert_eq!(
        bench
            .shown_group(&web)
            .await
            .ip_permissions
            .map(|list| list.len()),
        Some(3),
        "none went"
    );
    // What a describe call shows revokes it.
    let shown = bench.shown_group(&web).await.ip_permissions.expect("permissions");
    let done = revoke(&bench, values(shown)).await.expect("gone");
    assert_eq!(
        done.revoked_security_group_rules.map(|rules| rules.len()),
        Some(3)
    );
    assert_eq!(done.unknown_ip_permissions, Some(vec![]));
    assert_eq!(bench.shown_group(&web).await.ip_permissions, Some(vec![]));
    let input = DeleteSecurityGroupRequest {
        group_id: Some(db),
        ..Default::default()
    };
    bench
        .ec2
        .delete_security_group(&bench.root(), input)
        .await
        .expect("no rule names it any more");
}

#[tokio::test]
async fn revoke_in_the_default_vpc_tells_what_it_did_not_know() {
    let bench = Bench::new().await;
    let default = bench.default_vpc().await;
    let web = bench.group(default.vpc_id.as_str(), "web").await;
    authorized(&bench, &web, vec![tcp(80, "10.0.0.0/8")]).await;
    let flat = |port: i32| RevokeSecurityGroupIngressRequest {
        group_name: Some("web".to_owned()),
        cidr_ip: Some("10.1.2.3/8".to_owned()),
        from_port: Some(port),
        ip_protocol: Some("tcp".to_owned()),
        to_port: Some(port),
        ..Default::default()
    };
    let done = revoke(&bench, flat(81)).await.expect("an answer");
    assert_eq!(done.revoked_security_group_rules, Some(vec![]));
    let unknown = done.unknown_ip_permissions.expect("permissions");
    assert_eq!((unknown.len(), unknown[0].from_port), (1, Some(81)));
    assert_eq!(
        unknown[0].ip_ranges.as_ref().expect("ranges")[0]
            .cidr_ip
            .as_deref(),
        Some("10.0.0.0/8")
    );
    let done = revoke(&bench, flat(80)).await.expect("an answer");
    assert_eq!(
        done.revoked_security_group_rules.map(|rules| rules.len()),
        Some(1)
    );
    let owner = RevokeSecurityGroupIngressRequest {
        source_security_group_owner_id: Some("000000000000".to_owned()),
        ..of(&web)
    };
    refused(revoke(&bench, owner).await, "SourceSecurityGroupOwnerId");
}

#[tokio::test]
async fn revoke_from_a_named_group() {
    let bench = Bench::new().await;
    let default = bench.default_vpc().await;
    bench.group(default.vpc_id.as_str(), "web").await;
    let db = bench.group(default.vpc_id.as_str(), "db").await;
    let input = AuthorizeSecurityGroupIngressRequest {
        group_id: Some(db.clone()),
        source_security_group_name: Some("web".to_owned()),
        ..Default::default()
    };
    bench
        .ec2
        .authorize_security_group_ingress(&bench.root(), input)
        .await
        .expect("rules");
    let input = RevokeSecurityGroupIngressRequest {
        source_security_group_name: Some("web".to_owned()),
        ..of(&db)
    };
    let done = revoke(&bench, input).await.expect("gone");
    assert_eq!(
        done.revoked_security_group_rules.map(|rules| rules.len()),
        Some(3)
    );
    assert_eq!(bench.shown_group(&db).await.ip_permissions, Some(vec![]));
}

#[tokio::test]
async fn revoke_egress_closes_the_way_out() {
    let bench = Bench::new().await;
    let (vpc, _) = bench.network().await;
    let web = bench.group(&vpc, "web").await;
    let base = || RevokeSecurityGroupEgressRequest {
        group_id: web.clone(),
        ..Default::default()
    };
    let ask = async |input| bench.ec2.revoke_security_group_egress(&bench.root(), input).await;
    let text = || Some("x".to_owned());
    for (member, request) in [
        (
            "CidrIp",
            RevokeSecurityGroupEgressRequest {
                cidr_ip: text(),
                ..base()
            },
        ),
        (
            "FromPort",
            RevokeSecurityGroupEgressRequest {
                from_port: Some(1),
                ..base()
            },
        ),
        (
            "IpProtocol",
            RevokeSecurityGroupEgressRequest {
                ip_protocol: text(),
                ..base()
            },
        ),
        (
            "SourceSecurityGroupName",
            RevokeSecurityGroupEgressRequest {
                source_security_group_name: text(),
                ..base()
            },
        ),
        (
            "SourceSecurityGroupOwnerId",
            RevokeSecurityGroupEgressRequest {
                source_security_group_owner_id: text(),
                ..base()
            },
        ),
        (
            "ToPort",
            RevokeSecurityGroupEgressRequest {
                to_port: Some(1),
                ..base()
            },
        ),
    ] {
        refused(ask(request).await, member);
    }
    let ingress = authorized(&bench, &web, vec![tcp(80, "10.0.0.0/8")]).await;
    let wrong_way = RevokeSecurityGroupEgressRequest {
        security_group_rule_ids: Some(ingress),
        ..base()
    };
    fails(
        ask(wrong_way).await,
        "InvalidSecurityGroupRuleId.NotFound",
        "does not exist",
    );
    let everything = IpPermission {
        ip_protocol: Some("-1".to_owned()),
        ..tcp(0, "0.0.0.0/0")
    };
    let dry = RevokeSecurityGroupEgressRequest {
        dry_run: Some(true),
        ip_permissions: Some(vec![everything.clone()]),
        ..base()
    };
    fails(ask(dry).await, "DryRunOperation", "");
    let done = ask(RevokeSecurityGroupEgressRequest {
        ip_permissions: Some(vec![everything]),
        ..base()
    })
    .await;
    assert_eq!(
        done.expect("gone")
            .revoked_security_group_rules
            .map(|rules| rules.len()),
        Some(1)
    );
    assert_eq!(bench.shown_group(&web).await.ip_permissions_egress, Some(vec![]));
}
