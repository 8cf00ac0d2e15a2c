//! What the resolver says to one question: a pure function of the zone and the packet.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use ipnet::IpNet;
use roadstead_acs::network::VpcMap;

use crate::task_files::{internal_domain, internal_host};

/// Seconds an answer may be cached: addresses are given to other tasks.
const TTL: u32 = 60;
/// Bytes of a UDP answer that no network fragments.
const EDNS_PAYLOAD: u16 = 1232;

/// What one VPC's resolver knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zone {
    domain: String,
    cidrs: Vec<IpNet>,
    /// The IPv6 addresses of the interface that has an IPv4 address.
    addresses: HashMap<Ipv4Addr, Vec<Ipv6Addr>>,
    /// The primary IPv4 address, by which an interface is called, of one that has an IPv6 address.
    called: HashMap<Ipv6Addr, Ipv4Addr>,
}

impl Zone {
    pub(crate) fn of(map: &VpcMap) -> Self {
        let mut zone = Self {
            domain: internal_domain(&map.region),
            cidrs: map.cidrs.clone(),
            ..Self::default()
        };
        for interface in &map.interfaces {
            for (position, address) in interface.private_ips.iter().enumerate() {
                // The names of further addresses are of those addresses alone.
                let own = if position == 0 {
                    &interface.ipv6_addresses[..]
                } else {
                    &[]
                };
                zone.addresses.insert(*address, own.to_vec());
            }
            let primary = interface.private_ips.first();
            let called = interface.ipv6_addresses.iter().copied();
            zone.called
                .extend(called.zip(primary.into_iter().copied().cycle()));
        }
        zone
    }

    /// The answer to `packet`, or none when it is not a question at all.
    pub(crate) fn answer(&self, packet: &[u8]) -> Option<Vec<u8>> {
        // The id of a packet too broken to parse is still worth a FORMERR.
        let id = u16::from_be_bytes(packet.get(..2)?.try_into().ok()?);
        let Ok(query) = Message::from_vec(packet) else {
            return Message::error_msg(id, OpCode::Query, ResponseCode::FormErr)
                .to_vec()
                .ok();
        };
        if query.metadata.message_type != MessageType::Query {
            return None;
        }
        let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
        reply.metadata.recursion_desired = query.metadata.recursion_desired;
        reply.metadata.recursion_available = true;
        if query.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(EDNS_PAYLOAD);
            reply.set_edns(edns);
        }
        let (code, records) = match (query.metadata.op_code, query.queries.as_slice()) {
            (OpCode::Query, [question]) => {
                reply.add_query(question.clone());
                match question.query_class() {
                    DNSClass::IN => self.look_up(question.name(), question.query_type()),
                    _ => (ResponseCode::Refused, Vec::new()),
                }
            }
            (OpCode::Query, _) => (ResponseCode::FormErr, Vec::new()),
            _ => (ResponseCode::NotImp, Vec::new()),
        };
        reply.metadata.response_code = code;
        reply.add_answers(records);
        reply.to_vec().ok()
    }

    fn look_up(&self, name: &Name, kind: RecordType) -> (ResponseCode, Vec<Record>) {
        let text = name.to_ascii().to_ascii_lowercase();
        let text = text.strip_suffix('.').unwrap_or(&text);
        let record = |data: RData| Record::from_rdata(name.clone(), TTL, data);
        let found = |data: RData| (ResponseCode::NoError, vec![record(data)]);
        let nothing = |code: ResponseCode| (code, Vec::new());
        if text == "localhost" || text.ends_with(".localhost") {
            return match kind {
                RecordType::A => found(RData::A(A(Ipv4Addr::LOCALHOST))),
                RecordType::AAAA => found(RData::AAAA(AAAA(Ipv6Addr::LOCALHOST))),
                _ => nothing(ResponseCode::NoError),
            };
        }
        if let Some(address) = reverse(text) {
            if !self.cidrs.iter().any(|cidr| cidr.contains(&address)) {
                return nothing(ResponseCode::Refused);
            }
            let called = match address {
                IpAddr::V4(address) => Some(address).filter(|one| self.addresses.contains_key(one)),
                IpAddr::V6(address) => self.called.get(&address).copied(),
            };
            let Some(called) = called else {
                return nothing(ResponseCode::NXDomain);
            };
            let target = Name::from_ascii(format!("{}.{}.", internal_host(called), self.domain));
            return match (kind, target) {
                (RecordType::PTR, Ok(target)) => found(RData::PTR(PTR(target))),
                _ => nothing(ResponseCode::NoError),
            };
        }
        if self.domain.is_empty() {
            return nothing(ResponseCode::Refused);
        }
        if text == self.domain {
            return nothing(ResponseCode::NoError);
        }
        let Some(host) = text
            .strip_suffix(&self.domain)
            .and_then(|rest| rest.strip_suffix('.'))
        else {
            return nothing(ResponseCode::Refused);
        };
        let Some((address, ipv6)) = forward(host).and_then(|one| self.addresses.get_key_value(&one)) else {
            return nothing(ResponseCode::NXDomain);
        };
        match kind {
            RecordType::A => found(RData::A(A(*address))),
            RecordType::AAAA => {
                let records = ipv6.iter().map(|one| record(RData::AAAA(AAAA(*one))));
                (ResponseCode::NoError, records.collect())
            }
            _ => nothing(ResponseCode::NoError),
        }
    }
}

/// The address in `ip-172-31-0-5`.
fn forward(host: &str) -> Option<Ipv4Addr> {
    host.strip_prefix("ip-")?.replace('-', ".").parse().ok()
}

/// The address in `5.0.31.172.in-addr.arpa`, or in 32 digits before `.ip6.arpa`.
fn reverse(name: &str) -> Option<IpAddr> {
    if let Some(backwards) = name.strip_suffix(".in-addr.arpa") {
        let [a, b, c, d] = backwards.parse::<Ipv4Addr>().ok()?.octets();
        return Some(IpAddr::from([d, c, b, a]));
    }
    let digits: Vec<&str> = name.strip_suffix(".ip6.arpa")?.split('.').collect();
    if digits.len() != 32 {
        return None;
    }
    let mut address = 0_u128;
    for digit in digits.into_iter().rev() {
        let one = digit.len() == 1;
        address = (address << 4) | u128::from_str_radix(digit, 16).ok().filter(|_| one)?;
    }
    Some(IpAddr::from(Ipv6Addr::from(address)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Query;

    fn zone(region: &str) -> Zone {
        let ipv6 = Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, 5);
        let (own, other) = (Ipv4Addr::new(172, 31, 0, 5), Ipv4Addr::new(172, 31, 0, 7));
        Zone {
            domain: internal_domain(region),
            cidrs: vec!["172.31.0.0/16".parse().unwrap(), "fd00::/56".parse().unwrap()],
            addresses: HashMap::from([(own, vec![ipv6]), (other, vec![])]),
            called: HashMap::from([(ipv6, own)]),
        }
    }

    fn ask(zone: &Zone, name: &str, kind: RecordType) -> (ResponseCode, Vec<String>) {
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        let reply = Message::from_vec(&zone.answer(&query.to_vec().unwrap()).unwrap()).unwrap();
        assert_eq!(reply.metadata.id, query.metadata.id);
        (
            reply.metadata.response_code,
            reply.answers.iter().map(|r| r.data.to_string()).collect(),
        )
    }

    #[test]
    fn the_vpcs_own_names_are_answered_and_the_rest_refused() {
        use RecordType as T;
        use ResponseCode as C;
        let (east, west) = (zone("us-east-1"), zone("eu-west-1"));
        for (zone, name, kind, code, answers) in [
            (
                &east,
                "ip-172-31-0-5.ec2.internal.",
                T::A,
                C::NoError,
                vec!["172.31.0.5"],
            ),
            (
                &east,
                "IP-172-31-0-5.EC2.internal.",
                T::A,
                C::NoError,
                vec!["172.31.0.5"],
            ),
            (
                &east,
                "ip-172-31-0-5.ec2.internal.",
                T::AAAA,
                C::NoError,
                vec!["fd00:0:0:1::5"],
            ),
            (&east, "ip-172-31-0-7.ec2.internal.", T::AAAA, C::NoError, vec![]),
            (
                &east,
                "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.",
                T::PTR,
                C::NoError,
                vec!["ip-172-31-0-5.ec2.internal."],
            ),
            (
                &east,
                "6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.",
                T::PTR,
                C::NXDomain,
                vec![],
            ),
            (
                &east,
                "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.e.f.ip6.arpa.",
                T::PTR,
                C::Refused,
                vec![],
            ),
            (&east, "ip-172-31-0-6.ec2.internal.", T::A, C::NXDomain, vec![]),
            (
                &east,
                "ip-172-31-0-5.eu-west-1.compute.internal.",
                T::A,
                C::Refused,
                vec![],
            ),
            (
                &west,
                "ip-172-31-0-5.eu-west-1.compute.internal.",
                T::A,
                C::NoError,
                vec!["172.31.0.5"],
            ),
            (
                &east,
                "5.0.31.172.in-addr.arpa.",
                T::PTR,
                C::NoError,
                vec!["ip-172-31-0-5.ec2.internal."],
            ),
            (&east, "9.0.31.172.in-addr.arpa.", T::PTR, C::NXDomain, vec![]),
            (&east, "1.1.1.1.in-addr.arpa.", T::PTR, C::Refused, vec![]),
            (&east, "localhost.", T::A, C::NoError, vec!["127.0.0.1"]),
            (&east, "example.com.", T::A, C::Refused, vec![]),
            (&east, "notec2.internal.", T::A, C::Refused, vec![]),
            (&Zone::default(), "example.com.", T::A, C::Refused, vec![]),
        ] {
            let answers: Vec<String> = answers.into_iter().map(str::to_owned).collect();
            assert_eq!(ask(zone, name, kind), (code, answers), "{name} {kind}");
        }
    }

    #[test]
    fn what_is_no_question_gets_no_answer_and_what_is_broken_a_formerr() {
        let zone = zone("us-east-1");
        assert!(zone.answer(&[1]).is_none());
        let reply = Message::from_vec(&zone.answer(&[7, 7, 1, 0, 0, 9]).unwrap()).unwrap();
        assert_eq!(
            (reply.metadata.id, reply.metadata.response_code),
            (0x0707, ResponseCode::FormErr)
        );
        assert!(
            zone.answer(&Message::response(1, OpCode::Query).to_vec().unwrap())
                .is_none()
        );
    }
}
