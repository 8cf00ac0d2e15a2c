//! DeleteDashboards. Names that are right are deleted also if others are not there.

use roadstead_api_cloudwatch::{DeleteDashboardsInput, DeleteDashboardsOutput};
use roadstead_base::Ctx;
use roadstead_store::Change;

use super::{DashboardRecord, check_name, key, table};
use crate::CloudWatch;
use crate::error::{Error, Result};

const MOST: usize = 100;

pub(crate) async fn delete_dashboards(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: DeleteDashboardsInput,
) -> Result<DeleteDashboardsOutput> {
    let DeleteDashboardsInput { dashboard_names } = input;
    if dashboard_names.is_empty() || dashboard_names.len() > MOST {
        return Err(Error::value(format!(
            "The collection DashboardNames must have from 1 to {MOST} members."
        )));
    }
    for name in &dashboard_names {
        check_name(name)?;
    }
    let mut unknown = Vec::new();
    for name in dashboard_names {
        let delete = |_: Option<&DashboardRecord>| Ok::<_, Error>(Change::Delete);
        let gone = table(&metrics.store)
            .update(&key(&ctx.account, &name), delete)
            .await?;
        if !gone.changed {
            unknown.push(name);
        }
    }
    match unknown.is_empty() {
        true => Ok(DeleteDashboardsOutput {}),
        false => Err(Error::NoSuchDashboard(unknown.join(", "))),
    }
}
