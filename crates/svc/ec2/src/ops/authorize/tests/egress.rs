//! The way out: the same rules, in one form alone.

use roadstead_api_ec2::{AuthorizeSecurityGroupEgressRequest, Ec2 as _, IpPermission};

use crate::testing::{Bench, fails, refused, tag, tagged, tcp};

#[tokio::test]
async fn authorize_egress_takes_permissions_alone() {
    let bench = Bench::new().await;
    let (vpc, _) = bench.network().await;
    let web = bench.group(&vpc, "web").await;
    let of = |permissions: Option<Vec<IpPermission>>| AuthorizeSecurityGroupEgressRequest {
        group_id: web.clone(),
        ip_permissions: permissions,
        ..Default::default()
    };
    let base = || of(Some(vec![tcp(80, "10.0.0.0/8")]));
    let ask = async |input| {
        bench
            .ec2
            .authorize_security_group_egress(&bench.root(), input)
            .await
    };
    let text = || Some("x".to_owned());
    for (member, request) in [
        (
            "CidrIp",
            AuthorizeSecurityGroupEgressRequest {
                cidr_ip: text(),
                ..base()
            },
        ),
        (
            "FromPort",
            AuthorizeSecurityGroupEgressRequest {
                from_port: Some(1),
                ..base()
            },
        ),
        (
            "IpProtocol",
            AuthorizeSecurityGroupEgressRequest {
                ip_protocol: text(),
                ..base()
            },
        ),
        (
            "SourceSecurityGroupName",
            AuthorizeSecurityGroupEgressRequest {
                source_security_group_name: text(),
                ..base()
            },
        ),
        (
            "SourceSecurityGroupOwnerId",
            AuthorizeSecurityGroupEgressRequest {
                source_security_group_owner_id: text(),
                ..base()
            },
        ),
        (
            "ToPort",
            AuthorizeSecurityGroupEgressRequest {
                to_port: Some(1),
                ..base()
            },
        ),
    ] {
        refused(ask(request).await, member);
    }
    fails(
        ask(AuthorizeSecurityGroupEgressRequest {
            dry_run: Some(true),
            ..base()
        })
        .await,
        "DryRunOperation",
        "",
    );
    let tagged = AuthorizeSecurityGroupEgressRequest {
        tag_specifications: tagged("security-group-rule", "a", "b"),
        ..base()
    };
    let rules = ask(tagged)
        .await
        .expect("a rule")
        .security_group_rules
        .expect("rules");
    assert_eq!(
        (rules[0].is_egress, rules[0].tags.clone()),
        (Some(true), Some(vec![tag("a", "b")]))
    );
    fails(ask(base()).await, "InvalidPermission.Duplicate", "already exists");
    fails(ask(of(None)).await, "MissingParameter", "ipPermissions");
    let shown = bench.shown_group(&web).await;
    assert_eq!(
        shown.ip_permissions_egress.map(|list| list.len()),
        Some(2),
        "beside the default rule"
    );
    assert_eq!(shown.ip_permissions, Some(vec![]));
    let everything = IpPermission {
        ip_protocol: Some("-1".to_owned()),
        ..tcp(0, "0.0.0.0/0")
    };
    fails(
        ask(of(Some(vec![everything]))).await,
        "InvalidPermission.Duplicate",
        "the specified rule \"peer: 0.0.0.0/0, ALL, ALLOW\" already exists",
    );
}
