//! Permissions as requests write them, made into rules: one rule for each peer. Both forms of the API end up
//! here, so that a rule means the same however it was written.
//! Source: `IpPermission` and `AuthorizeSecurityGroupIngress` in the EC2 API reference.

use roadstead_api_ec2::{IpPermission, IpRange, Ipv6Range, UserIdGroupPair};

use crate::error::{self, Result};
use crate::records::{Group, Peer, Permit, Traffic};
use crate::world::Realm;
use crate::{cidr, refuse};

/// More than one request can do anything with.
const MAX_PERMITS: usize = 1000;
const DESCRIPTION: usize = 255;

/// A rule as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) permit: Permit,
    pub(crate) description: Option<String>,
}

/// The flat form of ingress requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flat {
    pub(crate) cidr_ip: Option<String>,
    pub(crate) from_port: Option<i32>,
    pub(crate) ip_protocol: Option<String>,
    pub(crate) source_security_group_name: Option<String>,
    pub(crate) source_security_group_owner_id: Option<String>,
    pub(crate) to_port: Option<i32>,
}

impl Flat {
    pub(crate) fn is_empty(&self) -> bool {
        self.cidr_ip.is_none()
            && self.from_port.is_none()
            && self.ip_protocol.is_none()
            && self.source_security_group_name.is_none()
            && self.source_security_group_owner_id.is_none()
            && self.to_port.is_none()
    }

    /// Egress requests have these members, and EC2 documents each as not supported.
    pub(crate) fn refuse(&self) -> Result<()> {
        let given = [
            ("CidrIp", self.cidr_ip.is_some()),
            ("FromPort", self.from_port.is_some()),
            ("IpProtocol", self.ip_protocol.is_some()),
            (
                "SourceSecurityGroupName",
                self.source_security_group_name.is_some(),
            ),
            (
                "SourceSecurityGroupOwnerId",
                self.source_security_group_owner_id.is_some(),
            ),
            ("ToPort", self.to_port.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((member, _)) => Err(error::use_permissions(member)),
            None => Ok(()),
        }
    }
}

/// Refuses by name what no permission can have here, before anything is looked up.
pub(crate) fn refuse_members(permissions: Option<&Vec<IpPermission>>) -> Result<()> {
    for permission in permissions.into_iter().flatten() {
        refuse::list(
            "PrefixListIds",
            permission.prefix_list_ids.as_deref().map(<[_]>::to_vec),
        )?;
        for pair in permission.user_id_group_pairs.iter().flatten() {
            refuse::text("PeeringStatus", pair.peering_status.clone())?;
            refuse::text("VpcPeeringConnectionId", pair.vpc_peering_connection_id.clone())?;
        }
    }
    Ok(())
}

/// What a request is read against.
pub(crate) struct Reader<'a> {
    pub(crate) realm: &'a Realm,
    pub(crate) account: &'a str,
    /// The group the rules are of.
    pub(crate) group: &'a Group,
    pub(crate) egress: bool,
}

impl Reader<'_> {
    /// The rules that a request asks for in one of its two forms.
    pub(crate) fn read(&self, permissions: Option<Vec<IpPermission>>, flat: Flat) -> Result<Vec<Asked>> {
        let permissions = permissions.unwrap_or_default();
        let asked = match (permissions.is_empty(), flat.is_empty()) {
            (false, false) => {
                return Err(error::combination(
                    "The parameter ipPermissions cannot be used with cidrIp, fromPort, ipProtocol, \
                     sourceSecurityGroupName, sourceSecurityGroupOwnerId or toPort",
                ));
            }
            (true, true) => return Err(error::missing("ipPermissions")),
            (false, true) => self.permissions(permissions)?,
            (true, false) => self.flat(flat)?,
        };
        if asked.len() > MAX_PERMITS {
            return Err(rules_limit());
        }
        Ok(asked)
    }

    fn permit(&self, traffic: Traffic, peer: Peer) -> Permit {
        Permit {
            egress: self.egress,
            traffic,
            peer,
        }
    }

    fn permissions(&self, permissions: Vec<IpPermission>) -> Result<Vec<Asked>> {
        let mut asked = Vec::new();
        for permission in permissions {
            let IpPermission {
                from_port,
                ip_protocol,
                ip_ranges,
                ipv6_ranges,
                prefix_list_ids,
                to_port,
                user_id_group_pairs,
            } = permission;
            refuse::list("PrefixListIds", prefix_list_ids)?;
            let traffic = traffic(ip_protocol.as_deref(), from_port, to_port)?;
            let before = asked.len();
            for IpRange { cidr_ip, description } in ip_ranges.unwrap_or_default() {
                let cidr_ip = cidr_ip.ok_or_else(|| error::missing("CidrIp"))?;
                let peer = Peer::V4(cidr::peer_v4(&cidr_ip)?);
                asked.push(Asked {
                    permit: self.permit(traffic, peer),
                    description: checked(description)?,
                });
            }
            for Ipv6Range {
                cidr_ipv6,
                description,
            } in ipv6_ranges.unwrap_or_default()
            {
                let cidr_ipv6 = cidr_ipv6.ok_or_else(|| error::missing("CidrIpv6"))?;
                let peer = Peer::V6(cidr::peer_v6(&cidr_ipv6)?);
                asked.push(Asked {
                    permit: self.permit(traffic, peer),
                    description: checked(description)?,
                });
            }
            for pair in user_id_group_pairs.unwrap_or_default() {
                let (peer, description) = self.pair(pair)?;
                asked.push(Asked {
                    permit: self.permit(traffic, peer),
                    description: checked(description)?,
                });
            }
            if asked.len() == before {
                return Err(error::missing_because(
                    "A permission must contain one of the parameters ipRanges, ipv6Ranges or userIdGroupPairs",
                ));
            }
        }
        Ok(asked)
    }

    fn pair(&self, pair: UserIdGroupPair) -> Result<(Peer, Option<String>)> {
        let UserIdGroupPair {
            description,
            group_id,
            group_name,
            peering_status,
            user_id,
            vpc_id,
            vpc_peering_connection_id,
        } = pair;
        refuse::text("PeeringStatus", peering_status)?;
        refuse::text("VpcPeeringConnectionId", vpc_peering_connection_id)?;
        self.owner("UserId", user_id.as_deref())?;
        // Describe calls answer ids alone, so a pair may carry its id and the name together.
        let name = if group_id.as_ref().is_some_and(|id| !id.is_empty()) {
            None
        } else {
            group_name.as_deref()
        };
        let group = self.realm.group_by(group_id.as_deref(), name)?;
        if let Some(given) = &group_name
            && !given.is_empty()
            && !given.eq_ignore_ascii_case(&group.value.name)
        {
            return Err(error::invalid_value(format!(
                "The group name '{}' does not belong to the group '{}'",
                error::clip(given),
                group.value.id
            )));
        }
        if vpc_id
            .as_ref()
            .is_some_and(|vpc| !vpc.is_empty() && *vpc != group.value.vpc.as_str())
        {
            return Err(error::unsupported("VpcId of another VPC"));
        }
        Ok((self.same_network(&group.value)?, description))
    }

    /// Groups of other accounts cannot be sources.
    fn owner(&self, member: &str, owner: Option<&str>) -> Result<()> {
        match owner {
            Some(owner) if !owner.is_empty() && owner != self.account => {
                Err(error::unsupported(&format!("{member} of another account")))
            }
            _ => Ok(()),
        }
    }

    fn same_network(&self, group: &Group) -> Result<Peer> {
        if group.vpc == self.group.vpc {
            Ok(Peer::Group(group.id.clone()))
        } else {
            Err(error::other(
                "InvalidGroup.NotFound",
                "You have specified two resources that belong to different networks.",
            ))
        }
    }

    fn flat(&self, flat: Flat) -> Result<Vec<Asked>> {
        let Flat {
            cidr_ip,
            from_port,
            ip_protocol,
            source_security_group_name,
            source_security_group_owner_id,
            to_port,
        } = flat;
        self.owner(
            "SourceSecurityGroupOwnerId",
            source_security_group_owner_id.as_deref(),
        )?;
        let Some(source) = source_security_group_name else {
            if source_security_group_owner_id.is_some() {
                return Err(error::missing("sourceSecurityGroupName"));
            }
            let cidr_ip = cidr_ip.ok_or_else(|| error::missing_because("Source group or CIDR missing"))?;
            let traffic = traffic(ip_protocol.as_deref(), from_port, to_port)?;
            if matches!(traffic, Traffic::Icmpv6 { .. }) {
                return Err(error::invalid_value(
                    "To specify icmpv6, use IP permissions instead.",
                ));
            }
            let permit = self.permit(traffic, Peer::V4(cidr::peer_v4(&cidr_ip)?));
            return Ok(vec![Asked {
                permit,
                description: None,
            }]);
        };
        if cidr_ip.is_some() || from_port.is_some() || ip_protocol.is_some() || to_port.is_some() {
            return Err(error::combination(
                "The parameter sourceSecurityGroupName cannot be used with cidrIp, fromPort, ipProtocol or toPort",
            ));
        }
        let peer = self.same_network(&self.realm.group_named(&source)?.value)?;
        let everything = [
            Traffic::Tcp {
                from: 0,
                to: u16::MAX,
            },
            Traffic::Udp {
                from: 0,
                to: u16::MAX,
            },
            Traffic::Icmp {
                kind: None,
                code: None,
            },
        ];
        Ok(everything
            .into_iter()
            .map(|traffic| Asked {
                permit: self.permit(traffic, peer.clone()),
                description: None,
            })
            .collect())
    }
}

pub(crate) fn rules_limit() -> roadstead_protocol::ApiError {
    error::other(
        "RulesPerSecurityGroupLimitExceeded",
        "The maximum number of rules per security group has been reached.",
    )
}

/// Whether a text is made of what names and descriptions of groups and rules may have.
pub(crate) fn plain(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c))
}

fn checked(description: Option<String>) -> Result<Option<String>> {
    match description {
        Some(text) if text.is_empty() => Ok(None),
        Some(text) if text.chars().count() <= DESCRIPTION && plain(&text) => Ok(Some(text)),
        Some(_) => Err(error::invalid_value(
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the following \
             set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
        )),
        None => Ok(None),
    }
}

/// Protocol and ports as documented: names or numbers, -1 for everything.
fn traffic(protocol: Option<&str>, from: Option<i32>, to: Option<i32>) -> Result<Traffic> {
    let protocol = protocol
        .filter(|text| !text.is_empty())
        .ok_or_else(|| error::missing("ipProtocol"))?;
    match protocol.to_ascii_lowercase().as_str() {
        "-1" | "all" => Ok(Traffic::All),
        "tcp" | "6" => ports(from, to).map(|(from, to)| Traffic::Tcp { from, to }),
        "udp" | "17" => ports(from, to).map(|(from, to)| Traffic::Udp { from, to }),
        "icmp" | "1" => {
            let (Some(from), Some(to)) = (from, to) else {
                return Err(error::invalid_value(
                    "Invalid value 'Must specify both from and to ports with ICMP.' for portRange.",
                ));
            };
            icmp(from, to).map(|(kind, code)| Traffic::Icmp { kind, code })
        }
        "icmpv6" | "58" => {
            icmp(from.unwrap_or(-1), to.unwrap_or(-1)).map(|(kind, code)| Traffic::Icmpv6 { kind, code })
        }
        number => number.parse::<u8>().map(Traffic::Number).map_err(|_| {
            error::invalid_value(format!(
                "Invalid value '{}' for IP protocol. Unknown protocol.",
                error::clip(protocol)
            ))
        }),
    }
}

fn ports(from: Option<i32>, to: Option<i32>) -> Result<(u16, u16)> {
    let (Some(from), Some(to)) = (from, to) else {
        return Err(error::invalid_value(
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        ));
    };
    let port = |port: i32| {
        u16::try_from(port).map_err(|_| error::invalid_value(format!("TCP/UDP port ({port}) out of range")))
    };
    let (from, to) = (port(from)?, port(to)?);
    if from > to {
        return Err(error::invalid_value(format!(
            "Invalid TCP/UDP port range ({from}:{to})"
        )));
    }
    Ok((from, to))
}

fn icmp(kind: i32, code: i32) -> Result<(Option<u8>, Option<u8>)> {
    let part = |what: &str, value: i32| match value {
        -1 => Ok(None),
        value => u8::try_from(value)
            .map(Some)
            .map_err(|_| error::invalid_value(format!("ICMP {what} ({value}) out of range"))),
    };
    let (kind, code) = (part("type", kind)?, part("code", code)?);
    if kind.is_none() && code.is_some() {
        return Err(error::invalid_value(
            "ICMP code must be -1 (all) if the ICMP type is -1 (all)",
        ));
    }
    Ok((kind, code))
}

#[cfg(test)]
mod tests;
