//! The vocabulary every layer shares and none owns: who an account is, where a region is, what time it
//! is, how a page is turned. Kept free of I/O so that the pure cores can use it.

mod arn;
mod caller;
mod clock;
mod identity;
mod ids;
mod page;
mod tags;

pub use arn::{Arn, ParseArnError};
pub use caller::{Caller, Origin, RoleSession, User};
pub use clock::{Clock, ManualClock, SharedClock, SystemClock, Timestamp};
pub use identity::{AccountId, Ctx, ParseIdError, Partition, Region};
pub use ids::{EntropyError, derived_hex, random_bytes, random_hex, random_uuid};
pub use page::{PageError, Pager};
pub use tags::{TagFault, Tags};
