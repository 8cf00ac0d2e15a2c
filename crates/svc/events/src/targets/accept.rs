//! From a target as a client gives it to one that is kept. What cannot be delivered here is refused by name, and what
//! could never be made into an input, too.

use roadstead_api_events::{
    DeadLetterConfig, EcsParameters, InputTransformer, MODEL, RetryPolicy, SqsParameters, Target,
};
use roadstead_base::{Arn, Ctx};
use roadstead_protocol::{ShapeId, Wire as _, json};
use serde_json::Value as Json;

use crate::deliver::kinds::{Given, Kind};
use crate::error::{Error, Result, refuse};
use crate::input::{Path, Template};
use crate::records::{InputRecord, RetryRecord, TargetRecord};
use crate::targets::check_role;

/// As many paths as an input transformer can have.
const MAX_PATHS: usize = 100;

/// Checks a target. `rule_role` is what it may go without one of its own for.
pub(crate) fn accept(ctx: &Ctx, target: Target, rule_role: Option<&str>) -> Result<TargetRecord> {
    let Target {
        arn,
        id,
        app_sync_parameters,
        batch_parameters,
        dead_letter_config,
        ecs_parameters,
        http_parameters,
        input,
        input_path,
        input_transformer,
        kinesis_parameters,
        redshift_data_parameters,
        retry_policy,
        role_arn,
        run_command_parameters,
        sage_maker_pipeline_parameters,
        sqs_parameters,
    } = target;
    refuse("AppSyncParameters", app_sync_parameters.as_ref())?;
    refuse("BatchParameters", batch_parameters.as_ref())?;
    refuse("HttpParameters", http_parameters.as_ref())?;
    refuse("KinesisParameters", kinesis_parameters.as_ref())?;
    refuse("RedshiftDataParameters", redshift_data_parameters.as_ref())?;
    refuse("RunCommandParameters", run_command_parameters.as_ref())?;
    refuse(
        "SageMakerPipelineParameters",
        sage_maker_pipeline_parameters.as_ref(),
    )?;
    if let Some(role) = &role_arn {
        check_role("RoleArn", role)?;
    }
    let given = Given {
        id: &id,
        ecs: ecs_parameters.as_ref(),
        sqs: sqs_parameters.as_ref(),
    };
    let kind = Kind::accept(ctx, &arn, &given)?;
    if kind.needs_role && role_arn.is_none() && rule_role.is_none() {
        return Err(Error::invalid(format!("RoleArn is required for target {arn}.")));
    }
    Ok(TargetRecord {
        id,
        arn,
        role_arn,
        input: input_of(input, input_path, input_transformer)?,
        retry: retry_policy.map(|policy| {
            let RetryPolicy {
                maximum_event_age_in_seconds,
                maximum_retry_attempts,
            } = policy;
            RetryRecord {
                max_age_seconds: maximum_event_age_in_seconds,
                max_attempts: maximum_retry_attempts,
            }
        }),
        ecs: ecs_parameters.map(ecs_json),
        message_group: sqs_parameters.and_then(|SqsParameters { message_group_id }| message_group_id),
        dead_letters: dead_letter_config
            .map(|config| dead_letters(ctx, config))
            .transpose()?
            .flatten(),
    })
}

/// A standard queue of the same account and region.
fn dead_letters(ctx: &Ctx, config: DeadLetterConfig) -> Result<Option<String>> {
    let DeadLetterConfig { arn } = config;
    let Some(arn) = arn else { return Ok(None) };
    let invalid = |reason: &str| {
        Error::invalid(format!(
            "Parameter DeadLetterConfig is not valid. Reason: {reason}"
        ))
    };
    let parsed: Arn = arn
        .parse()
        .map_err(|_| invalid("Provided Arn is not in correct format."))?;
    if parsed.service != "sqs" {
        return Err(invalid("it is no queue."));
    }
    if parsed.region != ctx.region.as_str() || parsed.account != ctx.account.as_str() {
        return Err(Error::unsupported(format!(
            "DeadLetterConfig {arn} of another account or region"
        )));
    }
    if arn.ends_with(".fifo") {
        return Err(invalid("a dead-letter queue is no FIFO queue."));
    }
    Ok(Some(arn))
}

fn input_of(
    input: Option<String>,
    path: Option<String>,
    transformer: Option<InputTransformer>,
) -> Result<InputRecord> {
    match (input, path, transformer) {
        (None, None, None) => Ok(InputRecord::Event),
        (Some(text), None, None) => {
            serde_json::from_str::<Json>(&text).map_err(|error| {
                Error::invalid(format!(
                    "Parameter Input is not valid. Reason: JSON syntax error in input: {error}"
                ))
            })?;
            Ok(InputRecord::Constant(text))
        }
        (None, Some(path), None) => {
            Path::parse(&path)
                .map_err(|why| Error::invalid(format!("Parameter InputPath is not valid. Reason: {why}")))?;
            Ok(InputRecord::Path(path))
        }
        (None, None, Some(transformer)) => transformed(transformer),
        _ => Err(Error::invalid(
            "Only one of Input, InputPath, or InputTransformer must be provided.",
        )),
    }
}

fn transformed(transformer: InputTransformer) -> Result<InputRecord> {
    let InputTransformer {
        input_template,
        input_paths_map,
    } = transformer;
    let paths = input_paths_map.unwrap_or_default();
    let invalid =
        |why: String| Error::invalid(format!("Parameter InputTransformer is not valid. Reason: {why}"));
    if paths.len() > MAX_PATHS {
        return Err(invalid(format!("InputPathsMap has more than {MAX_PATHS} paths.")));
    }
    if let Some(name) = paths.keys().find(|name| name.starts_with("AWS")) {
        return Err(invalid(format!(
            "{name} in InputPathsMap begins with AWS, which is reserved."
        )));
    }
    for path in paths.values() {
        Path::parse(path).map_err(invalid)?;
    }
    let template = Template::parse(&input_template).map_err(invalid)?;
    if let Some(unknown) = template.unknown(&|name| paths.contains_key(name)) {
        return Err(invalid(format!("InputPathsMap has no path named {unknown}.")));
    }
    Ok(InputRecord::Transformed {
        paths,
        template: input_template,
    })
}

fn ecs_json(parameters: EcsParameters) -> Json {
    json::to_json(&MODEL, ecs_shape(), parameters.into_value())
}

/// The parameters as they were given.
pub(crate) fn ecs_parameters(kept: &Json) -> Result<EcsParameters> {
    let unreadable = || Error::invalid("the parameters that were kept for the target cannot be read");
    let value = json::from_json(&MODEL, ecs_shape(), kept.clone(), "").map_err(|_| unreadable())?;
    EcsParameters::from_value(value).map_err(|_| unreadable())
}

fn ecs_shape() -> ShapeId {
    let at = MODEL
        .shapes
        .iter()
        .position(|shape| shape.name == "EcsParameters");
    at.and_then(|at| ShapeId::try_from(at).ok()).unwrap_or_default()
}
