//! GetDashboard.

use roadstead_api_cloudwatch::{GetDashboardInput, GetDashboardOutput};
use roadstead_base::Ctx;

use super::{arn, check_name, key, table};
use crate::CloudWatch;
use crate::error::{Error, Result};

pub(crate) async fn get_dashboard(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: GetDashboardInput,
) -> Result<GetDashboardOutput> {
    let GetDashboardInput { dashboard_name } = input;
    check_name(&dashboard_name)?;
    let found = table(&metrics.store)
        .get(&key(&ctx.account, &dashboard_name))
        .await?;
    let record = found.ok_or_else(|| Error::NoSuchDashboard(dashboard_name))?.value;
    Ok(GetDashboardOutput {
        dashboard_arn: Some(arn(&ctx.account, &record.name)),
        dashboard_body: Some(record.body),
        dashboard_name: Some(record.name),
    })
}
