//! Numbers and times that a state computes.

use serde_json::Value;

use super::context::Seen;
use super::stepper::Stepper;
use crate::definition::QueryLanguage;
use crate::failure::Failure;
use crate::template::Template;

/// The largest number of seconds.
const MOST: u64 = 99_999_999;

impl Stepper<'_> {
    /// An integer of at least `least`, or none if there is no template.
    pub(super) fn integer(
        &self,
        id: u64,
        template: Option<&Template>,
        least: u64,
        seen: Seen<'_>,
    ) -> Result<Option<u64>, Failure> {
        let Some(template) = template else {
            return Ok(None);
        };
        let value = self.fill(id, template, seen)?;
        let whole = value.as_u64().or_else(|| {
            value
                .as_f64()
                .filter(|one| one.fract() == 0.0 && *one >= 0.0)
                .map(|one| one as u64)
        });
        match whole.filter(|number| (least..=MOST).contains(number)) {
            Some(number) => Ok(Some(number)),
            None if value.is_number() => {
                Err(template.mismatch(&format!("integer from {least} to {MOST}"), &value))
            }
            None => Err(template.mismatch("number", &value)),
        }
    }

    /// A text.
    pub(super) fn text(
        &self,
        id: u64,
        template: Option<&Template>,
        seen: Seen<'_>,
    ) -> Result<Option<String>, Failure> {
        let Some(template) = template else {
            return Ok(None);
        };
        match self.fill(id, template, seen)? {
            Value::String(text) => Ok(Some(text)),
            other => Err(template.mismatch("string", &other)),
        }
    }

    /// What a state works on: of JSONPath what `InputPath` leaves, of JSONata the input as it came.
    pub(super) fn effective(&self, id: u64) -> Result<Value, Failure> {
        let (Some(state), Some(thread)) = (self.state(id), self.execution.threads.get(&id)) else {
            return Ok(Value::Null);
        };
        match (&state.language, &state.io.input_path) {
            (QueryLanguage::Jsonata, _) | (_, None) => Ok(thread.input.clone()),
            (_, Some(None)) => Ok(Value::Object(serde_json::Map::new())),
            (_, Some(Some(path))) => self.fill(
                id,
                &Template::Path(path.clone(), "InputPath".to_owned()),
                Seen::default(),
            ),
        }
    }
}
