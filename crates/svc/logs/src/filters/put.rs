//! PutMetricFilter: makes a filter, or replaces the one of that name.

use roadstead_api_logs::{MetricTransformation, PutMetricFilterRequest};
use roadstead_base::Ctx;
use roadstead_log_patterns::{Pattern, is_field};

use crate::Logs;
use crate::error::{Error, Result, refuse, refuse_set};
use crate::records::{FilterRecord, GroupRecord};

/// Of one group.
const MAX_FILTERS: usize = 100;
const MAX_DIMENSIONS: usize = 3;

pub(crate) async fn put_metric_filter(logs: &Logs, ctx: &Ctx, input: PutMetricFilterRequest) -> Result<()> {
    let PutMetricFilterRequest {
        filter_name,
        filter_pattern,
        log_group_name,
        metric_transformations,
        apply_on_transformed_logs,
        emit_system_field_dimensions,
        field_selection_criteria,
    } = input;
    refuse_set("applyOnTransformedLogs", apply_on_transformed_logs)?;
    refuse("emitSystemFieldDimensions", emit_system_field_dimensions.as_ref())?;
    refuse("fieldSelectionCriteria", field_selection_criteria.as_ref())?;
    let pattern: Pattern = filter_pattern
        .parse()
        .map_err(|fault| Error::invalid(format!("Invalid metric filter pattern: {fault}")))?;
    let [transformation] = <[MetricTransformation; 1]>::try_from(metric_transformations)
        .map_err(|_| Error::invalid("A metric filter has exactly one metric transformation."))?;
    let MetricTransformation {
        metric_name,
        metric_namespace,
        metric_value,
        default_value,
        dimensions,
        unit,
    } = transformation;
    let takes_fields = matches!(pattern, Pattern::Json(_) | Pattern::Columns(_));
    let field = |name: &str| takes_fields && is_field(name);
    let literal = metric_value.parse::<f64>().is_ok_and(f64::is_finite);
    if !literal && !field(&metric_value) {
        return Err(Error::invalid(format!(
            "Invalid metric transformation: metricValue {metric_value:?} is neither a number nor a field of the \
             pattern."
        )));
    }
    let dimensions = dimensions.unwrap_or_default();
    if dimensions.len() > MAX_DIMENSIONS {
        return Err(Error::invalid(format!(
            "A metric filter has at most {MAX_DIMENSIONS} dimensions."
        )));
    }
    if let Some((name, value)) = dimensions.iter().find(|(_, value)| !field(value)) {
        return Err(Error::invalid(format!(
            "Invalid metric transformation: the dimension {name} is {value:?}, which is no field of the pattern."
        )));
    }
    if default_value.is_some() && !dimensions.is_empty() {
        return Err(Error::invalid(
            "Invalid metric transformation: dimensions and default value are mutually exclusive properties.",
        ));
    }
    if metric_namespace.starts_with("AWS/") {
        return Err(Error::invalid(
            "Namespaces that begin with AWS/ belong to the platform.",
        ));
    }
    let record = FilterRecord {
        pattern: filter_pattern,
        metric: metric_name,
        namespace: metric_namespace,
        value: metric_value,
        default: default_value,
        dimensions,
        unit: unit.map(|unit| unit.as_str().to_owned()),
        created_at: logs.clock.now(),
    };
    let change = |group: &mut GroupRecord| {
        group.filters.insert(filter_name.clone(), record.clone());
        if group.filters.len() > MAX_FILTERS {
            return Err(Error::Limit("Resource limit exceeded.".into()));
        }
        group.check_regexes()
    };
    logs.change_group(ctx, &log_group_name, change).await
}
