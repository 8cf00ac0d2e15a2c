//! What went through a container's network interfaces, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;

/// Counters of one interface since it was made, from inside the container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceStats {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}

/// Of the namespace that a process is in, by name, without the loopback.
pub(crate) fn of(pid: i32) -> BTreeMap<String, InterfaceStats> {
    parse(&fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default())
}

/// Two lines of headings, then `name: ` with eight numbers received and eight sent.
fn parse(text: &str) -> BTreeMap<String, InterfaceStats> {
    let line = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let numbers = rest.split_whitespace().map(str::parse);
        let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
        let [
            rx_bytes,
            rx_packets,
            rx_errors,
            rx_dropped,
            _,
            _,
            _,
            _,
            tx_bytes,
            tx_packets,
            tx_errors,
            tx_dropped,
            ..,
        ] = numbers[..]
        else {
            return None;
        };
        let stats = InterfaceStats {
            rx_bytes,
            rx_packets,
            rx_errors,
            rx_dropped,
            tx_bytes,
            tx_packets,
            tx_errors,
            tx_dropped,
        };
        Some((name.trim().to_owned(), stats))
    };
    text.lines()
        .skip(2)
        .filter_map(line)
        .filter(|(name, _)| name != "lo")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let text = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0
  eth0:    1296      16    1    2    0     0          0         0      602       7    3    4    0     0       0          0
  eth1:garbage
";
        let found = parse(text);
        let wanted = InterfaceStats {
            rx_bytes: 1296,
            rx_packets: 16,
            rx_errors: 1,
            rx_dropped: 2,
            tx_bytes: 602,
            tx_packets: 7,
            tx_errors: 3,
            tx_dropped: 4,
        };
        assert_eq!(found, BTreeMap::from([("eth0".to_owned(), wanted)]));
        assert!(parse("").is_empty());
    }
}
