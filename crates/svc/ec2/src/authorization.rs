//! What the operations mean to policies: the ARNs of what a request names and of what it makes.
//! Source: "Actions, resources, and condition keys for Amazon EC2" in the Service Authorization Reference.

use std::sync::Arc;

use roadstead_base::{Arn, Ctx};
use roadstead_dispatch::{Asking, Need, Permissions, Rule, tags, text};
use roadstead_protocol::{BoxFuture, Value};

use crate::records::Tags;
use crate::service::Ec2;

const SERVICE: &str = "ec2";
/// Members that name what an operation works on; more of them may stand in a request than it has.
const ONE: &[&str] = &["VpcId", "SubnetId", "GroupId", "NetworkInterfaceId", "InstanceId"];
const MANY: &[&str] = &["Groups", "SecurityGroupIds"];

/// The service's table, and its resources' tags.
pub struct Ec2Permissions(Arc<Ec2>);

impl Ec2Permissions {
    pub fn of(ec2: &Arc<Ec2>) -> Arc<dyn Permissions> {
        Arc::new(Self(Arc::clone(ec2)))
    }
}

/// What an id's prefix says it is.
fn kind_of(id: &str) -> Option<&'static str> {
    Some(match id.split_once('-')?.0 {
        "vpc" => "vpc",
        "subnet" => "subnet",
        "sg" => "security-group",
        "sgr" => "security-group-rule",
        "eni" => "network-interface",
        "i" => "instance",
        _ => return None,
    })
}

fn arn_of(asking: &Asking<'_>, id: &str) -> Option<String> {
    Some(asking.arn(SERVICE, &format!("{}/{id}", kind_of(id)?)))
}

fn action(asking: &Asking<'_>) -> Need {
    Need::new(format!("{SERVICE}:{}", asking.operation))
}

/// Everything that the request names.
fn named(asking: &Asking<'_>) -> Vec<String> {
    let one = ONE.iter().filter_map(|member| asking.text(member));
    let many = MANY.iter().flat_map(|member| asking.texts(member));
    let mut arns: Vec<String> = one.chain(many).filter_map(|id| arn_of(asking, id)).collect();
    // ids of a nested structure: `Attachment`, or an attribute's own.
    arns.dedup();
    arns
}

/// What works on what there is.
fn existing(asking: &Asking<'_>) -> Vec<Need> {
    vec![action(asking).on(named(asking))]
}

/// Only the attachment is named; whose it is, the service knows.
fn detach(asking: &Asking<'_>) -> Vec<Need> {
    let any = |kind: &str| asking.arn(SERVICE, &format!("{kind}/*"));
    vec![action(asking).on([any("instance"), any("network-interface")])]
}

/// Attributes and address blocks of associations name no resource of their own.
fn association(asking: &Asking<'_>) -> Vec<Need> {
    let kind = match asking.operation {
        "DisassociateSubnetCidrBlock" => "subnet",
        _ => "vpc",
    };
    vec![action(asking).on([asking.arn(SERVICE, &format!("{kind}/*"))])]
}

fn specified(asking: &Asking<'_>) -> Vec<(String, String)> {
    match asking.input.get("TagSpecifications") {
        Some(Value::List(all)) => all.iter().flat_map(|one| tags(one.get("Tags"))).collect(),
        _ => Vec::new(),
    }
}

/// What makes something, in what the request names.
fn creation(asking: &Asking<'_>) -> Vec<Need> {
    let kind = match asking.operation {
        "CreateSubnet" => "subnet",
        "CreateSecurityGroup" => "security-group",
        "CreateNetworkInterface" => "network-interface",
        _ => "vpc",
    };
    let made = asking.arn(SERVICE, &format!("{kind}/*"));
    let new = specified(asking);
    let mut need = action(asking).on([made.clone()]).on(named(asking)).tagging(&new);
    if let Some(vpc) = asking.text("VpcId").and_then(|id| arn_of(asking, id)) {
        need = need.with("ec2:Vpc", vpc);
    }
    let mut needs = vec![need];
    if !new.is_empty() {
        let tagging = Need::new("ec2:CreateTags")
            .on([made])
            .with("ec2:CreateAction", asking.operation)
            .tagging(&new);
        needs.push(tagging);
    }
    needs
}

fn retag(asking: &Asking<'_>) -> Vec<Need> {
    let arns: Vec<String> = asking
        .texts("Resources")
        .into_iter()
        .filter_map(|id| arn_of(asking, id))
        .collect();
    vec![action(asking).on(arns).tagging(&asking.tags("Tags"))]
}

fn attach(asking: &Asking<'_>) -> Vec<Need> {
    let ids = ["InstanceId", "NetworkInterfaceId"];
    let arns = ids.into_iter().filter_map(|member| text(asking.input, member));
    vec![action(asking).on(arns.filter_map(|id| arn_of(asking, id)))]
}

macro_rules! rules {
    ($($needs:ident: $($operation:literal)*;)*) => {
        &[$($(Rule { operation: $operation, needs: $needs },)*)*]
    };
}

impl Permissions for Ec2Permissions {
    /// Operations that only describe know no resources.
    fn rules(&self) -> &'static [Rule] {
        rules! {
            existing: "AssignIpv6Addresses" "AssociateSubnetCidrBlock" "AssociateVpcCidrBlock"
                "AuthorizeSecurityGroupEgress" "AuthorizeSecurityGroupIngress" "DeleteNetworkInterface"
                "DeleteSecurityGroup" "DeleteSubnet" "DeleteVpc" "ModifyNetworkInterfaceAttribute"
                "ModifySubnetAttribute" "RevokeSecurityGroupEgress" "RevokeSecurityGroupIngress"
                "UnassignIpv6Addresses";
            attach: "AttachNetworkInterface";
            detach: "DetachNetworkInterface";
            association: "DisassociateSubnetCidrBlock" "DisassociateVpcCidrBlock";
            creation: "CreateDefaultVpc" "CreateNetworkInterface" "CreateSecurityGroup" "CreateSubnet" "CreateVpc";
            retag: "CreateTags" "DeleteTags";
        }
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            let Ok(parsed) = arn.parse::<Arn>() else {
                return Vec::new();
            };
            let Some((_, id)) = parsed.resource.split_once('/') else {
                return Vec::new();
            };
            let found = self.0.read(ctx, |realm| {
                let tags: Option<&Tags> = match kind_of(id)? {
                    "vpc" => realm
                        .vpcs
                        .iter()
                        .find(|(own, _)| own.as_str() == id)
                        .map(|(_, vpc)| &vpc.value.tags),
                    "subnet" => {
                        let mut all = realm.subnets.iter();
                        all.find(|(own, _)| own.as_str() == id)
                            .map(|(_, subnet)| &subnet.value.tags)
                    }
                    "security-group" => {
                        let mut all = realm.groups.iter();
                        all.find(|(own, _)| own.as_str() == id)
                            .map(|(_, group)| &group.value.tags)
                    }
                    "network-interface" => {
                        let mut all = realm.interfaces.iter();
                        all.find(|(own, _)| own.as_str() == id)
                            .map(|(_, interface)| &interface.value.tags)
                    }
                    _ => None,
                };
                tags.cloned()
            });
            let tags = found.await.ok().flatten().unwrap_or_default();
            tags.into_iter().collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    const A: &str = "arn:aws:ec2:us-east-1:000000000000";

    fn text_of(value: &str) -> Value {
        Value::Str(value.to_owned())
    }

    #[tokio::test]
    async fn requests_become_actions_on_arns() {
        let bench = Bench::new().await;
        let permissions = Ec2Permissions(bench.ec2.clone());
        let check = |operation: &'static str, input: Vec<(&'static str, Value)>, expected: &[String]| {
            let input = Value::Map(
                input
                    .into_iter()
                    .map(|(name, value)| (name.into(), value))
                    .collect(),
            );
            let ctx = bench.root();
            let asking = Asking {
                ctx: &ctx,
                operation,
                input: &input,
            };
            let rule = permissions
                .rules()
                .iter()
                .find(|rule| rule.operation == operation)
                .expect("a rule");
            let shown: Vec<String> = (rule.needs)(&asking)
                .into_iter()
                .map(|need| format!("{} {}", need.action, need.resources.join(" ")))
                .collect();
            assert_eq!(shown, expected, "{operation}");
        };
        check(
            "DeleteVpc",
            vec![("VpcId", text_of("vpc-1"))],
            &[format!("ec2:DeleteVpc {A}:vpc/vpc-1")],
        );
        let groups = Value::List(vec![text_of("sg-1"), text_of("sg-2")]);
        check(
            "CreateNetworkInterface",
            vec![("SubnetId", text_of("subnet-1")), ("Groups", groups)],
            &[format!(
                "ec2:CreateNetworkInterface {A}:network-interface/* {A}:subnet/subnet-1 {A}:security-group/sg-1 \
                 {A}:security-group/sg-2"
            )],
        );
        let tag = Value::Map(vec![
            ("Key".into(), text_of("team")),
            ("Value".into(), text_of("a")),
        ]);
        let specification = Value::Map(vec![("Tags".into(), Value::List(vec![tag]))]);
        check(
            "CreateVpc",
            vec![("TagSpecifications", Value::List(vec![specification]))],
            &[
                format!("ec2:CreateVpc {A}:vpc/*"),
                format!("ec2:CreateTags {A}:vpc/*"),
            ],
        );
    }

    #[tokio::test]
    async fn tags_of_what_there_is_are_known() {
        let bench = Bench::new().await;
        let permissions = Ec2Permissions(bench.ec2.clone());
        let vpc = bench.vpc("10.9.0.0/16").await.vpc_id.expect("an id");
        let input = roadstead_api_ec2::CreateTagsRequest {
            resources: vec![vpc.clone()],
            tags: vec![roadstead_api_ec2::Tag {
                key: Some("team".into()),
                value: Some("a".into()),
            }],
            dry_run: None,
        };
        use roadstead_api_ec2::Ec2 as _;
        let root = bench.root();
        bench.ec2.create_tags(&root, input).await.expect("tagged");
        let arn = format!("{A}:vpc/{vpc}");
        assert_eq!(
            permissions.resource_tags(&root, &arn).await,
            [("team".into(), "a".into())]
        );
        assert!(
            permissions
                .resource_tags(&root, "arn:aws:ec2:us-east-1:000000000000:vpc/vpc-0")
                .await
                .is_empty()
        );
    }
}
