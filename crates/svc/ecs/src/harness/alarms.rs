//! An alarms' service whose alarms are as a test says.

use std::collections::BTreeMap;
use std::sync::Mutex;

use roadstead_api_cloudwatch::{
    AlarmType, CompositeAlarm, DescribeAlarmsInput, DescribeAlarmsOutput, MODEL, MetricAlarm, StateValue,
};
use roadstead_base::Ctx;
use roadstead_protocol::{ApiError, BoxFuture, Handler, Operation, ServiceModel, Value, Wire};

/// By name: its state, and its period in seconds; without one it is composite.
#[derive(Default)]
pub(crate) struct Alarms {
    known: Mutex<BTreeMap<String, (StateValue, Option<i32>)>>,
    callers: Mutex<Vec<String>>,
}

impl Alarms {
    pub(crate) fn set(&self, name: &str, state: StateValue, period: Option<i32>) {
        let mut known = self.known.lock().expect("no panic");
        known.insert(name.to_owned(), (state, period));
    }

    /// Who asked.
    pub(crate) fn callers(&self) -> Vec<String> {
        self.callers.lock().expect("no panic").clone()
    }

    fn describe(&self, input: DescribeAlarmsInput) -> DescribeAlarmsOutput {
        let names = input.alarm_names.unwrap_or_default();
        let types = input.alarm_types.unwrap_or_default();
        let known = self.known.lock().expect("no panic");
        let mut output = DescribeAlarmsOutput::default();
        for (name, (state, period)) in known.iter().filter(|(name, _)| names.contains(name)) {
            match period {
                Some(period) if types.contains(&AlarmType::MetricAlarm) => {
                    output.metric_alarms.get_or_insert_default().push(MetricAlarm {
                        alarm_name: Some(name.clone()),
                        state_value: Some(*state),
                        period: Some(*period),
                        evaluation_periods: Some(2),
                        ..MetricAlarm::default()
                    });
                }
                None if types.contains(&AlarmType::CompositeAlarm) => {
                    output
                        .composite_alarms
                        .get_or_insert_default()
                        .push(CompositeAlarm {
                            alarm_name: Some(name.clone()),
                            state_value: Some(*state),
                            ..CompositeAlarm::default()
                        });
                }
                _ => {}
            }
        }
        output
    }
}

impl Handler for Alarms {
    fn model(&self) -> &'static ServiceModel {
        &MODEL
    }

    fn call<'a>(
        &'a self,
        operation: &'static Operation,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        assert_eq!(operation.name, "DescribeAlarms");
        self.callers
            .lock()
            .expect("no panic")
            .push(ctx.caller.to_string());
        let input = DescribeAlarmsInput::from_value(input).expect("a request");
        let output = self.describe(input).into_value();
        Box::pin(async { Ok(output) })
    }
}
