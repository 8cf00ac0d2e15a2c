//! What the operations mean to policies, by the Service Authorization Reference's page for Secrets Manager.

use std::sync::{Arc, Weak};

use roadstead_base::Ctx;
use roadstead_dispatch::{Asking, Need, Permissions, Rule};
use roadstead_protocol::{BoxFuture, Value};

use crate::SecretsManager;
use crate::names;

/// Tells the gate of secrets and their tags.
pub struct SecretsPermissions(Weak<SecretsManager>);

impl SecretsPermissions {
    pub fn of(manager: &Arc<SecretsManager>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(manager)))
    }
}

/// The ARN as far as the request gives it: whole, or without the six characters that only the secret itself knows.
fn given(asking: &Asking<'_>, member: &str) -> String {
    let id = asking.text(member).unwrap_or("*");
    match id.starts_with("arn:") {
        true => id.to_owned(),
        false => asking.arn("secretsmanager", &format!("secret:{id}")),
    }
}

fn on_secret(asking: &Asking<'_>) -> Vec<Need> {
    let flag = |member: &str| match asking.input.get(member) {
        Some(Value::Bool(flag)) => Some(flag.to_string()),
        _ => None,
    };
    let number = |member: &str| match asking.input.get(member) {
        Some(Value::Int(number)) => Some(number.to_string()),
        _ => None,
    };
    let need = Need::new(format!("secretsmanager:{}", asking.operation))
        .on([given(asking, "SecretId")])
        .with_some("secretsmanager:SecretId", asking.text("SecretId"))
        .with_some("secretsmanager:VersionId", asking.text("VersionId"))
        .with_some("secretsmanager:VersionStage", asking.text("VersionStage"))
        .with_some("secretsmanager:Description", asking.text("Description"))
        .with_some(
            "secretsmanager:RecoveryWindowInDays",
            number("RecoveryWindowInDays"),
        )
        .with_some("secretsmanager:BlockPublicPolicy", flag("BlockPublicPolicy"))
        .with_some(
            "secretsmanager:ForceDeleteWithoutRecovery",
            flag("ForceDeleteWithoutRecovery"),
        );
    vec![
        need.tagging(&asking.tags("Tags"))
            .untagging(&asking.texts("TagKeys")),
    ]
}

/// A secret that is not there yet has an ARN in policies too; which characters end it is a matter of chance.
fn create(asking: &Asking<'_>) -> Vec<Need> {
    let tags = asking.tags("Tags");
    let arn = format!("{}-000000", given(asking, "Name"));
    let need = Need::new("secretsmanager:CreateSecret")
        .on([arn.clone()])
        .with_some("secretsmanager:Name", asking.text("Name"))
        .with_some("secretsmanager:Description", asking.text("Description"))
        .tagging(&tags);
    let mut needs = vec![need];
    if !tags.is_empty() {
        needs.push(Need::new("secretsmanager:TagResource").on([arn]).tagging(&tags));
    }
    needs
}

impl Permissions for SecretsPermissions {
    fn rules(&self) -> &'static [Rule] {
        const fn of(operation: &'static str, needs: fn(&Asking<'_>) -> Vec<Need>) -> Rule {
            Rule { operation, needs }
        }
        const RULES: [Rule; 14] = [
            of("CreateSecret", create),
            of("DeleteResourcePolicy", on_secret),
            of("DeleteSecret", on_secret),
            of("DescribeSecret", on_secret),
            of("GetResourcePolicy", on_secret),
            of("GetSecretValue", on_secret),
            of("ListSecretVersionIds", on_secret),
            of("PutResourcePolicy", on_secret),
            of("PutSecretValue", on_secret),
            of("RestoreSecret", on_secret),
            of("TagResource", on_secret),
            of("UntagResource", on_secret),
            of("UpdateSecret", on_secret),
            of("UpdateSecretVersionStage", on_secret),
        ];
        &RULES
    }

    fn whole_arn<'a>(&'a self, ctx: &'a Ctx, arn: String) -> BoxFuture<'a, String> {
        Box::pin(async move {
            let Some(manager) = self.0.upgrade() else {
                return arn;
            };
            // What is not there stays as it was named; the operation says that it is not there.
            match manager.find(ctx, &arn).await {
                Ok(entry) => {
                    let secret = entry.value;
                    names::arn(&ctx.partition(), &secret.name, &secret.suffix)
                }
                Err(_) => arn,
            }
        })
    }

    fn resource_policy<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move { self.0.upgrade()?.find(ctx, arn).await.ok()?.value.policy })
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            let Some(manager) = self.0.upgrade() else {
                return Vec::new();
            };
            match manager.find(ctx, arn).await {
                Ok(entry) => entry.value.tags.into_iter().collect(),
                Err(_) => Vec::new(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use roadstead_api_secretsmanager::MODEL;

    use super::*;
    use crate::testing::*;

    #[tokio::test]
    async fn every_operation_on_a_secret_names_it_whole() {
        let world = World::new();
        let tags = json!([{"Key": "team", "Value": "x"}]);
        let made = world.ok("CreateSecret", json!({"Name": "a", "Tags": tags})).await;
        let (ctx, permissions) = (ctx(), SecretsPermissions::of(&world.manager));
        let arn = made["ARN"].as_str().expect("an ARN").to_owned();
        let partial = arn[..arn.len() - 7].to_owned();
        let id = |text: &str| Value::Map(vec![("SecretId".into(), Value::Str(text.to_owned()))]);
        for text in ["a", &partial, &arn] {
            let input = id(text);
            let asking = Asking {
                ctx: &ctx,
                operation: "GetSecretValue",
                input: &input,
            };
            let need = on_secret(&asking).remove(0);
            assert_eq!(need.action, "secretsmanager:GetSecretValue");
            let whole = permissions.whole_arn(&ctx, need.resources[0].clone()).await;
            assert_eq!(whole, arn, "{text}");
        }
        let tags = permissions.resource_tags(&ctx, &arn).await;
        assert_eq!(tags, [("team".to_owned(), "x".to_owned())]);
        let absent = permissions.whole_arn(&ctx, partial.replace(":a", ":b")).await;
        assert!(absent.ends_with("secret:b"), "{absent}");
        let ruled: BTreeSet<&str> = permissions.rules().iter().map(|rule| rule.operation).collect();
        let of = |operation: &&str| *operation != "ListSecrets";
        let all: BTreeSet<&str> = MODEL
            .operations
            .iter()
            .map(|operation| operation.name)
            .filter(of)
            .collect();
        assert_eq!(ruled, all);
    }

    #[test]
    fn creating_names_what_will_be_and_its_tags() {
        let tag = Value::Map(vec![
            ("Key".into(), Value::Str("team".into())),
            ("Value".into(), Value::Str("x".into())),
        ]);
        let input = Value::Map(vec![
            ("Name".into(), Value::Str("a".into())),
            ("Tags".into(), Value::List(vec![tag])),
        ]);
        let ctx = ctx();
        let asking = Asking {
            ctx: &ctx,
            operation: "CreateSecret",
            input: &input,
        };
        let needs = create(&asking);
        let actions: Vec<_> = needs.iter().map(|need| need.action.as_ref()).collect();
        assert_eq!(
            actions,
            ["secretsmanager:CreateSecret", "secretsmanager:TagResource"]
        );
        for need in &needs {
            assert!(
                need.resources[0].ends_with(":secret:a-000000"),
                "{:?}",
                need.resources
            );
        }
    }
}
