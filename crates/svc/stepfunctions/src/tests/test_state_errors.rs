//! Where mocked errors come from.

use roadstead_testing::refused;
use serde_json::json;

use super::{Bench, FUNCTION};

#[tokio::test]
async fn a_mocked_error_of_a_parallel_or_a_map_comes_from_a_state_in_it() {
    let bench = Bench::new().await;
    let flow = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "W"},
        "W": {"Type": "Task", "Resource": FUNCTION, "End": true}}});
    let mut parallel = json!({"Type": "Parallel", "Branches": [flow], "End": true});
    let inner = json!({"StartAt": "P", "States": {"P": parallel}});
    let mut map = json!({"Type": "Map", "ItemProcessor": inner, "End": true});
    for state in [&mut parallel, &mut map] {
        state["Catch"] = json!([{"ErrorEquals": ["States.TaskFailed"], "Next": "C"}]);
    }
    let mock = |error: &str| json!({"errorOutput": {"error": error, "cause": "why"}});
    let from = |name: &str| json!({"input": "[1]", "stateConfiguration": {"errorCausedByState": name}});
    for state in [&parallel, &map] {
        for (error, name) in [("Odd", "W"), ("Odd", "I"), ("States.TaskFailed", "W")] {
            let answer = bench
                .mocked(state, mock(error), from(name))
                .await
                .expect("an answer");
            assert_eq!(
                (&answer["status"], &answer["error"], &answer["nextState"]),
                (&json!("CAUGHT_ERROR"), &json!(error), &json!("C"))
            );
        }
        for (mock, name, words) in [
            (mock("Odd"), "X", "'X' of errorCausedByState is not within"),
            (
                mock("States.TaskFailed"),
                "I",
                "of type 'Pass' and cannot fail with States.TaskFailed",
            ),
            (json!({"result": "[1]"}), "W", "with a mocked error"),
        ] {
            refused(
                bench.mocked(state, mock, from(name)).await,
                "ValidationException",
                words,
            );
        }
    }
}
