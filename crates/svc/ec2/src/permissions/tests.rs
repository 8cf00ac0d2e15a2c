//! Protocols and ports, as a table.

use super::*;

#[test]
fn protocols_and_ports_are_read_as_documented() {
    let check =
        |protocol: &str, from: Option<i32>, to: Option<i32>, wanted: std::result::Result<Traffic, &str>| {
            let got = traffic(Some(protocol), from, to);
            assert_eq!(
                got.as_ref().map_err(|error| error.message.as_str()),
                wanted.as_ref().map_err(|text| *text)
            );
            if let Err(error) = got {
                assert_eq!(error.code, "InvalidParameterValue");
            }
        };
    let both = "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.";
    check("tcp", Some(80), Some(443), Ok(Traffic::Tcp { from: 80, to: 443 }));
    check(
        "TCP",
        Some(0),
        Some(65535),
        Ok(Traffic::Tcp { from: 0, to: 65535 }),
    );
    check("6", Some(80), Some(80), Ok(Traffic::Tcp { from: 80, to: 80 }));
    check("17", Some(53), Some(53), Ok(Traffic::Udp { from: 53, to: 53 }));
    check("tcp", None, None, Err(both));
    check("tcp", Some(80), None, Err(both));
    check(
        "tcp",
        Some(443),
        Some(80),
        Err("Invalid TCP/UDP port range (443:80)"),
    );
    check("udp", Some(-1), Some(-1), Err("TCP/UDP port (-1) out of range"));
    check(
        "tcp",
        Some(1),
        Some(65536),
        Err("TCP/UDP port (65536) out of range"),
    );
    check("-1", Some(80), Some(80), Ok(Traffic::All));
    check("50", Some(80), None, Ok(Traffic::Number(50)));
    check(
        "icmp",
        Some(8),
        Some(-1),
        Ok(Traffic::Icmp {
            kind: Some(8),
            code: None,
        }),
    );
    check(
        "icmp",
        Some(-1),
        Some(-1),
        Ok(Traffic::Icmp {
            kind: None,
            code: None,
        }),
    );
    check(
        "icmp",
        Some(-1),
        Some(3),
        Err("ICMP code must be -1 (all) if the ICMP type is -1 (all)"),
    );
    check("icmp", Some(256), Some(0), Err("ICMP type (256) out of range"));
    check(
        "icmpv6",
        None,
        None,
        Ok(Traffic::Icmpv6 {
            kind: None,
            code: None,
        }),
    );
    check(
        "58",
        Some(128),
        Some(0),
        Ok(Traffic::Icmpv6 {
            kind: Some(128),
            code: Some(0),
        }),
    );
    check(
        "256",
        None,
        None,
        Err("Invalid value '256' for IP protocol. Unknown protocol."),
    );
    check(
        "http",
        None,
        None,
        Err("Invalid value 'http' for IP protocol. Unknown protocol."),
    );
}
