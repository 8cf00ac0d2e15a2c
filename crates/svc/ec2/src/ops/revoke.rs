//! RevokeSecurityGroupIngress and RevokeSecurityGroupEgress.

use std::collections::BTreeSet;

use roadstead_api_ec2::{
    IpPermission, RevokeSecurityGroupEgressRequest, RevokeSecurityGroupEgressResult,
    RevokeSecurityGroupIngressRequest, RevokeSecurityGroupIngressResult, RevokedSecurityGroupRule,
};
use roadstead_base::Ctx;

use super::rules::{Rules, plan_rules};
use crate::error::{self, Result};
use crate::ids::RuleId;
use crate::permissions::{Asked, Flat};
use crate::records::{Group, Rule, Tags};
use crate::service::Ec2;
use crate::show;
use crate::world::Realm;

pub(super) async fn ingress(
    ec2: &Ec2,
    ctx: &Ctx,
    input: RevokeSecurityGroupIngressRequest,
) -> Result<RevokeSecurityGroupIngressResult> {
    let RevokeSecurityGroupIngressRequest {
        cidr_ip,
        dry_run,
        from_port,
        group_id,
        group_name,
        ip_permissions,
        ip_protocol,
        security_group_rule_ids,
        source_security_group_name,
        source_security_group_owner_id,
        to_port,
    } = input;
    if source_security_group_owner_id.is_some() {
        return Err(error::use_permissions("SourceSecurityGroupOwnerId"));
    }
    let flat = Flat {
        cidr_ip,
        from_port,
        ip_protocol,
        source_security_group_name,
        source_security_group_owner_id: None,
        to_port,
    };
    let rules = Rules::ingress(group_id, group_name, ip_permissions, flat)?;
    let (revoked, unknown) = remove(ec2, ctx, dry_run, &rules, security_group_rule_ids).await?;
    Ok(RevokeSecurityGroupIngressResult {
        r#return: Some(true),
        revoked_security_group_rules: Some(revoked),
        unknown_ip_permissions: Some(unknown),
    })
}

pub(super) async fn egress(
    ec2: &Ec2,
    ctx: &Ctx,
    input: RevokeSecurityGroupEgressRequest,
) -> Result<RevokeSecurityGroupEgressResult> {
    let RevokeSecurityGroupEgressRequest {
        group_id,
        cidr_ip,
        dry_run,
        from_port,
        ip_permissions,
        ip_protocol,
        security_group_rule_ids,
        source_security_group_name,
        source_security_group_owner_id,
        to_port,
    } = input;
    let flat = Flat {
        cidr_ip,
        from_port,
        ip_protocol,
        source_security_group_name,
        source_security_group_owner_id,
        to_port,
    };
    let rules = Rules::egress(group_id, ip_permissions, &flat)?;
    let (revoked, unknown) = remove(ec2, ctx, dry_run, &rules, security_group_rule_ids).await?;
    Ok(RevokeSecurityGroupEgressResult {
        r#return: Some(true),
        revoked_security_group_rules: Some(revoked),
        unknown_ip_permissions: Some(unknown),
    })
}

type Revoked = (Vec<RevokedSecurityGroupRule>, Vec<IpPermission>);

async fn remove(
    ec2: &Ec2,
    ctx: &Ctx,
    dry_run: Option<bool>,
    rules: &Rules,
    rule_ids: Option<Vec<String>>,
) -> Result<Revoked> {
    let ids = rule_ids.unwrap_or_default();
    match (ids.is_empty(), rules.are_described()) {
        (false, true) => {
            return Err(error::combination(
                "The parameter securityGroupRuleIds cannot be used with the parameter ipPermissions",
            ));
        }
        (true, false) => {
            return Err(error::missing_because(
                "Either 'ipPermissions' or 'securityGroupRuleIds' should be provided.",
            ));
        }
        _ => {}
    }
    ec2.change(ctx, dry_run, |realm, keys, plan| {
        let entry = rules.group(realm)?;
        let (gone, unknown) = if ids.is_empty() {
            let asked = rules.read(ctx, realm, &entry.value)?;
            described(ctx, realm, &entry.value, asked)?
        } else {
            (named(&entry.value, rules.egress, &ids)?, Vec::new())
        };
        let revoked = entry.value.rules.iter().filter(|rule| gone.contains(&rule.id));
        let revoked: Vec<_> = revoked
            .map(|rule| show::rule::revoked(&entry.value, rule))
            .collect();
        if !gone.is_empty() {
            let mut group = entry.value.clone();
            group.rules.retain(|rule| !gone.contains(&rule.id));
            plan_rules(keys, plan, entry, &group)?;
        }
        Ok((revoked, unknown))
    })
    .await
}

/// Rules by their ids, which must all be this group's and of this direction.
fn named(group: &Group, egress: bool, ids: &[String]) -> Result<BTreeSet<RuleId>> {
    let mut gone = BTreeSet::new();
    let mut absent = Vec::new();
    for id in ids {
        error::RULE.check(id)?;
        let rule = group
            .rules
            .iter()
            .find(|rule| rule.id.as_str() == id && rule.permit.egress == egress);
        match rule {
            Some(rule) => _ = gone.insert(rule.id.clone()),
            None => absent.push(id.as_str()),
        }
    }
    if absent.is_empty() {
        Ok(gone)
    } else {
        Err(error::RULE.none_of(&absent))
    }
}

/// Rules by their values. Of a default VPC's group the unknown ones are told; of another nothing is revoked.
fn described(
    ctx: &Ctx,
    realm: &Realm,
    group: &Group,
    asked: Vec<Asked>,
) -> Result<(BTreeSet<RuleId>, Vec<IpPermission>)> {
    let (mut gone, mut unknown) = (BTreeSet::new(), Vec::new());
    for Asked { permit, description } in asked {
        match group.rules.iter().find(|rule| rule.permit == permit) {
            Some(rule) => _ = gone.insert(rule.id.clone()),
            None => unknown.push(Rule {
                id: RuleId::named(""),
                permit,
                description,
                tags: Tags::new(),
            }),
        }
    }
    let lenient = realm.vpcs.get(&group.vpc).is_some_and(|vpc| vpc.value.is_default);
    if !unknown.is_empty() && !lenient {
        return Err(error::other(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        ));
    }
    Ok((gone, show::rule::permissions(ctx, unknown.iter())))
}

#[cfg(test)]
mod tests;
