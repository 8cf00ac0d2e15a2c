//! RevokeSecurityGroupIngress and RevokeSecurityGroupEgress.

use std::collections::BTreeSet;

use roadstead_api_ec2::{
    IpPermission, RevokeSecurityGroupEgressRequest, RevokeSecurityGroupEgressResult,
    RevokeSecurityGroupIngressRequest, RevokeSecurityGroupIngressResult, RevokedSecurityGroupRule,
};
use roadstead_base::Ctx;

use super::delete_security_group::named_by;
use crate::error::{self, Result};
use crate::ids::RuleId;
use crate::permissions::{Flat, Reader, refuse_members};
use crate::records::{Group, Rule, Tags};
use crate::service::Ec2;
use crate::show;

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
    let call = Call {
        group_id,
        group_name,
        egress: false,
        permissions: ip_permissions,
        flat,
        rule_ids: security_group_rule_ids,
    };
    let (revoked, unknown) = call.run(ec2, ctx, dry_run).await?;
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
    flat.refuse()?;
    let call = Call {
        group_id: Some(group_id),
        group_name: None,
        egress: true,
        permissions: ip_permissions,
        flat: Flat::default(),
        rule_ids: security_group_rule_ids,
    };
    let (revoked, unknown) = call.run(ec2, ctx, dry_run).await?;
    Ok(RevokeSecurityGroupEgressResult {
        r#return: Some(true),
        revoked_security_group_rules: Some(revoked),
        unknown_ip_permissions: Some(unknown),
    })
}

struct Call {
    group_id: Option<String>,
    group_name: Option<String>,
    egress: bool,
    permissions: Option<Vec<IpPermission>>,
    flat: Flat,
    rule_ids: Option<Vec<String>>,
}

type Revoked = (Vec<RevokedSecurityGroupRule>, Vec<IpPermission>);

impl Call {
    async fn run(self, ec2: &Ec2, ctx: &Ctx, dry_run: Option<bool>) -> Result<Revoked> {
        refuse_members(self.permissions.as_ref())?;
        let by_ids = self.rule_ids.as_ref().is_some_and(|ids| !ids.is_empty());
        let by_values =
            self.permissions.as_ref().is_some_and(|list| !list.is_empty()) || !self.flat.is_empty();
        if by_ids && by_values {
            return Err(error::combination(
                "The parameter securityGroupRuleIds cannot be used with the parameter ipPermissions",
            ));
        }
        if !by_ids && !by_values {
            return Err(error::missing_because(
                "Either 'ipPermissions' or 'securityGroupRuleIds' should be provided.",
            ));
        }
        ec2.change(ctx, dry_run, |realm, keys, plan| {
            let entry = realm.group_by(self.group_id.as_deref(), self.group_name.as_deref())?;
            let (gone, unknown) = if by_ids {
                (self.named(&entry.value)?, Vec::new())
            } else {
                let reader = Reader {
                    realm,
                    account: ctx.account.as_str(),
                    group: &entry.value,
                    egress: self.egress,
                };
                self.described(ctx, &reader)?
            };
            let revoked = entry.value.rules.iter().filter(|rule| gone.contains(&rule.id));
            let revoked: Vec<_> = revoked
                .map(|rule| show::rule::revoked(&entry.value, rule))
                .collect();
            if !gone.is_empty() {
                let mut group = entry.value.clone();
                group.rules.retain(|rule| !gone.contains(&rule.id));
                let after = named_by(&group);
                for named in named_by(&entry.value).difference(&after) {
                    plan.delete(&keys.use_of_group(named, group.id.as_str()));
                }
                plan.replace(entry, &group)?;
            }
            Ok((revoked, unknown))
        })
        .await
    }

    /// Rules by their ids, which must all be this group's and of this direction.
    fn named(&self, group: &Group) -> Result<BTreeSet<RuleId>> {
        let mut gone = BTreeSet::new();
        let mut absent = Vec::new();
        for id in self.rule_ids.iter().flatten() {
            error::RULE.check(id)?;
            let rule = group
                .rules
                .iter()
                .find(|rule| rule.id.as_str() == id && rule.permit.egress == self.egress);
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
    fn described(&self, ctx: &Ctx, reader: &Reader<'_>) -> Result<(BTreeSet<RuleId>, Vec<IpPermission>)> {
        let asked = reader.read(self.permissions.clone(), self.flat.clone())?;
        let (mut gone, mut unknown) = (BTreeSet::new(), Vec::new());
        for asked in asked {
            match reader.group.rules.iter().find(|rule| rule.permit == asked.permit) {
                Some(rule) => _ = gone.insert(rule.id.clone()),
                None => unknown.push(Rule {
                    id: RuleId::named(""),
                    permit: asked.permit,
                    description: asked.description,
                    tags: Tags::new(),
                }),
            }
        }
        let lenient = reader
            .realm
            .vpcs
            .get(&reader.group.vpc)
            .is_some_and(|vpc| vpc.value.is_default);
        if !unknown.is_empty() && !lenient {
            return Err(error::other(
                "InvalidPermission.NotFound",
                "The specified rule does not exist in this security group.",
            ));
        }
        Ok((gone, show::rule::permissions(ctx, unknown.iter())))
    }
}

#[cfg(test)]
mod tests;
