//! DeleteSecurityGroup. What interfaces wear or other groups' rules name stays.

use std::collections::BTreeSet;

use roadstead_api_ec2::{DeleteSecurityGroupRequest, DeleteSecurityGroupResult};
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::ids::GroupId;
use crate::records::{Group, Peer};
use crate::service::Ec2;

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: DeleteSecurityGroupRequest,
) -> Result<DeleteSecurityGroupResult> {
    let DeleteSecurityGroupRequest {
        dry_run,
        group_id,
        group_name,
    } = input;
    let deleted = ec2
        .change(ctx, dry_run, |realm, keys, plan| {
            let entry = realm.group_by(group_id.as_deref(), group_name.as_deref())?;
            let group = &entry.value;
            if realm
                .vpcs
                .get(&group.vpc)
                .is_some_and(|vpc| vpc.value.default_group == group.id)
            {
                return Err(error::other(
                    "CannotDelete",
                    format!(
                        "the specified group: \"{}\" name: \"{}\" cannot be deleted by a user",
                        group.id, group.name
                    ),
                ));
            }
            if realm.uses_of(&group.id).next().is_some() {
                return Err(error::dependency(format!(
                    "resource {} has a dependent object",
                    group.id
                )));
            }
            plan.unmodified(entry);
            plan.none_below(&keys.uses_of_group(&group.id));
            plan.delete(&keys.group(&group.id));
            plan.delete(&keys.group_name(&group.vpc, &group.name));
            for named in named_by(group) {
                plan.delete(&keys.use_of_group(named, group.id.as_str()));
            }
            Ok(group.id.clone())
        })
        .await?;
    Ok(DeleteSecurityGroupResult {
        group_id: Some(deleted.into()),
        r#return: Some(true),
    })
}

/// Other groups that a group's rules name.
pub(super) fn named_by(group: &Group) -> BTreeSet<&GroupId> {
    group
        .rules
        .iter()
        .filter_map(|rule| match &rule.permit.peer {
            Peer::Group(named) if *named != group.id => Some(named),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        AuthorizeSecurityGroupIngressRequest, CreateNetworkInterfaceRequest, DeleteNetworkInterfaceRequest,
        DeleteSecurityGroupRequest, Ec2 as _, IpPermission, UserIdGroupPair,
    };

    use crate::testing::{Bench, fails, id};

    fn of(group: &str) -> DeleteSecurityGroupRequest {
        DeleteSecurityGroupRequest {
            group_id: Some(group.to_owned()),
            ..Default::default()
        }
    }

    #[tokio::test]
    async fn delete_security_group_refuses_while_it_is_worn_or_named() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, subnet) = bench.network().await;
        let (web, db) = (bench.group(&vpc, "web").await, bench.group(&vpc, "db").await);
        let from_web = AuthorizeSecurityGroupIngressRequest {
            group_id: Some(db.clone()),
            ip_permissions: Some(vec![IpPermission {
                ip_protocol: Some("-1".to_owned()),
                user_id_group_pairs: Some(vec![UserIdGroupPair {
                    group_id: Some(web.clone()),
                    ..Default::default()
                }]),
                ..Default::default()
            }]),
            ..Default::default()
        };
        bench
            .ec2
            .authorize_security_group_ingress(&ctx, from_web)
            .await
            .expect("a rule");
        let input = CreateNetworkInterfaceRequest {
            subnet_id: subnet,
            groups: Some(vec![db.clone()]),
            ..Default::default()
        };
        let worn = bench
            .ec2
            .create_network_interface(&ctx, input)
            .await
            .expect("an interface");
        let worn = id(&worn.network_interface.expect("an interface"));
        for group in [&web, &db] {
            fails(
                bench.ec2.delete_security_group(&ctx, of(group)).await,
                "DependencyViolation",
                &format!("resource {group} has a dependent object"),
            );
        }
        let input = DeleteNetworkInterfaceRequest {
            network_interface_id: worn,
            ..Default::default()
        };
        bench
            .ec2
            .delete_network_interface(&ctx, input)
            .await
            .expect("gone");
        let dry = DeleteSecurityGroupRequest {
            dry_run: Some(true),
            ..of(&db)
        };
        fails(
            bench.ec2.delete_security_group(&ctx, dry).await,
            "DryRunOperation",
            "",
        );
        let deleted = bench
            .ec2
            .delete_security_group(&ctx, of(&db))
            .await
            .expect("gone");
        assert_eq!(
            (deleted.group_id, deleted.r#return),
            (Some(db.clone()), Some(true))
        );
        bench
            .ec2
            .delete_security_group(&ctx, of(&web))
            .await
            .expect("nobody names it any more");
        fails(
            bench.ec2.delete_security_group(&ctx, of(&db)).await,
            "InvalidGroup.NotFound",
            &db,
        );
    }

    #[tokio::test]
    async fn delete_security_group_by_name_is_for_the_default_vpc() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let default = bench.default_vpc().await;
        let (vpc, _) = bench.network().await;
        bench.group(&vpc, "web").await;
        let named = |name: &str| DeleteSecurityGroupRequest {
            group_name: Some(name.to_owned()),
            ..Default::default()
        };
        let words = format!(
            "The security group 'web' does not exist in default VPC '{}'",
            default.vpc_id
        );
        fails(
            bench.ec2.delete_security_group(&ctx, named("web")).await,
            "InvalidGroup.NotFound",
            &words,
        );
        bench.group(default.vpc_id.as_str(), "web").await;
        bench
            .ec2
            .delete_security_group(&ctx, named("web"))
            .await
            .expect("gone");
        fails(
            bench.ec2.delete_security_group(&ctx, named("default")).await,
            "CannotDelete",
            "cannot be deleted by a user",
        );
        fails(
            bench
                .ec2
                .delete_security_group(&ctx, of(default.group_id.as_str()))
                .await,
            "CannotDelete",
            "",
        );
        fails(
            bench.ec2.delete_security_group(&ctx, of("web")).await,
            "InvalidGroupId.Malformed",
            "expecting \"sg-...\"",
        );
        let neither = DeleteSecurityGroupRequest::default();
        fails(
            bench.ec2.delete_security_group(&ctx, neither).await,
            "MissingParameter",
            "The request must contain the parameter groupName or groupId",
        );
        let both = DeleteSecurityGroupRequest {
            group_name: Some("x".to_owned()),
            ..of("sg-1")
        };
        fails(
            bench.ec2.delete_security_group(&ctx, both).await,
            "InvalidParameterCombination",
            "GroupName",
        );
    }
}
