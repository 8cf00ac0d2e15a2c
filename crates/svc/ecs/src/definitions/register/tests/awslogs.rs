//! The log driver `awslogs`: which options, and what Fargate asks for besides.

use super::*;

const ROLE: &str = "arn:aws:iam::000000000000:role/ecsTaskExecutionRole";

fn logs(over: Json) -> Json {
    let options =
        json!({"awslogs-group": "/ecs/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"});
    json!({"logConfiguration": {"logDriver": "awslogs", "options": put(options, over)}})
}

fn fargate(over: Json) -> Json {
    let base = json!({"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512", "executionRoleArn": ROLE});
    put(base, over)
}

#[tokio::test]
async fn lines_go_to_log_groups_by_options_that_are_checked() {
    let all = logs(json!({
        "awslogs-create-group": "true", "awslogs-multiline-pattern": "^INFO", "mode": "non-blocking",
        "max-buffer-size": "25m",
    }));
    container_shows(all.clone(), json!({}), all.clone()).await;
    container_shows(all.clone(), fargate(json!({})), all).await;
    let dated = logs(
        json!({"awslogs-datetime-format": "%Y-%m-%d", "awslogs-stream-prefix": null, "mode": "blocking"}),
    );
    container_shows(dated.clone(), json!({}), dated).await;
    let client = [
        (
            json!({"awslogs-group": null, "awslogs-region": null}),
            "Log driver awslogs requires options: awslogs-region, awslogs-group",
        ),
        (
            json!({"awslogs-group": ""}),
            "Log driver awslogs option 'awslogs-group' should not be null or empty.",
        ),
        (
            json!({"max-file": "3"}),
            "Log driver awslogs disallows options: max-file",
        ),
        (json!({"awslogs-create-group": "false"}), "else omit option."),
        (json!({"awslogs-datetime-format": "%Q"}), "%Q is not one"),
        (json!({"awslogs-multiline-pattern": "("}), "unclosed group"),
    ];
    let client = client.map(|(over, words)| (logs(over), json!({}), words));
    containers_refused(CLIENT, &client).await;
    let format = "logConfiguration.options.awslogs-format is not";
    containers_refused(
        INVALID,
        &[(logs(json!({"awslogs-format": "json"})), json!({}), format)],
    )
    .await;
}

#[tokio::test]
async fn fargate_asks_for_a_role_and_a_prefix() {
    let no_role = fargate(json!({"executionRoleArn": null}));
    let no_prefix = logs(json!({"awslogs-stream-prefix": null}));
    let words = "Fargate requires task definition to have execution role ARN to support log driver awslogs.";
    let prefix = "Log driver awslogs requires options: awslogs-stream-prefix";
    let cases = [
        (logs(json!({})), no_role, words),
        (no_prefix.clone(), fargate(json!({})), prefix),
    ];
    containers_refused(CLIENT, &cases).await;
    let ecs = Arc::new(ecs());
    for (container, possible) in [(logs(json!({})), true), (no_prefix, false)] {
        let task = fargate(json!({"requiresCompatibilities": null}));
        let shown = register(&ecs, request(container, task))
            .await
            .expect("is accepted");
        let launch_types = shown["compatibilities"].as_array().expect("launch types");
        assert_eq!(launch_types.contains(&json!("FARGATE")), possible);
        let asked = shown["requiresAttributes"].as_array().expect("attributes");
        for name in [
            "com.amazonaws.ecs.capability.logging-driver.awslogs",
            "ecs.capability.execution-role-awslogs",
        ] {
            assert!(asked.contains(&json!({"name": name})), "{asked:?}");
        }
    }
}
