//! SetAlarmState. It lasts until the next evaluation that says otherwise; of a composite alarm, until an alarm in its
//! rule changes.

use roadstead_alarms::State;
use roadstead_api_cloudwatch::SetAlarmStateInput;
use roadstead_base::Ctx;

use super::change::Decided;
use super::composite;
use super::records::AlarmRecord;
use crate::CloudWatch;
use crate::error::{Error, Result};

pub(crate) async fn set_alarm_state(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: SetAlarmStateInput,
) -> Result<()> {
    let SetAlarmStateInput {
        alarm_name,
        state_reason,
        state_value,
        state_reason_data,
    } = input;
    if let Some(data) = &state_reason_data
        && let Err(error) = serde_json::from_str::<serde_json::Value>(data)
    {
        return Err(Error::Format(format!(
            "StateReasonData was not valid JSON: line {}, column {}.",
            error.line(),
            error.column()
        )));
    }
    let value = State::parse(state_value.as_str()).unwrap_or(State::InsufficientData);
    let (partition, now) = (ctx.partition(), metrics.clock.now());
    let decide = |found: Option<&AlarmRecord>| {
        let found = found.ok_or_else(|| Error::NoSuchAlarm(alarm_name.clone()))?;
        let mut after = found.clone();
        after.state = found
            .state
            .to(value, state_reason.clone(), state_reason_data.clone(), now);
        let act = composite::hold_back(metrics, &partition, found, &mut after, now);
        Ok(Decided::Put(Box::new(after), act))
    };
    metrics.change(&partition, &alarm_name, decide).await?;
    Ok(())
}
