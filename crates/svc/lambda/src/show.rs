//! Functions as clients see them.

use roadstead_api_lambda::{
    Architecture, DeadLetterConfig, EnvironmentResponse, EphemeralStorage, FunctionConfiguration,
    ImageConfig, ImageConfigResponse, LastUpdateStatus, Layer, LogFormat, LoggingConfig, PackageType,
    Runtime, SnapStartApplyOn, SnapStartOptimizationStatus, SnapStartResponse, State, TracingConfigResponse,
    TracingMode,
};
use roadstead_base::{Partition, Timestamp};

use crate::names;
use crate::records::{ImageSettings, Settings, VersionRecord};

/// `2026-01-31T10:20:30.123+0000`
pub(crate) fn time(at: Timestamp) -> String {
    at.to_rfc3339().replace('Z', "+0000")
}

fn image_config(settings: &ImageSettings) -> ImageConfigResponse {
    let ImageSettings {
        entry_point,
        command,
        working_directory,
    } = settings;
    let words = |words: &Vec<String>| Some(words.clone()).filter(|words| !words.is_empty());
    ImageConfigResponse {
        error: None,
        image_config: Some(ImageConfig {
            command: words(command),
            entry_point: words(entry_point),
            working_directory: working_directory.clone(),
        }),
    }
}

/// As listings show it: without what only GetFunction and GetFunctionConfiguration say, as documented for ListFunctions.
pub(crate) fn listed(
    partition: &Partition,
    name: &str,
    record: &VersionRecord,
    qualifier: Option<&str>,
) -> FunctionConfiguration {
    FunctionConfiguration {
        last_update_status: None,
        state: None,
        state_reason: None,
        ..configuration(partition, name, record, qualifier)
    }
}

/// A version; its ARN has the qualifier by which it was asked for.
pub(crate) fn configuration(
    partition: &Partition,
    name: &str,
    record: &VersionRecord,
    qualifier: Option<&str>,
) -> FunctionConfiguration {
    let VersionRecord {
        number: _,
        description,
        latest_description: _,
        role,
        code,
        settings,
        modified_at,
        revision,
        shifted,
    } = record;
    let Settings {
        runtime,
        handler,
        image,
        timeout_seconds,
        memory_mb,
        tmp_mb,
        environment,
        arm64,
        log_group: _,
        dead_letters,
        layers,
    } = settings;
    let whole = |number: u32| i32::try_from(number).ok();
    FunctionConfiguration {
        architectures: Some(vec![if *arm64 {
            Architecture::Arm64
        } else {
            Architecture::X8664
        }]),
        code_sha256: Some(code.shown_sha256()),
        code_size: i64::try_from(code.size()).ok(),
        dead_letter_config: dead_letters.as_ref().map(|target| DeadLetterConfig {
            target_arn: Some(target.clone()),
        }),
        description: Some(description.clone()),
        environment: environment.as_ref().map(|variables| EnvironmentResponse {
            error: None,
            variables: Some(variables.clone()),
        }),
        ephemeral_storage: whole(*tmp_mb).map(|size| EphemeralStorage { size }),
        function_arn: Some(names::arn(partition, name, qualifier)),
        function_name: Some(name.to_owned()),
        handler: handler.clone(),
        image_config_response: (!image.is_empty()).then(|| image_config(image)),
        last_modified: Some(time(*modified_at)),
        last_update_status: Some(LastUpdateStatus::Successful),
        layers: (!layers.is_empty()).then(|| {
            let show = |layer: &crate::records::LayerUse| Layer {
                arn: Some(layer.arn.clone()),
                code_size: i64::try_from(layer.archive.size).ok(),
                ..Layer::default()
            };
            layers.iter().map(show).collect()
        }),
        logging_config: Some(LoggingConfig {
            log_format: Some(LogFormat::Text),
            log_group: Some(settings.log_group(name)),
            ..LoggingConfig::default()
        }),
        memory_size: whole(*memory_mb),
        package_type: Some(match code.is_image() {
            true => PackageType::Image,
            false => PackageType::Zip,
        }),
        revision_id: Some(revision.clone()),
        role: Some(role.clone()),
        runtime: runtime.as_deref().and_then(Runtime::parse),
        snap_start: Some(SnapStartResponse {
            apply_on: Some(SnapStartApplyOn::None),
            optimization_status: Some(SnapStartOptimizationStatus::Off),
        }),
        state: Some(State::Active),
        // The one place where an answer can say so.
        state_reason: shifted.as_ref().map(|runs| {
            let runtime = runtime.as_deref().unwrap_or_default();
            format!("The runtime {runtime} is run by {runs} here.")
        }),
        timeout: whole(*timeout_seconds),
        tracing_config: Some(TracingConfigResponse {
            mode: Some(TracingMode::PassThrough),
        }),
        version: Some(record.version()),
        ..FunctionConfiguration::default()
    }
}
