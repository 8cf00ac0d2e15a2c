//! TestMetricFilter: which of some lines a pattern matches, and the fields it takes.

use roadstead_api_logs::{MetricFilterMatchRecord, TestMetricFilterRequest, TestMetricFilterResponse};
use roadstead_log_patterns::Pattern;

use crate::error::{Error, Result};

pub(crate) fn test_metric_filter(input: TestMetricFilterRequest) -> Result<TestMetricFilterResponse> {
    let TestMetricFilterRequest {
        filter_pattern,
        log_event_messages,
    } = input;
    let pattern: Pattern = filter_pattern
        .parse()
        .map_err(|fault| Error::invalid(format!("Invalid metric filter pattern: {fault}")))?;
    let matched = log_event_messages
        .into_iter()
        .zip(1..)
        .filter_map(|(line, number)| {
            let extracted = pattern.find(&line)?.fields();
            Some(MetricFilterMatchRecord {
                event_number: Some(number),
                extracted_values: Some(extracted.into_iter().collect()),
                event_message: Some(line),
            })
        });
    Ok(TestMetricFilterResponse {
        matches: Some(matched.collect()),
    })
}
