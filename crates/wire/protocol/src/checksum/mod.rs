//! Checksums that clients send beside or behind a body.

pub mod crc;
