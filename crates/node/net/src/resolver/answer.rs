//! What the resolver says to one question: a pure function of the zone and the packet.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use ipnet::{IpNet, Ipv4Net};
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
    cidrs: Vec<Ipv4Net>,
    addresses: HashSet<Ipv4Addr>,
}

impl Zone {
    pub(crate) fn of(map: &VpcMap) -> Self {
        let cidrs = map.cidrs.iter().filter_map(|cidr| match cidr {
            IpNet::V4(cidr) => Some(*cidr),
            IpNet::V6(_) => None,
        });
        Self {
            domain: internal_domain(&map.region),
            cidrs: cidrs.collect(),
            addresses: map
                .interfaces
                .iter()
                .flat_map(|i| i.private_ips.iter().copied())
                .collect(),
        }
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
        let (code, record) = match (query.metadata.op_code, query.queries.as_slice()) {
            (OpCode::Query, [question]) => {
                reply.add_query(question.clone());
                match question.query_class() {
                    DNSClass::IN => self.look_up(question.name(), question.query_type()),
                    _ => (ResponseCode::Refused, None),
                }
            }
            (OpCode::Query, _) => (ResponseCode::FormErr, None),
            _ => (ResponseCode::NotImp, None),
        };
        reply.metadata.response_code = code;
        reply.add_answers(record);
        reply.to_vec().ok()
    }

    fn look_up(&self, name: &Name, kind: RecordType) -> (ResponseCode, Option<Record>) {
        let text = name.to_ascii().to_ascii_lowercase();
        let text = text.strip_suffix('.').unwrap_or(&text);
        let found = |data: RData| {
            (
                ResponseCode::NoError,
                Some(Record::from_rdata(name.clone(), TTL, data)),
            )
        };
        if text == "localhost" || text.ends_with(".localhost") {
            return match kind {
                RecordType::A => found(RData::A(A(Ipv4Addr::LOCALHOST))),
                RecordType::AAAA => found(RData::AAAA(AAAA(std::net::Ipv6Addr::LOCALHOST))),
                _ => (ResponseCode::NoError, None),
            };
        }
        if let Some(address) = reverse(text) {
            if !self.cidrs.iter().any(|cidr| cidr.contains(&address)) {
                return (ResponseCode::Refused, None);
            }
            if !self.addresses.contains(&address) {
                return (ResponseCode::NXDomain, None);
            }
            let target = Name::from_ascii(format!("{}.{}.", internal_host(address), self.domain));
            return match (kind, target) {
                (RecordType::PTR, Ok(target)) => found(RData::PTR(PTR(target))),
                _ => (ResponseCode::NoError, None),
            };
        }
        if self.domain.is_empty() {
            return (ResponseCode::Refused, None);
        }
        if text == self.domain {
            return (ResponseCode::NoError, None);
        }
        let Some(host) = text
            .strip_suffix(&self.domain)
            .and_then(|rest| rest.strip_suffix('.'))
        else {
            return (ResponseCode::Refused, None);
        };
        match forward(host).filter(|address| self.addresses.contains(address)) {
            Some(address) if kind == RecordType::A => found(RData::A(A(address))),
            Some(_) => (ResponseCode::NoError, None),
            None => (ResponseCode::NXDomain, None),
        }
    }
}

/// The address in `ip-172-31-0-5`.
fn forward(host: &str) -> Option<Ipv4Addr> {
    host.strip_prefix("ip-")?.replace('-', ".").parse().ok()
}

/// The address in `5.0.31.172.in-addr.arpa`.
fn reverse(name: &str) -> Option<Ipv4Addr> {
    let backwards: Ipv4Addr = name.strip_suffix(".in-addr.arpa")?.parse().ok()?;
    let [a, b, c, d] = backwards.octets();
    Some(Ipv4Addr::new(d, c, b, a))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Query;

    fn zone(region: &str) -> Zone {
        Zone {
            domain: internal_domain(region),
            cidrs: vec!["172.31.0.0/16".parse().unwrap()],
            addresses: HashSet::from([Ipv4Addr::new(172, 31, 0, 5)]),
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
            (&east, "ip-172-31-0-5.ec2.internal.", T::AAAA, C::NoError, vec![]),
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
