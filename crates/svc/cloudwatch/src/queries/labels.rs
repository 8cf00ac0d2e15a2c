//! What the time series of an answer are called. A metric is called by its name, an expression by its Id, unless they
//! have a label. Of several time series each has its metric's label, behind the label of the expression if that has no
//! dynamic values.

use roadstead_base::Partition;
use roadstead_metric_math::{Label, Property, Timezone};

use super::{MetricQuery, Query};

/// A metric that time series come from: one of the request's, or one that a search found.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub metric: MetricQuery,
    pub period: i64,
    pub label: Option<Label>,
    /// What it is called without a label.
    pub default: String,
}

/// Who asks, which labels may tell.
pub(super) struct Scene<'s> {
    pub partition: &'s Partition,
    /// In seconds since 1970.
    pub now: i64,
    pub timezone: Timezone,
}

impl Scene<'_> {
    fn render(&self, label: &Label, default: &str, origin: Option<&Origin>, points: &[(i64, f64)]) -> String {
        label.render(default, points, self.now, self.timezone, |property| {
            match property {
                Property::AccountId => return Some(self.partition.account.to_string()),
                Property::Region => return Some(self.partition.region.to_string()),
                _ => {}
            }
            let Origin { metric, period, .. } = origin?;
            Some(match property {
                Property::AccountId | Property::Region => return None,
                Property::MetricName => metric.name.clone(),
                Property::Namespace => metric.namespace.clone(),
                Property::Period => period.to_string(),
                Property::Stat => metric.statistic.to_string(),
                Property::Dimension(wanted) => {
                    let mut dimensions = metric.dimensions.iter();
                    dimensions.find(|(name, _)| name == wanted)?.1.clone()
                }
            })
        })
    }

    /// What a metric is called by itself.
    fn of_origin(&self, origin: &Origin, points: &[(i64, f64)]) -> String {
        match &origin.label {
            Some(label) => self.render(label, &origin.default, Some(origin), points),
            None => origin.default.clone(),
        }
    }

    /// What the one time series of a query is called.
    pub(super) fn of_one(&self, query: &Query, origin: Option<&Origin>, points: &[(i64, f64)]) -> String {
        let default = match (&query.of, origin) {
            (super::Of::Metric(metric), _) => metric.name.clone(),
            (super::Of::Expression(_), _) => query.id.clone(),
        };
        match &query.label {
            Some(label) => self.render(label, &default, origin, points),
            None => default,
        }
    }

    /// What one of the several time series of a query is called.
    pub(super) fn of_several(&self, query: &Query, origin: Option<&Origin>, points: &[(i64, f64)]) -> String {
        let own = origin.map(|origin| self.of_origin(origin, points));
        match (&query.label, &query.label_text, own) {
            (Some(label), Some(text), Some(own)) if !text.contains("${") => {
                let before = self.render(label, "", origin, points);
                if before.is_empty() {
                    own
                } else {
                    format!("{before} {own}")
                }
            }
            (Some(label), _, own) => {
                let default = own.unwrap_or_else(|| query.id.clone());
                self.render(label, &default, origin, points)
            }
            (None, _, Some(own)) => own,
            (None, _, None) => query.id.clone(),
        }
    }
}

/// What metrics that a search found are called: by what tells them apart, or by their name if nothing does.
pub(super) fn apart(found: &[MetricQuery]) -> Vec<String> {
    let values = |metric: &MetricQuery| {
        let values: Vec<&str> = metric
            .dimensions
            .iter()
            .map(|(_, value)| value.as_str())
            .collect();
        values.join(" ")
    };
    let parts: [&dyn Fn(&MetricQuery) -> String; 3] = [
        &|metric| metric.namespace.clone(),
        &|metric| metric.name.clone(),
        &values,
    ];
    let differ = |part: &&&dyn Fn(&MetricQuery) -> String| {
        found.windows(2).any(|pair| part(&pair[0]) != part(&pair[1]))
    };
    let telling: Vec<_> = parts.iter().filter(differ).collect();
    let name = |metric: &MetricQuery| {
        let told: Vec<String> = telling
            .iter()
            .map(|part| part(metric))
            .filter(|text| !text.is_empty())
            .collect();
        if told.is_empty() {
            metric.name.clone()
        } else {
            told.join(" ")
        }
    };
    found.iter().map(name).collect()
}
