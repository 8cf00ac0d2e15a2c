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

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        CreateTagsRequest, DeleteTagsRequest, DescribeTagsRequest, Ec2 as _, Tag, TagDescription,
    };

    use crate::testing::{Bench, fails, filter, id, tag};

    fn create(resources: &[&str], tags: Vec<Tag>) -> CreateTagsRequest {
        let resources = resources.iter().map(|id| (*id).to_owned()).collect();
        CreateTagsRequest {
            resources,
            tags,
            ..Default::default()
        }
    }

    fn delete(resource: &str, tags: Option<Vec<Tag>>) -> DeleteTagsRequest {
        DeleteTagsRequest {
            resources: vec![resource.to_owned()],
            tags,
            ..Default::default()
        }
    }

    async fn described(bench: &Bench, resource: &str) -> Vec<(String, String, String)> {
        let input = DescribeTagsRequest {
            filters: filter("resource-id", &[resource]),
            ..Default::default()
        };
        let answer = bench
            .ec2
            .describe_tags(&bench.root(), input)
            .await
            .expect("an answer");
        let told = |tag: TagDescription| Some((tag.resource_type?, tag.key?, tag.value?));
        answer.tags.expect("tags").into_iter().filter_map(told).collect()
    }

    #[tokio::test]
    async fn create_tags_reaches_every_kind_of_resource() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, subnet) = bench.network().await;
        let group = bench.group(&vpc, "web").await;
        let interface = id(&bench.interface(&ctx, &subnet).await);
        let rules = roadstead_api_ec2::DescribeSecurityGroupRulesRequest {
            filters: filter("group-id", &[&group]),
            ..Default::default()
        };
        let rules = bench
            .ec2
            .describe_security_group_rules(&ctx, rules)
            .await
            .expect("an answer");
        let rule = rules
            .security_group_rules
            .expect("rules")
            .remove(0)
            .security_group_rule_id
            .expect("an id");
        let all = [vpc.as_str(), &subnet, &group, &rule, &interface, &interface];
        bench
            .ec2
            .create_tags(&ctx, create(&all, vec![tag("Name", "x"), tag("env", "")]))
            .await
            .expect("tagged");
        bench
            .ec2
            .create_tags(&ctx, create(&all[..1], vec![tag("Name", "y")]))
            .await
            .expect("tagged");
        bench.restart().await;
        for (resource, kind, name) in [
            (&vpc, "vpc", "y"),
            (&subnet, "subnet", "x"),
            (&group, "security-group", "x"),
            (&rule, "security-group-rule", "x"),
            (&interface, "network-interface", "x"),
        ] {
            let wanted =
                [("Name", name), ("env", "")].map(|(k, v)| (kind.to_owned(), k.to_owned(), v.to_owned()));
            assert_eq!(described(&bench, resource).await, wanted);
        }
    }

    #[tokio::test]
    async fn create_tags_changes_nothing_unless_all_of_it_can_be() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, _) = bench.network().await;
        let one = || vec![tag("a", "b")];
        let ask = async |input| bench.ec2.create_tags(&ctx, input).await;
        fails(
            ask(create(&[&vpc, "vpc-0123"], one())).await,
            "InvalidVpcID.NotFound",
            "vpc-0123",
        );
        fails(
            ask(create(&[&vpc, "subnet-0123"], one())).await,
            "InvalidSubnetID.NotFound",
            "",
        );
        fails(
            ask(create(&[&vpc, "sg-0123"], one())).await,
            "InvalidGroup.NotFound",
            "",
        );
        fails(
            ask(create(&[&vpc, "sgr-0123"], one())).await,
            "InvalidSecurityGroupRuleId.NotFound",
            "",
        );
        fails(
            ask(create(&[&vpc, "eni-0123"], one())).await,
            "InvalidNetworkInterfaceID.NotFound",
            "",
        );
        fails(
            ask(create(&[&vpc, "thing"], one())).await,
            "InvalidID",
            "The ID 'thing' is not valid",
        );
        fails(ask(create(&[], one())).await, "MissingParameter", "resourceIdSet");
        fails(ask(create(&[&vpc], vec![])).await, "MissingParameter", "tagSet");
        fails(
            ask(create(&vec![vpc.as_str(); 1001], one())).await,
            "InvalidParameterValue",
            "1000",
        );
        fails(
            ask(create(&[&vpc], vec![tag("aws:x", "")])).await,
            "InvalidParameterValue",
            "reserved",
        );
        let dry = CreateTagsRequest {
            dry_run: Some(true),
            ..create(&[&vpc], one())
        };
        fails(ask(dry).await, "DryRunOperation", "");
        assert_eq!(described(&bench, &vpc).await, []);
        ask(create(
            &[&vpc],
            (0..50).map(|i| tag(&format!("k{i}"), "")).collect(),
        ))
        .await
        .expect("tagged");
        fails(ask(create(&[&vpc], one())).await, "TagLimitExceeded", "50");
        ask(create(&[&vpc], vec![tag("k7", "again")]))
            .await
            .expect("an old key");
    }

    #[tokio::test]
    async fn create_tags_goes_through_many_resources() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (_, subnet) = bench.network().await;
        let mut ids = Vec::new();
        for _ in 0..150 {
            ids.push(id(&bench.interface(&ctx, &subnet).await));
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        bench
            .ec2
            .create_tags(&ctx, create(&ids, vec![tag("many", "yes")]))
            .await
            .expect("tagged");
        let input = DescribeTagsRequest {
            filters: filter("tag:many", &["yes"]),
            ..Default::default()
        };
        let tags = bench
            .ec2
            .describe_tags(&ctx, input)
            .await
            .expect("an answer")
            .tags
            .expect("tags");
        assert_eq!(tags.len(), 150);
    }

    #[tokio::test]
    async fn delete_tags_by_key_value_or_all() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, _) = bench.network().await;
        let tags = ["a", "b", "c", "d"].map(|key| tag(key, "1"));
        bench
            .ec2
            .create_tags(&ctx, create(&[&vpc], tags.to_vec()))
            .await
            .expect("tagged");
        bench
            .ec2
            .create_tags(&bench.ecs(), create(&[&vpc], vec![tag("aws:by", "us")]))
            .await
            .expect("tagged");
        let keys = async || {
            described(&bench, &vpc)
                .await
                .into_iter()
                .map(|(_, key, _)| key)
                .collect::<String>()
        };
        let ask = async |input| bench.ec2.delete_tags(&ctx, input).await;
        let key_alone = Tag {
            key: Some("a".to_owned()),
            value: None,
        };
        fails(
            ask(DeleteTagsRequest {
                dry_run: Some(true),
                ..delete(&vpc, None)
            })
            .await,
            "DryRunOperation",
            "",
        );
        ask(delete(
            &vpc,
            Some(vec![
                key_alone,
                tag("b", "other"),
                tag("c", "1"),
                tag("none", "1"),
            ]),
        ))
        .await
        .expect("gone");
        assert_eq!(keys().await, "aws:bybd");
        ask(delete(&vpc, Some(vec![tag("b", "")])))
            .await
            .expect("nothing to delete");
        assert_eq!(keys().await, "aws:bybd", "an empty value is a value");
        fails(
            ask(delete(&vpc, Some(vec![tag("aws:by", "us")]))).await,
            "InvalidParameterValue",
            "reserved",
        );
        ask(delete(&vpc, None)).await.expect("gone");
        assert_eq!(keys().await, "aws:by", "all but the platform's");
        fails(ask(delete("vpc-0123", None)).await, "InvalidVpcID.NotFound", "");
        let nothing = DeleteTagsRequest::default();
        fails(ask(nothing).await, "MissingParameter", "resourceIdSet");
        fails(
            ask(delete(&vpc, Some(vec![tag("k", ""); 1001]))).await,
            "InvalidParameterValue",
            "1000",
        );
    }
}
