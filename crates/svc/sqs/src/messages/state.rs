//! The state of a message in bytes: numbers of eight bytes each, then the group.

use std::sync::Arc;

use roadstead_queue::Message;

pub(super) fn write(message: &Message) -> Vec<u8> {
    let Message {
        sent,
        visible,
        receives,
        first_received,
        received,
        receipt,
        group,
    } = message;
    let mut bytes = Vec::with_capacity(64);
    for number in [*sent, *visible, i64::from(*receives), *first_received, *received] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(receipt.to_be_bytes());
    if let Some(group) = group {
        // So that an empty group is told from none.
        bytes.push(1);
        bytes.extend(group.as_bytes());
    }
    bytes
}

pub(super) fn read(bytes: &[u8]) -> Option<Message> {
    let (numbers, group) = bytes.split_at_checked(48)?;
    let mut numbers = numbers
        .chunks_exact(8)
        .filter_map(|chunk| chunk.try_into().ok().map(i64::from_be_bytes));
    let mut next = || numbers.next();
    Some(Message {
        sent: next()?,
        visible: next()?,
        receives: u32::try_from(next()?).ok()?,
        first_received: next()?,
        received: next()?,
        receipt: u64::from_be_bytes(next()?.to_be_bytes()),
        group: match group.split_first() {
            None => None,
            Some((_, group)) => Some(Arc::from(std::str::from_utf8(group).ok()?)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_come_back() {
        for group in [None, Some("g"), Some("")] {
            let message = Message {
                receives: 3,
                first_received: 5,
                received: 6,
                receipt: u64::MAX,
                ..Message::new(1, -2, group.map(Arc::from))
            };
            assert_eq!(read(&write(&message)), Some(message));
        }
        assert_eq!(read(b"short"), None);
    }
}
