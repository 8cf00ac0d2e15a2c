//! CreateTags and DeleteTags.

use std::collections::BTreeMap;

use roadstead_api_ec2::{CreateTagsRequest, DeleteTagsRequest, Tag};
use roadstead_base::{Caller, Ctx};

use crate::error::{self, Kind, Result};
use crate::ids::{GroupId, InterfaceId, SubnetId, VpcId};
use crate::plan::Plan;
use crate::records::{Group, Interface, Subnet, Tags, Vpc};
use crate::service::Ec2;
use crate::tags;
use crate::world::{Realm, Rec};

/// Resources and tags of one request.
const MAX_RESOURCES: usize = 1000;
const MAX_TAGS: usize = 1000;
/// Resources changed in one transaction.
const CHUNK: usize = 100;

pub(super) async fn create(ec2: &Ec2, ctx: &Ctx, input: CreateTagsRequest) -> Result<()> {
    let CreateTagsRequest {
        resources,
        tags,
        dry_run,
    } = input;
    if tags.is_empty() {
        return Err(error::missing("tagSet"));
    }
    let new = tags::checked(&ctx.caller, tags)?;
    let edit = |tags: &mut Tags| {
        tags.extend(new.clone());
        tags::limit(tags)
    };
    retag(ec2, ctx, &resources, dry_run, edit).await
}

pub(super) async fn delete(ec2: &Ec2, ctx: &Ctx, input: DeleteTagsRequest) -> Result<()> {
    let DeleteTagsRequest {
        resources,
        dry_run,
        tags,
    } = input;
    let tags = tags.unwrap_or_default();
    if tags.len() > MAX_TAGS {
        return Err(error::invalid_value(format!(
            "A request can delete at most {MAX_TAGS} tags"
        )));
    }
    let mut unwanted = Vec::new();
    for Tag { key, value } in tags {
        unwanted.push((tags::key(&ctx.caller, key)?, value));
    }
    let keeps_reserved = !matches!(ctx.caller, Caller::Service(_));
    let edit = |tags: &mut Tags| {
        if unwanted.is_empty() {
            tags.retain(|key, _| keeps_reserved && key.starts_with(tags::RESERVED));
        }
        for (key, value) in &unwanted {
            if value.as_ref().is_none_or(|value| tags.get(key) == Some(value)) {
                tags.remove(key);
            }
        }
        Ok(())
    };
    retag(ec2, ctx, &resources, dry_run, edit).await
}

async fn retag(
    ec2: &Ec2,
    ctx: &Ctx,
    resources: &[String],
    dry_run: Option<bool>,
    edit: impl Fn(&mut Tags) -> Result<()> + Send + Sync,
) -> Result<()> {
    if resources.is_empty() {
        return Err(error::missing("resourceIdSet"));
    }
    if resources.len() > MAX_RESOURCES {
        return Err(error::invalid_value(format!(
            "A request can tag at most {MAX_RESOURCES} resources"
        )));
    }
    // Nothing is changed unless all of it can be.
    ec2.read(ctx, |realm| {
        Edited::default().edit_all(realm, resources, &edit).map(|_| ())
    })
    .await??;
    for chunk in resources.chunks(CHUNK) {
        ec2.change(ctx, dry_run, |realm, _, plan| {
            Edited::default().edit_all(realm, chunk, &edit)?.plan(plan)
        })
        .await?;
    }
    Ok(())
}

/// Records being changed, each once however often it is named.
#[derive(Default)]
struct Edited<'r> {
    vpcs: BTreeMap<&'r VpcId, (&'r Rec<Vpc>, Vpc)>,
    subnets: BTreeMap<&'r SubnetId, (&'r Rec<Subnet>, Subnet)>,
    groups: BTreeMap<&'r GroupId, (&'r Rec<Group>, Group)>,
    interfaces: BTreeMap<&'r InterfaceId, (&'r Rec<Interface>, Interface)>,
}

impl<'r> Edited<'r> {
    fn edit_all(
        mut self,
        realm: &'r Realm,
        resources: &[String],
        edit: &impl Fn(&mut Tags) -> Result<()>,
    ) -> Result<Self> {
        for id in resources {
            edit(self.tags(realm, id)?)?;
        }
        Ok(self)
    }

    fn tags(&mut self, realm: &'r Realm, id: &str) -> Result<&mut Tags> {
        let is = |kind: Kind| kind.check(id).is_ok();
        if is(error::VPC) {
            let entry = realm.vpc(id)?;
            let (_, vpc) = self
                .vpcs
                .entry(&entry.value.id)
                .or_insert_with(|| (entry, entry.value.clone()));
            Ok(&mut vpc.tags)
        } else if is(error::SUBNET) {
            let entry = realm.subnet(id)?;
            let (_, subnet) = self
                .subnets
                .entry(&entry.value.id)
                .or_insert_with(|| (entry, entry.value.clone()));
            Ok(&mut subnet.tags)
        } else if is(error::GROUP) {
            let entry = realm.group(id)?;
            let (_, group) = self
                .groups
                .entry(&entry.value.id)
                .or_insert_with(|| (entry, entry.value.clone()));
            Ok(&mut group.tags)
        } else if is(error::RULE) {
            let entry = realm.group_of_rule(id).ok_or_else(|| error::RULE.not_found(id))?;
            let (_, group) = self
                .groups
                .entry(&entry.value.id)
                .or_insert_with(|| (entry, entry.value.clone()));
            let rule = group.rules.iter_mut().find(|rule| rule.id.as_str() == id);
            rule.map(|rule| &mut rule.tags)
                .ok_or_else(|| error::RULE.not_found(id))
        } else if is(error::INTERFACE) {
            let entry = realm.interface(id)?;
            let (_, interface) = self
                .interfaces
                .entry(&entry.value.id)
                .or_insert_with(|| (entry, entry.value.clone()));
            Ok(&mut interface.tags)
        } else {
            Err(error::other(
                "InvalidID",
                format!("The ID '{}' is not valid", error::clip(id)),
            ))
        }
    }

    fn plan(self, plan: &mut Plan) -> Result<()> {
        for (entry, vpc) in self.vpcs.into_values() {
            plan.replace(entry, &vpc)?;
        }
        for (entry, subnet) in self.subnets.into_values() {
            plan.replace(entry, &subnet)?;
        }
        for (entry, group) in self.groups.into_values() {
            plan.replace(entry, &group)?;
        }
        for (entry, interface) in self.interfaces.into_values() {
            plan.replace(entry, &interface)?;
        }
        Ok(())
    }
}
