//! Secrets as variables: which are taken, and what must go with them.

use super::*;

const ROLE: &str = "arn:aws:iam::000000000000:role/ecsTaskExecutionRole";
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf";

fn secrets(name: &str, from: &str) -> Json {
    json!({"secrets": [{"name": name, "valueFrom": from}]})
}

#[tokio::test]
async fn secrets_are_kept_with_the_role_that_reads_them() {
    let task = json!({"executionRoleArn": ROLE});
    for suffix in [
        "",
        ":password::",
        "::AWSPREVIOUS:",
        ":password:AWSCURRENT:",
        ":::",
    ] {
        let with = secrets("PASSWORD", &format!("{SECRET}{suffix}"));
        container_shows(with.clone(), task.clone(), with).await;
    }
    let shown = register(&Arc::new(ecs()), request(secrets("A", SECRET), task))
        .await
        .expect("is accepted");
    let wanted = json!({"name": "ecs.capability.secrets.asm.environment-variables"});
    assert!(
        shown["requiresAttributes"]
            .as_array()
            .expect("attributes")
            .contains(&wanted)
    );
}

#[tokio::test]
async fn secrets_that_cannot_be_used_are_refused() {
    let role = || json!({"executionRoleArn": ROLE});
    let mut twice = secrets("A", SECRET);
    twice["environment"] = json!([{"name": "A", "value": "b"}]);
    let neither = "is neither the ARN of a secret";
    let cases = [
        (
            secrets("A", SECRET),
            json!({}),
            "you must also specify a value for 'executionRoleArn'",
        ),
        (twice, role(), "such as 'A'"),
        (secrets("", SECRET), role(), "needs a name"),
        (secrets("A=B", SECRET), role(), "needs a name"),
        (secrets("A", ""), role(), "needs a valueFrom"),
        (secrets("A", &format!("{SECRET}:key")), role(), neither),
        (secrets("A", "arn:aws:s3:::bucket"), role(), neither),
    ];
    containers_refused(CLIENT, &cases).await;
    let neither = "neither the name nor the ARN of a parameter";
    let parameters = [
        "a b",
        "name:",
        "name:a:b",
        "arn:aws:ssm:us-east-1:000000000000:document/name",
        "arn:aws:ssm::000000000000:parameter/name",
        "arn:aws:ssm:us-east-1:000000000000:parameter/",
    ];
    let parameters = parameters.map(|from| (secrets("A", from), role(), neither));
    containers_refused(CLIENT, &parameters).await;
    let without = (secrets("A", "name"), json!({}), "'executionRoleArn'");
    containers_refused(CLIENT, &[without]).await;
}

#[tokio::test]
async fn parameters_are_kept_by_name_and_by_arn() {
    let task = json!({"executionRoleArn": ROLE});
    let arn = "arn:aws:ssm:eu-west-1:000000000000:parameter/app/password";
    for from in ["password", "/app/password", "/app/password:3", arn] {
        let with = secrets("PASSWORD", from);
        container_shows(with.clone(), task.clone(), with.clone()).await;
        let shown = register(&Arc::new(ecs()), request(with, task.clone()))
            .await
            .expect("is accepted");
        let wanted = json!({"name": "ecs.capability.secrets.ssm.environment-variables"});
        let attributes = shown["requiresAttributes"].as_array().expect("attributes");
        assert!(attributes.contains(&wanted), "{attributes:?}");
    }
}
