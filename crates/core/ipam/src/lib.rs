//! Who gets which address. Two tasks must never share one, a freed one should rest before somebody else answers
//! on it, and a CIDR must be accepted or refused exactly as EC2 does; all of it is arithmetic on what is already
//! allocated, so it is decided here, without store or clock, and applied elsewhere.
//!
//! Deliberately absent: any memory of its own.

mod cidr;
mod ipv6;
mod mac;
mod subnet;

pub use cidr::{CidrError, check_subnet, check_vpc, parse_cidr, resolver};
pub use ipv6::{
    Ipv6AddressError, Ipv6CidrError, Ipv6Subnet, VPC_PREFIX, check_ipv6_subnet, overlap, parse_ipv6_cidr,
    vpc_block,
};
pub use mac::{Mac, ParseMacError};
pub use subnet::{AddressError, ReservedFor, Subnet};
