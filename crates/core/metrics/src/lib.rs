//! What numbers become over a period: counts, sums, extremes, percentiles and trimmed statistics. Samples of any age are
//! kept as summaries that can be added to each other without loss of the plain statistics and with a small, stated
//! error of percentiles, so that what was rolled up answers like what was not.

mod bytes;
mod distribution;
mod statistic;
mod summary;

pub use bytes::DecodeError;
pub use distribution::{Distribution, MAX_EXACT, RELATIVE_ERROR};
pub use statistic::{Bound, Statistic, StatisticError};
pub use summary::{Summary, SummaryError};
