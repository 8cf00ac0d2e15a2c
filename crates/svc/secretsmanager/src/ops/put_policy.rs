//! PutResourcePolicy.

use roadstead_api_secretsmanager::{MODEL, PutResourcePolicyRequest, PutResourcePolicyResponse};
use roadstead_base::Ctx;
use roadstead_policy::{Context, Kind, Policies, Policy, Principal, Request, decide, parse};

use crate::SecretsManager;
use crate::error::{Error, Result};
use crate::secrets::Values;

pub(crate) async fn put_resource_policy(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: PutResourcePolicyRequest,
) -> Result<PutResourcePolicyResponse> {
    let PutResourcePolicyRequest {
        block_public_policy,
        resource_policy,
        secret_id,
    } = input;
    let policy =
        parse(&resource_policy, Kind::Resource).map_err(|error| Error::Malformed(error.to_string()))?;
    let partition = ctx.partition();
    let (secret, ()) = manager
        .change(ctx, &secret_id, |secret, now| {
            if block_public_policy == Some(true) && is_public(ctx, &policy, &secret.arn(&partition)) {
                return Err(Error::PublicPolicy);
            }
            secret.policy = Some(resource_policy.clone());
            secret.changed = now;
            Ok((Values::default(), ()))
        })
        .await?;
    Ok(PutResourcePolicyResponse {
        arn: Some(secret.arn(&partition)),
        name: Some(secret.name),
    })
}

/// Whether somebody whom the policy cannot know is allowed anything by it, whatever the circumstances.
fn is_public(ctx: &Ctx, policy: &Policy, arn: &str) -> bool {
    let account = ctx.account.to_string();
    let stranger = format!("arn:aws:iam::{account}:user/{}", roadstead_base::random_hex(32));
    let context = Context::default();
    MODEL.operations.iter().any(|operation| {
        let action = format!("secretsmanager:{}", operation.name);
        let request = Request {
            principal: Principal::User {
                account: &account,
                arn: &stranger,
            },
            action: &action,
            resource: arn,
            resource_account: None,
            context: &context,
        };
        let policies = Policies {
            resource: Some(policy),
            ..Policies::default()
        };
        decide(policies, &request).is_allowed()
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::*;

    fn policy(principal: Json, action: &str) -> String {
        let statement = json!({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"});
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    }

    #[tokio::test]
    async fn resource_policies_are_kept_shown_and_taken_away() {
        let world = World::new();
        let made = world.ok("CreateSecret", json!({"Name": "a"})).await;
        let none = world.ok("GetResourcePolicy", json!({"SecretId": "a"})).await;
        assert_eq!(none, json!({"ARN": made["ARN"], "Name": "a"}));
        let user = json!({"AWS": "arn:aws:iam::000000000000:user/anna"});
        let document = policy(user, "secretsmanager:GetSecretValue");
        let put = json!({"SecretId": "a", "ResourcePolicy": document, "BlockPublicPolicy": true});
        for _ in 0..2 {
            let answer = world.ok("PutResourcePolicy", put.clone()).await;
            assert_eq!(answer, json!({"ARN": made["ARN"], "Name": "a"}));
        }
        let shown = world
            .restarted()
            .ok("GetResourcePolicy", json!({"SecretId": "a"}))
            .await;
        assert_eq!(shown["ResourcePolicy"], document);
        for _ in 0..2 {
            let answer = world.ok("DeleteResourcePolicy", json!({"SecretId": "a"})).await;
            assert_eq!(answer, json!({"ARN": made["ARN"], "Name": "a"}));
        }
        assert_eq!(
            world.ok("GetResourcePolicy", json!({"SecretId": "a"})).await,
            none
        );
    }

    #[tokio::test]
    async fn resource_policies_are_checked() {
        let world = World::new();
        world.ok("CreateSecret", json!({"Name": "a"})).await;
        let put = |document: &str, block: bool| json!({"SecretId": "a", "ResourcePolicy": document, "BlockPublicPolicy": block});
        for document in [
            "{",
            "{}",
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}"#,
        ] {
            let malformed = "MalformedPolicyDocumentException";
            world
                .refused(
                    "PutResourcePolicy",
                    put(document, false),
                    malformed,
                    "contains an error",
                )
                .await;
        }
        let everyone = policy(json!("*"), "secretsmanager:*");
        world
            .refused(
                "PutResourcePolicy",
                put(&everyone, true),
                "PublicPolicyException",
                "broad access",
            )
            .await;
        world.ok("PutResourcePolicy", put(&everyone, false)).await;
        let account = policy(json!({"AWS": "000000000000"}), "secretsmanager:*");
        world.ok("PutResourcePolicy", put(&account, true)).await;
        for operation in ["PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy"] {
            let mut request = json!({"SecretId": "b"});
            if operation == "PutResourcePolicy" {
                request["ResourcePolicy"] = account.clone().into();
            }
            world
                .refused(operation, request, "ResourceNotFoundException", "can't find")
                .await;
        }
    }
}
