//! ListDashboards: by name, 1000 to a page.

use roadstead_api_cloudwatch::{DashboardEntry, ListDashboardsInput, ListDashboardsOutput};
use roadstead_base::Ctx;

use super::{all, arn, table};
use crate::CloudWatch;
use crate::error::{Error, Result};

const PAGE: usize = 1000;

pub(crate) async fn list_dashboards(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: ListDashboardsInput,
) -> Result<ListDashboardsOutput> {
    let ListDashboardsInput {
        dashboard_name_prefix,
        next_token,
    } = input;
    let prefix = dashboard_name_prefix.unwrap_or_default();
    let scope = format!("cloudwatch/{}/ListDashboards/{prefix}", ctx.account);
    let after = next_token
        .map(|token| ctx.pager.decode(&scope, &token).map_err(|_| Error::NextToken))
        .transpose()?;
    let (found, _) = table(&metrics.store).all(&all(&ctx.account)).await?;
    let mut found: Vec<_> = found
        .into_iter()
        .map(|entry| entry.value)
        .filter(|record| record.name.starts_with(&prefix))
        .filter(|record| after.as_ref().is_none_or(|after| record.name > *after))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let last = found.last().filter(|_| more);
    Ok(ListDashboardsOutput {
        next_token: last.map(|last| ctx.pager.encode(&scope, &last.name)),
        dashboard_entries: Some(
            found
                .into_iter()
                .map(|record| DashboardEntry {
                    dashboard_arn: Some(arn(&ctx.account, &record.name)),
                    dashboard_name: Some(record.name),
                    last_modified: Some(record.modified_at),
                    size: i64::try_from(record.body.len()).ok(),
                })
                .collect(),
        ),
    })
}
