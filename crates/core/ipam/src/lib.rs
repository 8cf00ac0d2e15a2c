//! Who gets which address. Two tasks must never share one, a freed one should rest before somebody else answers
//! on it, and a CIDR must be accepted or refused exactly as EC2 does; all of it is arithmetic on what is already
//! allocated, so it is decided here, without store or clock, and applied elsewhere.
//!
//! Deliberately absent: IPv6, and any memory of its own.

mod cidr;
mod mac;
mod subnet;

pub use cidr::{CidrError, check_subnet, check_vpc, parse_cidr, resolver};
pub use mac::{Mac, ParseMacError};
pub use subnet::{AddressError, ReservedFor, Subnet};
