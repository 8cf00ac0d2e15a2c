//! What an Express execution is billed for: its time in steps of 100 ms, and its memory in chunks of 64 MB. Source: the
//! pricing page of Step Functions.

use roadstead_api_stepfunctions::BillingDetails;
use roadstead_base::Timestamp;

use crate::express::Memory;
use crate::report::Subject;

const STEP_MILLIS: i64 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bill {
    pub millis: i64,
    /// Bytes.
    pub used: i64,
    pub megabytes: i64,
}

impl Bill {
    pub(crate) fn of(subject: &Subject, ended: Timestamp, used: usize) -> Self {
        let millis = ended.0.saturating_sub(subject.started.0).max(1);
        let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            millis: millis.saturating_add(STEP_MILLIS - 1) / STEP_MILLIS * STEP_MILLIS,
            used: whole(used),
            megabytes: whole(Memory::billed_megabytes(used)),
        }
    }

    pub(crate) fn shown(self) -> BillingDetails {
        BillingDetails {
            billed_duration_in_milliseconds: Some(self.millis),
            billed_memory_used_in_mb: Some(self.megabytes),
        }
    }
}
