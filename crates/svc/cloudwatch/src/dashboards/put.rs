//! PutDashboard. Replaces all of a dashboard that is there.

use roadstead_api_cloudwatch::{DashboardValidationMessage, PutDashboardInput, PutDashboardOutput};
use roadstead_base::Ctx;
use roadstead_store::Change;

use super::body::{self, Message};
use super::{DashboardRecord, check_name, key, table};
use crate::CloudWatch;
use crate::error::{Error, Result};
use crate::tags;

pub(crate) async fn put_dashboard(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: PutDashboardInput,
) -> Result<PutDashboardOutput> {
    let PutDashboardInput {
        dashboard_body,
        dashboard_name,
        tags,
    } = input;
    check_name(&dashboard_name)?;
    let tags = tags::of(tags)?;
    let checked = body::check(&dashboard_body);
    if checked.iter().any(|message| message.fatal) {
        return Err(Error::Dashboard(checked));
    }
    let now = metrics.clock.now();
    let change = |found: Option<&DashboardRecord>| {
        // As documented: of a dashboard that is there, tags are changed by TagResource alone.
        let tags = found.map_or(tags.clone(), |found| found.tags.clone());
        Ok::<_, Error>(Change::Put(DashboardRecord {
            name: dashboard_name.clone(),
            body: dashboard_body.clone(),
            tags,
            modified_at: now,
        }))
    };
    let key = key(&ctx.account, &dashboard_name);
    table(&metrics.store).update(&key, change).await?;
    Ok(PutDashboardOutput {
        dashboard_validation_messages: Some(checked.into_iter().map(shown).collect()),
    })
}

pub(crate) fn shown(message: Message) -> DashboardValidationMessage {
    DashboardValidationMessage {
        data_path: Some(message.path),
        message: Some(message.text),
    }
}
