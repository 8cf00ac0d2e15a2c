//! What is said of definitions, and how long they are kept.

use serde_json::{Value as Json, json};

use super::{Bench, ROLE, pass};
use crate::remove::KEPT_MILLIS;
use crate::{records, remove};
use roadstead_testing::{ctx, refused, until};

/// A machine that is told from others by its wait.
fn numbered(number: u64) -> Json {
    json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": number, "End": true}}})
}

impl Bench {
    async fn update(&self, arn: &str, definition: &Json) {
        let update = json!({"stateMachineArn": arn, "definition": definition.to_string()});
        self.call("UpdateStateMachine", update).await.expect("updated");
    }

    /// The definitions that are kept of the machine `M`.
    async fn kept(&self) -> Vec<Json> {
        let table = records::definitions(&self.store);
        let (found, _) = table
            .all(&table.key(&ctx().partition(), "M"))
            .await
            .expect("read");
        let mut kept: Vec<Json> = found
            .iter()
            .map(|entry| serde_json::from_str(&entry.value.text).expect("JSON"))
            .collect();
        kept.sort_by_key(|one| one["States"]["W"]["Seconds"].as_u64());
        kept
    }

    async fn clear(&self) {
        let partition = ctx().partition();
        let key = self.states.machine_key(&partition, "M");
        remove::machine(&self.states, &partition, &key)
            .await
            .expect("looked at");
    }
}

#[tokio::test]
async fn replaced_definitions_go_once_nobody_names_them() {
    let bench = Bench::started().await;
    let arn = bench.create("M", &numbered(0)).await.expect("made");
    let execution = bench.execute(&arn, "x", json!({})).await;
    bench.ended(&execution).await;
    bench.update(&arn, &numbered(1)).await;
    let published = bench
        .call("PublishStateMachineVersion", json!({"stateMachineArn": arn}))
        .await
        .expect("published");
    for number in 2..10 {
        bench.update(&arn, &numbered(number)).await;
    }
    bench.clear().await;
    assert_eq!(
        bench.kept().await.len(),
        10,
        "a call may have read the machine just before"
    );
    bench.clock.advance(60_000);
    bench.clear().await;
    // That of the execution, that of the version, and the machine's own.
    assert_eq!(bench.kept().await, [numbered(0), numbered(1), numbered(9)]);
    let shown = bench
        .call(
            "DescribeStateMachineForExecution",
            json!({"executionArn": execution}),
        )
        .await
        .expect("shown");
    assert_eq!(shown["definition"], numbered(0).to_string());
    let version = published["stateMachineVersionArn"].clone();
    let shown = bench
        .call("DescribeStateMachine", json!({"stateMachineArn": version}))
        .await
        .expect("shown");
    assert_eq!(shown["definition"], numbered(1).to_string());
    bench
        .call(
            "DeleteStateMachineVersion",
            json!({"stateMachineVersionArn": version}),
        )
        .await
        .expect("deleted");
    bench.clear().await;
    assert_eq!(bench.kept().await, [numbered(0), numbered(9)]);
    // The execution goes after its time, and with it what it named: in the background, after a restart.
    let mut bench = bench.restarted(KEPT_MILLIS).await;
    bench.start();
    let machines = bench.states.machines.snapshot();
    until("the definition is gone", || {
        machines
            .iter()
            .all(|machine| !bench.states.work.is_uncleared(machine))
            && bench.states.executions.snapshot().iter().next().is_none()
    })
    .await;
    bench.clear().await;
    assert_eq!(bench.kept().await, [numbered(9)]);
    bench.stop().await;
}

#[tokio::test]
async fn a_definition_that_comes_back_is_kept() {
    let bench = Bench::new().await;
    let arn = bench.create("M", &numbered(0)).await.expect("made");
    for number in [1, 0, 1, 0] {
        bench.update(&arn, &numbered(number)).await;
    }
    bench.clock.advance(60_000);
    bench.clear().await;
    assert_eq!(bench.kept().await, [numbered(0)]);
    let shown = bench
        .call("DescribeStateMachine", json!({"stateMachineArn": arn}))
        .await
        .expect("shown");
    assert_eq!(shown["definition"], numbered(0).to_string());
    let execution = bench.execute(&arn, "x", json!({})).await;
    bench.update(&arn, &numbered(2)).await;
    bench.clock.advance(60_000);
    bench.clear().await;
    assert_eq!(bench.kept().await, [numbered(0), numbered(2)], "it runs");
    assert_eq!(bench.describe(&execution).await["status"], "RUNNING");
}

#[tokio::test]
async fn states_and_the_variables_that_they_read_are_shown() {
    let bench = Bench::new().await;
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1, "y": "{% $states.input.y %}"}, "Next": "B"},
        "B": {"Type": "Pass", "Output": "{% $sum([$x, $y]) %}", "Next": "C"},
        "C": {"Type": "Map", "Items": [1], "End": true, "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "Output": "{% $x %}", "End": true}}}}}});
    let arn = bench.create("M", &definition).await.expect("made");
    let execution = bench.execute(&arn, "x", json!({})).await;
    let expected = json!({"B": ["x", "y"], "I": ["x"]});
    for (operation, mut input) in [
        ("DescribeStateMachine", json!({"stateMachineArn": arn})),
        (
            "DescribeStateMachineForExecution",
            json!({"executionArn": execution}),
        ),
    ] {
        let shown = bench.call(operation, input.clone()).await.expect("shown");
        assert_eq!(shown["variableReferences"], expected, "{operation}");
        input["includedData"] = json!("METADATA_ONLY");
        let shown = bench.call(operation, input).await.expect("shown");
        assert_eq!(shown["variableReferences"], Json::Null, "{operation}");
    }
    let plain = bench.create("N", &pass()).await.expect("made");
    let shown = bench
        .call("DescribeStateMachine", json!({"stateMachineArn": plain}))
        .await
        .expect("shown");
    assert_eq!(shown["variableReferences"], Json::Null);
}

#[tokio::test]
async fn a_definition_has_a_mebibyte_at_most() {
    let bench = Bench::new().await;
    let most = 1024 * 1024;
    // Filled up to so many bytes.
    let of = |bytes: usize, with: &str| {
        let mut definition = pass();
        definition["Comment"] = json!("");
        let rest = bytes - definition.to_string().len();
        definition["Comment"] = json!(with.repeat(rest / with.len()) + &"x".repeat(rest % with.len()));
        definition.to_string()
    };
    let quotes = format!(
        "{}{}",
        pass(),
        "\n ".repeat((most - pass().to_string().len()) / 2)
    );
    for (name, definition) in [("M", of(most, "x")), ("N", of(most, "ü")), ("O", quotes)] {
        let input = json!({"name": name, "definition": definition, "roleArn": ROLE, "publish": true});
        let made = bench.call("CreateStateMachine", input).await.expect("made");
        let arn = &made["stateMachineArn"];
        let update = json!({"stateMachineArn": arn, "definition": numbered(1).to_string()});
        bench.call("UpdateStateMachine", update).await.expect("updated");
        let update = json!({"stateMachineArn": arn, "definition": definition, "publish": true});
        bench.call("UpdateStateMachine", update).await.expect("updated");
        let shown = bench
            .call("DescribeStateMachine", json!({"stateMachineArn": arn}))
            .await
            .expect("shown");
        assert_eq!(shown["definition"], definition, "{name}");
    }
    let large = of(most + 2, "ü");
    assert!(large.chars().count() < most);
    for (operation, input) in [
        (
            "CreateStateMachine",
            json!({"name": "L", "definition": large, "roleArn": ROLE}),
        ),
        (
            "UpdateStateMachine",
            json!({"stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:M", "definition": large}),
        ),
        ("ValidateStateMachineDefinition", json!({"definition": large})),
    ] {
        refused(
            bench.call(operation, input).await,
            "ValidationException",
            "The definition has 1048578 bytes; a request has at most 1048576",
        );
    }
}
