//! A target as the API shows it: as it was given.

use roadstead_api_events::{DeadLetterConfig, InputTransformer, RetryPolicy, SqsParameters, Target};

use crate::error::Result;
use crate::records::{InputRecord, RetryRecord, TargetRecord};
use crate::targets::accept::ecs_parameters;

pub(crate) fn show(target: TargetRecord) -> Result<Target> {
    let TargetRecord {
        id,
        arn,
        role_arn,
        input,
        retry,
        ecs,
        message_group,
        dead_letters,
    } = target;
    let mut shown = Target {
        id,
        arn,
        role_arn,
        sqs_parameters: message_group.map(|group| SqsParameters {
            message_group_id: Some(group),
        }),
        dead_letter_config: dead_letters.map(|arn| DeadLetterConfig { arn: Some(arn) }),
        ecs_parameters: ecs.as_ref().map(ecs_parameters).transpose()?,
        retry_policy: retry.map(|policy| {
            let RetryRecord {
                max_age_seconds,
                max_attempts,
            } = policy;
            RetryPolicy {
                maximum_event_age_in_seconds: max_age_seconds,
                maximum_retry_attempts: max_attempts,
            }
        }),
        ..Default::default()
    };
    match input {
        InputRecord::Event => {}
        InputRecord::Constant(text) => shown.input = Some(text),
        InputRecord::Path(path) => shown.input_path = Some(path),
        InputRecord::Transformed { paths, template } => {
            shown.input_transformer = Some(InputTransformer {
                input_template: template,
                input_paths_map: Some(paths).filter(|paths| !paths.is_empty()),
            });
        }
    }
    Ok(shown)
}
