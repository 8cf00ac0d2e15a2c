//! What cannot be an alarm is refused, with what is wrong and where.

use serde_json::{Value as Json, json};

use super::alarms::alarm;
use crate::harness::Bench;

fn with(base: &Json, more: &Json) -> Json {
    let mut whole = base.clone();
    for (name, value) in more.as_object().expect("members") {
        if value.is_null() {
            whole.as_object_mut().expect("members").remove(name);
        } else {
            whole[name] = value.clone();
        }
    }
    whole
}

#[tokio::test]
async fn put_metric_alarm_refuses_what_cannot_be() {
    let bench = Bench::new().await;
    bench
        .call(
            "PutCompositeAlarm",
            json!({"AlarmName": "composite", "AlarmRule": "TRUE"}),
        )
        .await
        .expect("a composite alarm");
    let base = json!({"AlarmName": "a", "Namespace": "App", "MetricName": "m", "Statistic": "Sum", "Period": 10,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"});
    let topic = |name: &str| format!("arn:aws:sns:us-east-1:000000000000:{name}");
    let stat = json!({"Stat": "Sum", "Period": 60, "Metric": {"Namespace": "App", "MetricName": "m"}});
    let bare = json!({"MetricName": null, "Namespace": null, "Statistic": null, "Period": null});
    let queries = |queries: Json| with(&bare, &json!({"Metrics": queries}));
    // A metric, and an expression on it, with more members.
    let math = |expression: &str, more: Json| {
        let expression = with(&json!({"Id": "e", "Expression": expression}), &more);
        queries(json!([{"Id": "m1", "ReturnData": false, "MetricStat": stat}, expression]))
    };
    let many: Vec<Json> = (0..11)
        .map(|index| json!({"Id": format!("m{index}"), "ReturnData": index == 0, "MetricStat": stat}))
        .collect();
    for (more, code, words) in [
        (
            json!({"MetricName": null}),
            "ValidationError",
            "MetricName and Metrics",
        ),
        (json!({"Namespace": null}), "ValidationError", "Namespace"),
        (json!({"Period": null}), "ValidationError", "Period"),
        (
            json!({"Period": 15}),
            "ValidationError",
            "The value 15 for parameter Period",
        ),
        (
            json!({"Period": 1}),
            "ValidationError",
            "The value 1 for parameter Period",
        ),
        (
            json!({"Statistic": null}),
            "ValidationError",
            "Statistic and ExtendedStatistic",
        ),
        (
            json!({"ExtendedStatistic": "p90"}),
            "ValidationError",
            "Statistic and ExtendedStatistic",
        ),
        (
            json!({"Statistic": null, "ExtendedStatistic": "p500"}),
            "ValidationError",
            "position 1",
        ),
        (
            json!({"EvaluationPeriods": null}),
            "ValidationError",
            "EvaluationPeriods",
        ),
        (json!({"EvaluationPeriods": 8641}), "ValidationError", "a day"),
        (
            json!({"EvaluationPeriods": 169, "Period": 3600}),
            "ValidationError",
            "seven days",
        ),
        (
            json!({"DatapointsToAlarm": 2}),
            "ValidationError",
            "DatapointsToAlarm 2",
        ),
        (json!({"Threshold": null}), "ValidationError", "Threshold"),
        (json!({"Threshold": "NaN"}), "ValidationError", "Threshold"),
        (
            json!({"ComparisonOperator": null}),
            "ValidationError",
            "ComparisonOperator",
        ),
        (
            json!({"ComparisonOperator": "LessThanLowerThreshold"}),
            "InvalidParameterValue",
            "anomaly detection",
        ),
        (
            json!({"ThresholdMetricId": "x"}),
            "InvalidParameterValue",
            "ThresholdMetricId",
        ),
        (
            json!({"EvaluationInterval": 60}),
            "InvalidParameterValue",
            "EvaluationInterval",
        ),
        (
            json!({"EvaluationCriteria": {"PromQLCriteria": {"Query": "up"}}}),
            "InvalidParameterValue",
            "EvaluationCriteria",
        ),
        (
            json!({"TreatMissingData": "never"}),
            "ValidationError",
            "TreatMissingData",
        ),
        (
            json!({"EvaluateLowSampleCountPercentile": "ignore"}),
            "ValidationError",
            "percentile",
        ),
        (
            json!({"Statistic": null, "ExtendedStatistic": "p9", "EvaluateLowSampleCountPercentile": "x"}),
            "ValidationError",
            "Invalid option x",
        ),
        (json!({"AlarmName": "a\u{7}b"}), "ValidationError", "position 1"),
        (
            json!({"AlarmName": "composite"}),
            "ValidationError",
            "is a CompositeAlarm",
        ),
        (
            json!({"Dimensions": [{"Name": "k", "Value": "1"}, {"Name": "k", "Value": "2"}]}),
            "InvalidParameterValue",
            "twice",
        ),
        (
            json!({"Tags": [{"Key": "aws:k", "Value": ""}]}),
            "InvalidParameterValue",
            "Tags.member.1",
        ),
        (
            json!({"OKActions": [topic("t"), "x"]}),
            "ValidationError",
            "OKActions.member.2",
        ),
        (
            json!({"AlarmActions": ["arn:aws:sns:us-east-1:x:t"]}),
            "ValidationError",
            "is no ARN",
        ),
        (
            json!({"AlarmActions": ["arn:aws:s3:us-east-1:000000000000:t"]}),
            "ValidationError",
            "no action",
        ),
        (
            json!({"AlarmActions": ["arn:aws:sns:eu-west-1:000000000000:t"]}),
            "ValidationError",
            "Invalid region",
        ),
        (
            json!({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}),
            "ValidationError",
            "InstanceId",
        ),
        (
            json!({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:recover"]}),
            "InvalidParameterValue",
            "ec2:recover",
        ),
        (
            json!({"AlarmActions": ["arn:aws:ssm:us-east-1:000000000000:opsitem:5"]}),
            "ValidationError",
            "severity",
        ),
        (
            json!({"Metrics": [{"Id": "a", "MetricStat": stat}]}),
            "ValidationError",
            "together with Metrics",
        ),
        (queries(json!([])), "ValidationError", "Exactly one element"),
        (
            queries(json!([{"Id": "a", "ReturnData": false, "MetricStat": stat}])),
            "ValidationError",
            "and 0 do",
        ),
        (
            queries(json!([{"Id": "A", "MetricStat": stat}])),
            "InvalidParameterValue",
            "The value A for parameter Id",
        ),
        (
            queries(json!([{"Id": "a"}])),
            "MissingParameter",
            "The query a needs",
        ),
        (
            queries(json!([{"Id": "a", "Period": 60, "MetricStat": stat}])),
            "InvalidParameterCombination",
            "The query a has a Period",
        ),
        (
            queries(json!([{"Id": "a", "MetricStat": stat}, {"Id": "b", "MetricStat": stat}])),
            "ValidationError",
            "and 2 do",
        ),
        (
            math("m1 +", json!({})),
            "ValidationError",
            "Error in expression 'e'",
        ),
        (
            math("x * m1", json!({})),
            "ValidationError",
            "Error in expression 'e'",
        ),
        (math("5", json!({"Period": 60})), "ValidationError", "'e'"),
        (
            math("METRICS()", json!({})),
            "ValidationError",
            "several time series",
        ),
        (
            math("SEARCH('{App} m', 'Sum', 60)", json!({})),
            "ValidationError",
            "Metrics.member.2.Expression",
        ),
        (
            math("m1 * 2", json!({"Period": 120})),
            "ValidationError",
            "all have the same",
        ),
        (
            math("m1 * 2", json!({"Period": 7})),
            "InvalidParameterValue",
            "Period 7",
        ),
        (queries(json!(many)), "ValidationError", "at most 10"),
        (
            queries(json!([{"Id": "a", "AccountId": "1", "MetricStat": stat}])),
            "InvalidParameterValue",
            "AccountId",
        ),
    ] {
        Bench::refused(
            bench.call("PutMetricAlarm", with(&base, &more)).await,
            code,
            words,
        );
    }
    let found = bench.call("DescribeAlarms", json!({})).await.expect("alarms");
    assert_eq!(found["MetricAlarms"], json!([]), "nothing of it was taken");
}

#[tokio::test]
async fn put_composite_alarm_refuses_what_cannot_be() {
    let bench = Bench::new().await;
    alarm(&bench, "m", json!({})).await;
    let base = json!({"AlarmName": "c", "AlarmRule": "ALARM(m)"});
    for (more, words) in [
        (json!({"AlarmRule": "ALARM(m) XOR OK(m)"}), "position 9"),
        (
            json!({"AlarmRule": "ALARM(none)"}),
            "AlarmRule names the alarm none",
        ),
        (
            json!({"AlarmRule": "ALARM(\"arn:aws:cloudwatch:us-east-1:111111111111:alarm:m\")"}),
            "does not exist in this account",
        ),
        (json!({"AlarmName": "m"}), "is a MetricAlarm"),
        (
            json!({"ActionsSuppressor": "m"}),
            "ActionsSuppressorWaitPeriod is required",
        ),
        (
            json!({"ActionsSuppressor": "m", "ActionsSuppressorWaitPeriod": 1}),
            "ActionsSuppressorExtensionPeriod is required",
        ),
        (
            json!({"ActionsSuppressorWaitPeriod": 1}),
            "goes with an ActionsSuppressor",
        ),
        (
            json!({"ActionsSuppressor": "m", "ActionsSuppressorWaitPeriod": -1, "ActionsSuppressorExtensionPeriod": 1}),
            "negative",
        ),
        (
            json!({"ActionsSuppressor": "x", "ActionsSuppressorWaitPeriod": 1, "ActionsSuppressorExtensionPeriod": 1}),
            "ActionsSuppressor names the alarm x",
        ),
        (
            json!({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}),
            "no action of composite alarms",
        ),
    ] {
        Bench::refused(
            bench.call("PutCompositeAlarm", with(&base, &more)).await,
            "ValidationError",
            words,
        );
    }
}
