//! Summaries as bytes, as small as what is known: nearly all samples are one value that came once.

use std::collections::BTreeMap;

use crate::distribution::Distribution;
use crate::summary::Summary;

/// Bytes that are no summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no summary of samples")]
pub struct DecodeError;

/// What the first byte says.
const ONCE: u8 = 0;
const OFTEN: u8 = 1;
const SET: u8 = 2;
const EXACT: u8 = 3;
const BUCKETS: u8 = 4;

impl Summary {
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self {
            count,
            sum,
            min,
            max,
            distribution,
        } = self;
        // As much as one value that came once takes.
        let mut bytes = Vec::with_capacity(9);
        let Some(distribution) = distribution else {
            bytes.push(SET);
            return numbers(bytes, &[*count, *sum, *min, *max]);
        };
        let (values, bucketed) = distribution.parts();
        if !bucketed && values.len() == 1 && *sum == min * count {
            return if *count == 1.0 {
                bytes.push(ONCE);
                numbers(bytes, &[*min])
            } else {
                bytes.push(OFTEN);
                numbers(bytes, &[*min, *count])
            };
        }
        bytes.push(if bucketed { BUCKETS } else { EXACT });
        let mut bytes = numbers(bytes, &[*count, *sum, *min, *max]);
        let mut last = 0;
        for (key, times) in values {
            // Keys are in order: the steps between them are smaller than they are.
            varint(&mut bytes, zigzag(key.wrapping_sub(last)));
            last = *key;
            let whole = times.fract() == 0.0 && (0.0..9e15).contains(times);
            // A whole count is told as one, with the lowest bit clear.
            if whole {
                varint(&mut bytes, (*times as u64) << 1);
            } else {
                varint(&mut bytes, 1);
                bytes.extend_from_slice(&times.to_be_bytes());
            }
        }
        bytes
    }

    /// # Errors
    /// They were not made by [`Summary::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (kind, mut rest) = bytes.split_first().ok_or(DecodeError)?;
        let rest = &mut rest;
        let summary = match *kind {
            ONCE => Self::of(number(rest)?, 1.0).map_err(|_| DecodeError)?,
            OFTEN => Self::of(number(rest)?, number(rest)?).map_err(|_| DecodeError)?,
            SET | EXACT | BUCKETS => {
                let (count, sum, min, max) = (number(rest)?, number(rest)?, number(rest)?, number(rest)?);
                let distribution = match *kind {
                    SET => None,
                    kind => Some(distribution(rest, kind == BUCKETS)?),
                };
                Self {
                    count,
                    sum,
                    min,
                    max,
                    distribution,
                }
            }
            _ => return Err(DecodeError),
        };
        if rest.is_empty() {
            Ok(summary)
        } else {
            Err(DecodeError)
        }
    }
}

fn distribution(rest: &mut &[u8], bucketed: bool) -> Result<Distribution, DecodeError> {
    let mut values = BTreeMap::new();
    let mut last = 0i64;
    while !rest.is_empty() {
        last = last.wrapping_add(unzigzag(read_varint(rest)?));
        let times = match read_varint(rest)? {
            1 => number(rest)?,
            whole if whole & 1 == 0 => (whole >> 1) as f64,
            _ => return Err(DecodeError),
        };
        values.insert(last, times);
    }
    Ok(Distribution::of_parts(values, bucketed))
}

fn numbers(mut bytes: Vec<u8>, numbers: &[f64]) -> Vec<u8> {
    for number in numbers {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes
}

fn number(rest: &mut &[u8]) -> Result<f64, DecodeError> {
    let (head, tail) = rest.split_first_chunk::<8>().ok_or(DecodeError)?;
    *rest = tail;
    Ok(f64::from_be_bytes(*head))
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    ((number >> 1) as i64) ^ -((number & 1) as i64)
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_varint(rest: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first().ok_or(DecodeError)?;
        *rest = tail;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(DecodeError)
}
