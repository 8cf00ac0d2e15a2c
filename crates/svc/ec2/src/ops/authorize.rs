//! AuthorizeSecurityGroupIngress and AuthorizeSecurityGroupEgress.

use std::collections::BTreeSet;

use roadstead_api_ec2::{
    AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupEgressResult,
    AuthorizeSecurityGroupIngressRequest, AuthorizeSecurityGroupIngressResult, SecurityGroupRule,
    TagSpecification,
};
use roadstead_base::Ctx;

use super::rules::{Rules, plan_rules};
use crate::error::{self, Result};
use crate::ids::RuleId;
use crate::permissions::{Asked, Flat, rules_limit};
use crate::records::{Group, Peer, Rule};
use crate::service::Ec2;
use crate::{show, tags};

/// Rules of a group in one direction, counted apart for IPv4 and IPv6; a rule that names a group counts for
/// both. Source: "Amazon VPC quotas".
const MAX_RULES: usize = 60;

pub(super) async fn ingress(
    ec2: &Ec2,
    ctx: &Ctx,
    input: AuthorizeSecurityGroupIngressRequest,
) -> Result<AuthorizeSecurityGroupIngressResult> {
    let AuthorizeSecurityGroupIngressRequest {
        cidr_ip,
        dry_run,
        from_port,
        group_id,
        group_name,
        ip_permissions,
        ip_protocol,
        source_security_group_name,
        source_security_group_owner_id,
        tag_specifications,
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
    let rules = Rules::ingress(group_id, group_name, ip_permissions, flat)?;
    let added = add(ec2, ctx, dry_run, &rules, tag_specifications).await?;
    Ok(AuthorizeSecurityGroupIngressResult {
        r#return: Some(true),
        security_group_rules: Some(added),
    })
}

pub(super) async fn egress(
    ec2: &Ec2,
    ctx: &Ctx,
    input: AuthorizeSecurityGroupEgressRequest,
) -> Result<AuthorizeSecurityGroupEgressResult> {
    let AuthorizeSecurityGroupEgressRequest {
        group_id,
        cidr_ip,
        dry_run,
        from_port,
        ip_permissions,
        ip_protocol,
        source_security_group_name,
        source_security_group_owner_id,
        tag_specifications,
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
    let added = add(ec2, ctx, dry_run, &rules, tag_specifications).await?;
    Ok(AuthorizeSecurityGroupEgressResult {
        r#return: Some(true),
        security_group_rules: Some(added),
    })
}

async fn add(
    ec2: &Ec2,
    ctx: &Ctx,
    dry_run: Option<bool>,
    rules: &Rules,
    tag_specifications: Option<Vec<TagSpecification>>,
) -> Result<Vec<SecurityGroupRule>> {
    let tags = tags::at_creation(&ctx.caller, tag_specifications, "security-group-rule")?;
    ec2.change(ctx, dry_run, |realm, keys, plan| {
        let entry = rules.group(realm)?;
        let asked = rules.read(ctx, realm, &entry.value)?;
        refuse_duplicates(&entry.value, &asked)?;
        let new: Vec<Rule> = asked
            .into_iter()
            .map(|Asked { permit, description }| Rule {
                id: RuleId::random(),
                permit,
                description,
                tags: tags.clone(),
            })
            .collect();
        let mut group = entry.value.clone();
        group.rules.extend(new.iter().cloned());
        refuse_too_many(&group, rules.egress)?;
        plan_rules(keys, plan, entry, &group)?;
        Ok(new
            .iter()
            .map(|rule| show::rule::wire(ctx, &group, rule))
            .collect())
    })
    .await
}

fn refuse_duplicates(group: &Group, asked: &[Asked]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for Asked { permit, .. } in asked {
        if !seen.insert(permit) {
            return Err(error::invalid_value(
                "The same permission must not appear multiple times",
            ));
        }
        if group.rules.iter().any(|rule| rule.permit == *permit) {
            return Err(error::other(
                "InvalidPermission.Duplicate",
                format!("the specified rule \"{}\" already exists", permit.told()),
            ));
        }
    }
    Ok(())
}

fn refuse_too_many(group: &Group, egress: bool) -> Result<()> {
    let count = |counts: fn(&Peer) -> bool| {
        group
            .rules
            .iter()
            .filter(|rule| rule.permit.egress == egress && counts(&rule.permit.peer))
            .count()
    };
    let v4 = count(|peer| !matches!(peer, Peer::V6(_)));
    let v6 = count(|peer| !matches!(peer, Peer::V4(_)));
    if v4.max(v6) > MAX_RULES {
        Err(rules_limit())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
