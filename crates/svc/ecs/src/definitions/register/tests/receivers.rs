//! The log drivers `syslog`, `fluentd` and `gelf`: which options, and where they are possible.

use super::*;

fn logs(driver: &str, options: Json) -> Json {
    json!({"logConfiguration": {"logDriver": driver, "options": options}})
}

/// One of each driver's, all options that can stand together.
fn all() -> [Json; 3] {
    [
        logs(
            "syslog",
            json!({
                "syslog-address": "tcp://10.0.0.9:1514", "syslog-facility": "local0", "syslog-format": "rfc5424micro",
                "tag": "{{.ImageName}}/{{.Name}}", "mode": "blocking",
            }),
        ),
        logs(
            "fluentd",
            json!({
                "fluentd-address": "unix:///run/fluent.sock", "fluentd-async": "true", "fluentd-buffer-limit": "4096",
                "fluentd-async-reconnect-interval": "1000", "fluentd-retry-wait": "2s", "fluentd-max-retries": "5",
                "fluentd-sub-second-precision": "true", "fluentd-request-ack": "true", "fluentd-write-timeout": "5s",
                "labels": "team", "env-regex": "^APP_", "max-buffer-size": "5m",
            }),
        ),
        logs(
            "gelf",
            json!({
                "gelf-address": "udp://graylog:12201", "gelf-compression-type": "zlib", "gelf-compression-level": "3",
                "labels-regex": "^com", "env": "A,B", "tag": "web",
            }),
        ),
    ]
}

#[tokio::test]
async fn lines_go_to_receivers_by_options_that_are_checked() {
    for shown in all() {
        container_shows(shown.clone(), json!({}), shown).await;
    }
    let plain = json!({"logConfiguration": {"logDriver": "syslog"}});
    container_shows(plain.clone(), json!({}), plain).await;
    let client = [
        (
            logs("syslog", json!({"awslogs-group": "/g"})),
            "unknown log opt 'awslogs-group' for syslog log driver",
        ),
        (
            logs("syslog", json!({"syslog-facility": "none"})),
            "invalid syslog facility",
        ),
        (
            logs("fluentd", json!({"fluentd-buffer-limit": "1"})),
            "only supported with 'fluentd-async'",
        ),
        (
            logs("gelf", json!({})),
            "Log driver gelf requires options: gelf-address",
        ),
        (
            logs(
                "gelf",
                json!({"gelf-address": "udp://h:1", "max-buffer-size": "x"}),
            ),
            "option 'max-buffer-size' cannot be \"x\"",
        ),
    ];
    containers_refused(CLIENT, &client.map(|(logs, words)| (logs, json!({}), words))).await;
    let unsupported = [
        (
            logs("syslog", json!({"syslog-address": "tcp+tls://h:6514"})),
            "options.syslog-address = tcp+tls is not",
        ),
        (
            logs("syslog", json!({"syslog-tls-key": "/k"})),
            "options.syslog-tls-key is not",
        ),
        (
            logs("fluentd", json!({"fluentd-address": "tls://h:1"})),
            "options.fluentd-address = tls is not",
        ),
    ];
    containers_refused(
        INVALID,
        &unsupported.map(|(logs, words)| (logs, json!({}), words)),
    )
    .await;
}

#[tokio::test]
async fn receivers_are_for_tasks_on_instances_that_say_so() {
    let fargate = json!({"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"});
    let words = "Fargate only supports the log drivers awslogs, splunk and awsfirelens.";
    let ecs = Arc::new(ecs());
    for logs in all() {
        containers_refused(CLIENT, &[(logs.clone(), fargate.clone(), words)]).await;
        let driver = logs["logConfiguration"]["logDriver"]
            .as_str()
            .expect("a name")
            .to_owned();
        let shown = register(&ecs, request(logs, json!({})))
            .await
            .expect("is accepted");
        let launch_types = shown["compatibilities"].as_array().expect("launch types");
        assert!(!launch_types.contains(&json!("FARGATE")) && launch_types.contains(&json!("EC2")));
        let asked = shown["requiresAttributes"].as_array().expect("attributes");
        let name = format!("com.amazonaws.ecs.capability.logging-driver.{driver}");
        assert!(asked.contains(&json!({"name": name})), "{asked:?}");
    }
}
