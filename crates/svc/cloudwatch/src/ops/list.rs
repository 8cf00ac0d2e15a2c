//! ListMetrics: which metrics had data in the past two weeks, 500 to a page.

use roadstead_api_cloudwatch::{
    Dimension, DimensionFilter, ListMetricsInput, ListMetricsOutput, Metric, RecentlyActive,
};
use roadstead_base::Ctx;

use crate::CloudWatch;
use crate::error::{Error, Result, refuse, refuse_set};
use crate::samples::Name;

const PAGE: usize = 500;
const HOUR: i64 = 3_600_000;

pub(crate) fn list_metrics(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: ListMetricsInput,
) -> Result<ListMetricsOutput> {
    let ListMetricsInput {
        dimensions,
        include_linked_accounts,
        metric_name,
        namespace,
        next_token,
        owning_account,
        recently_active,
    } = input;
    refuse_set("IncludeLinkedAccounts", include_linked_accounts)?;
    refuse("OwningAccount", owning_account.as_ref())?;
    let filters = dimensions.unwrap_or_default();
    let within = match recently_active {
        Some(RecentlyActive::Pt3H) => 3 * HOUR,
        None => 14 * 24 * HOUR,
    };
    // When a series was last written to is known to ten minutes.
    let since = metrics.clock.now().0 - within - 600_000;
    let text =
        |filter: &DimensionFilter| format!("{}={}", filter.name, filter.value.as_deref().unwrap_or_default());
    let wanted: Vec<String> = filters.iter().map(text).collect();
    let scope = format!(
        "cloudwatch/{}/{}/ListMetrics/{}/{}/{}",
        ctx.account,
        ctx.region,
        namespace.as_deref().unwrap_or_default(),
        metric_name.as_deref().unwrap_or_default(),
        wanted.join("/")
    );
    let after = match next_token.as_deref() {
        None => None,
        Some(token) => {
            let cursor = ctx.pager.decode(&scope, token).map_err(|_| Error::NextToken)?;
            Some(cursor)
        }
    };
    let has = |name: &Name, filter: &DimensionFilter| {
        name.dimensions.iter().any(|(dimension, value)| {
            *dimension == filter.name && filter.value.as_ref().is_none_or(|wanted| wanted == value)
        })
    };
    let partition = ctx.partition();
    let mut found: Vec<Name> = metrics.samples.index(|index| {
        let within = index.within(&partition, namespace.as_deref());
        let fits = |name: &Name| {
            metric_name.as_ref().is_none_or(|metric| *metric == name.metric)
                && filters.iter().all(|filter| has(name, filter))
        };
        within
            .filter(|(name, series)| series.seen >= since && fits(name))
            .map(|(name, _)| name.clone())
            .collect()
    });
    found.sort_by_cached_key(place);
    // In several units it is one metric.
    found.dedup_by(|a, b| {
        (&a.namespace, &a.metric, &a.dimensions) == (&b.namespace, &b.metric, &b.dimensions)
    });
    let mut rest = found
        .into_iter()
        .skip_while(|name| after.as_ref().is_some_and(|after| place(name) <= *after));
    let page: Vec<Name> = rest.by_ref().take(PAGE).collect();
    let last = page.last().filter(|_| rest.next().is_some());
    let next_token = last.map(|last| ctx.pager.encode(&scope, &place(last)));
    Ok(ListMetricsOutput {
        metrics: Some(page.into_iter().map(show).collect()),
        next_token,
        owning_accounts: None,
    })
}

/// A text that orders as metrics are listed.
fn place(name: &Name) -> String {
    let mut place = format!("{}\u{1}{}", name.namespace, name.metric);
    for (dimension, value) in &name.dimensions {
        place.push_str(&format!("\u{1}{dimension}\u{1}{value}"));
    }
    place
}

fn show(name: Name) -> Metric {
    let dimension = |(name, value): (String, String)| Dimension { name, value };
    Metric {
        dimensions: Some(name.dimensions.into_iter().map(dimension).collect()),
        metric_name: Some(name.metric),
        namespace: Some(name.namespace),
    }
}
