//! What the operations mean to policies, by the Service Authorization Reference's page for Systems Manager.

use std::sync::{Arc, Weak};

use roadstead_base::Ctx;
use roadstead_dispatch::{Asking, Need, Permissions, Rule};
use roadstead_protocol::{BoxFuture, Value};

use crate::Ssm;
use crate::names::Reference;

/// Tells the gate of parameters and their tags.
pub struct SsmPermissions(Weak<Ssm>);

impl SsmPermissions {
    pub fn of(ssm: &Arc<Ssm>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(ssm)))
    }
}

/// The ARN of what a request calls by name or ARN, without a version or label.
fn arn(asking: &Asking<'_>, given: &str) -> String {
    let given = given.trim_matches(' ');
    if let Some(rest) = given.strip_prefix("arn:") {
        // Six parts; a seventh chooses a version.
        let parts: Vec<&str> = rest.splitn(6, ':').take(5).collect();
        return format!("arn:{}", parts.join(":"));
    }
    let name = given.split(':').next().unwrap_or_default();
    asking.arn(
        "ssm",
        &format!("parameter/{}", name.strip_prefix('/').unwrap_or(name)),
    )
}

fn flag(asking: &Asking<'_>, member: &str) -> Option<String> {
    match asking.input.get(member) {
        Some(Value::Bool(flag)) => Some(flag.to_string()),
        _ => None,
    }
}

fn need(asking: &Asking<'_>, named: &[&str]) -> Need {
    let arns: Vec<String> = named.iter().map(|name| arn(asking, name)).collect();
    Need::new(format!("ssm:{}", asking.operation)).on(arns)
}

fn on_name(asking: &Asking<'_>) -> Vec<Need> {
    vec![need(asking, &[asking.text("Name").unwrap_or("*")])]
}

fn on_names(asking: &Asking<'_>) -> Vec<Need> {
    vec![need(asking, &asking.texts("Names"))]
}

fn on_path(asking: &Asking<'_>) -> Vec<Need> {
    let path = asking.text("Path").unwrap_or("*");
    vec![need(asking, &[path.trim_end_matches('/')]).with_some("ssm:Recursive", flag(asking, "Recursive"))]
}

fn on_tagged(asking: &Asking<'_>) -> Vec<Need> {
    let need = need(asking, &[asking.text("ResourceId").unwrap_or("*")]);
    vec![
        need.tagging(&asking.tags("Tags"))
            .untagging(&asking.texts("TagKeys")),
    ]
}

/// Tags of a new parameter are another action's.
fn put(asking: &Asking<'_>) -> Vec<Need> {
    let (tags, name) = (asking.tags("Tags"), asking.text("Name").unwrap_or("*"));
    let put = need(asking, &[name]).with_some("ssm:Overwrite", flag(asking, "Overwrite"));
    let mut needs = vec![put.tagging(&tags)];
    if !tags.is_empty() {
        needs.push(
            Need::new("ssm:AddTagsToResource")
                .on([arn(asking, name)])
                .tagging(&tags),
        );
    }
    needs
}

impl Permissions for SsmPermissions {
    fn rules(&self) -> &'static [Rule] {
        const fn of(operation: &'static str, needs: fn(&Asking<'_>) -> Vec<Need>) -> Rule {
            Rule { operation, needs }
        }
        const RULES: [Rule; 12] = [
            of("AddTagsToResource", on_tagged),
            of("DeleteParameter", on_name),
            of("DeleteParameters", on_names),
            of("GetParameter", on_name),
            of("GetParameterHistory", on_name),
            of("GetParameters", on_names),
            of("GetParametersByPath", on_path),
            of("LabelParameterVersion", on_name),
            of("ListTagsForResource", on_tagged),
            of("PutParameter", put),
            of("RemoveTagsFromResource", on_tagged),
            of("UnlabelParameterVersion", on_name),
        ];
        &RULES
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            let (Some(ssm), Ok(reference)) = (self.0.upgrade(), Reference::parse(&ctx.partition(), arn))
            else {
                return Vec::new();
            };
            for name in &reference.candidates {
                if let Ok(Some(entry)) = ssm.named(&ctx.partition(), name).await {
                    return entry.value.tags.into_iter().collect();
                }
            }
            Vec::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use roadstead_api_ssm::MODEL;

    use super::*;
    use crate::testing::*;

    #[tokio::test]
    async fn every_operation_on_a_parameter_names_it() {
        let world = World::new();
        world.put("/a/b", "x").await;
        world
            .ok("AddTagsToResource", json!({"ResourceType": "Parameter", "ResourceId": "/a/b", "Tags": [{"Key": "team", "Value": "x"}]}))
            .await;
        let (ctx, permissions) = (ctx(), SsmPermissions::of(&world.ssm));
        let whole = "arn:aws:ssm:us-east-1:000000000000:parameter/a/b";
        for given in [
            "/a/b",
            "/a/b:3",
            whole,
            "arn:aws:ssm:us-east-1:000000000000:parameter/a/b:prod",
        ] {
            let input = Value::Map(vec![("Name".into(), Value::Str(given.to_owned()))]);
            let asking = Asking {
                ctx: &ctx,
                operation: "GetParameter",
                input: &input,
            };
            let need = on_name(&asking).remove(0);
            assert_eq!(
                (need.action.as_ref(), need.resources[0].as_str()),
                ("ssm:GetParameter", whole),
                "{given}"
            );
        }
        assert_eq!(
            permissions.resource_tags(&ctx, whole).await,
            [("team".to_owned(), "x".to_owned())]
        );
        assert!(
            permissions
                .resource_tags(&ctx, "arn:aws:ssm:us-east-1:000000000000:parameter/no")
                .await
                .is_empty()
        );
        let ruled: BTreeSet<&str> = permissions.rules().iter().map(|rule| rule.operation).collect();
        let listing = |operation: &&str| *operation != "DescribeParameters";
        let all: BTreeSet<&str> = MODEL
            .operations
            .iter()
            .map(|operation| operation.name)
            .filter(listing)
            .collect();
        assert_eq!(ruled, all);
    }

    #[test]
    fn putting_with_tags_needs_leave_to_tag() {
        let tag = Value::Map(vec![
            ("Key".into(), Value::Str("k".into())),
            ("Value".into(), Value::Str("v".into())),
        ]);
        let input = Value::Map(vec![
            ("Name".into(), Value::Str("a".into())),
            ("Tags".into(), Value::List(vec![tag])),
        ]);
        let ctx = ctx();
        let asking = Asking {
            ctx: &ctx,
            operation: "PutParameter",
            input: &input,
        };
        let actions: Vec<String> = put(&asking).iter().map(|need| need.action.to_string()).collect();
        assert_eq!(actions, ["ssm:PutParameter", "ssm:AddTagsToResource"]);
    }
}
