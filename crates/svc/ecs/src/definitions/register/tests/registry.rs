//! Private registries: whose credentials, and what must go with them.

use super::*;

const ROLE: &str = "arn:aws:iam::000000000000:role/ecsTaskExecutionRole";
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:registry-AbCdEf";

#[tokio::test]
async fn registry_credentials_are_kept_with_the_role_that_reads_them() {
    for secret in [SECRET, "team/registry"] {
        let credentials = json!({"repositoryCredentials": {"credentialsParameter": secret}});
        let task = json!({"executionRoleArn": ROLE});
        container_shows(credentials.clone(), task.clone(), credentials.clone()).await;
        let shown = register(&Arc::new(ecs()), request(credentials, task))
            .await
            .expect("is accepted");
        assert_eq!(shown["executionRoleArn"], ROLE);
        let wanted = json!({"name": "ecs.capability.private-registry-authentication.secretsmanager"});
        let asked = shown["requiresAttributes"].as_array().expect("attributes");
        assert!(asked.contains(&wanted), "{asked:?}");
    }
}

#[tokio::test]
async fn registry_credentials_that_cannot_be_used_are_refused() {
    let with = |secret: &str| json!({"repositoryCredentials": {"credentialsParameter": secret}});
    let role = |arn: &str| json!({"executionRoleArn": arn});
    let words = "must name a secret of AWS Secrets Manager";
    let other = "arn:aws:ssm:us-east-1:000000000000:parameter/registry";
    let cases = [
        (
            with(SECRET),
            json!({}),
            "you must also specify a value for 'executionRoleArn'",
        ),
        (with(""), role(ROLE), words),
        (with("a b"), role(ROLE), words),
        (with(other), role(ROLE), words),
        (with("arn:aws:secretsmanager"), role(ROLE), words),
        (with(SECRET), role("ecsTaskExecutionRole"), "Role is not valid"),
        (
            with(SECRET),
            role("arn:aws:iam::000000000000:user/x"),
            "Role is not valid",
        ),
        (with(SECRET), role("arn:aws:iam:::role/x"), "Role is not valid"),
    ];
    containers_refused("ClientException", &cases).await;
}
