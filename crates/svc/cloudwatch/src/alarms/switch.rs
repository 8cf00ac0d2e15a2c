//! EnableAlarmActions and DisableAlarmActions. Names that are not there are no error.

use roadstead_api_cloudwatch::{DisableAlarmActionsInput, EnableAlarmActionsInput};
use roadstead_base::Ctx;

use super::change::{Act, Decided};
use super::records::AlarmRecord;
use crate::CloudWatch;
use crate::error::Result;

pub(crate) async fn enable_alarm_actions(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: EnableAlarmActionsInput,
) -> Result<()> {
    let EnableAlarmActionsInput { alarm_names } = input;
    switch(metrics, ctx, alarm_names, true).await
}

pub(crate) async fn disable_alarm_actions(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: DisableAlarmActionsInput,
) -> Result<()> {
    let DisableAlarmActionsInput { alarm_names } = input;
    switch(metrics, ctx, alarm_names, false).await
}

async fn switch(metrics: &CloudWatch, ctx: &Ctx, names: Vec<String>, on: bool) -> Result<()> {
    for name in names {
        let decide = |found: Option<&AlarmRecord>| match found {
            Some(found) if found.actions_enabled != on => {
                let mut after = found.clone();
                after.actions_enabled = on;
                Ok(Decided::Put(Box::new(after), Act::Configured))
            }
            _ => Ok(Decided::Keep),
        };
        metrics.change(&ctx.partition(), &name, decide).await?;
    }
    Ok(())
}
