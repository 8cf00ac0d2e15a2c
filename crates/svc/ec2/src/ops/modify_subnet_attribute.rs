//! ModifySubnetAttribute: one attribute at a time. Those that Roadstead has no use for can be set to what
//! they are.

use roadstead_api_ec2::{AttributeBooleanValue, HostnameType, ModifySubnetAttributeRequest};
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::records::Subnet;
use crate::refuse;
use crate::service::Ec2;

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: ModifySubnetAttributeRequest) -> Result<()> {
    let ModifySubnetAttributeRequest {
        subnet_id,
        assign_ipv6_address_on_creation,
        customer_owned_ipv4_pool,
        disable_lni_at_device_index,
        enable_dns64,
        enable_lni_at_device_index,
        enable_resource_name_dns_aaaa_record_on_launch,
        enable_resource_name_dns_a_record_on_launch,
        map_customer_owned_ip_on_launch,
        map_public_ip_on_launch,
        private_dns_hostname_type_on_launch,
    } = input;
    refuse::text("CustomerOwnedIpv4Pool", customer_owned_ipv4_pool)?;
    refuse::given("EnableLniAtDeviceIndex", enable_lni_at_device_index)?;
    let off = [
        ("DisableLniAtDeviceIndex", disable_lni_at_device_index),
        ("EnableDns64", enable_dns64),
        (
            "EnableResourceNameDnsAAAARecordOnLaunch",
            enable_resource_name_dns_aaaa_record_on_launch,
        ),
        (
            "EnableResourceNameDnsARecordOnLaunch",
            enable_resource_name_dns_a_record_on_launch,
        ),
        ("MapCustomerOwnedIpOnLaunch", map_customer_owned_ip_on_launch),
        ("MapPublicIpOnLaunch", map_public_ip_on_launch),
    ];
    let mut given = 0;
    for (member, value) in off {
        let Some(AttributeBooleanValue { value }) = value else {
            continue;
        };
        given += 1;
        refuse::flag(member, value)?;
    }
    refuse::given(
        "PrivateDnsHostnameTypeOnLaunch",
        private_dns_hostname_type_on_launch
            .inspect(|_| given += 1)
            .filter(|kind| *kind != HostnameType::IpName),
    )?;
    let assign = assign_ipv6_address_on_creation
        .inspect(|_| given += 1)
        .map(|AttributeBooleanValue { value }| {
            value.ok_or_else(|| error::missing("assignIpv6AddressOnCreation.Value"))
        })
        .transpose()?;
    match given {
        0 => {
            return Err(error::missing_because(
                "The request must contain an attribute of the subnet to modify",
            ));
        }
        1 => {}
        _ => {
            return Err(error::combination(
                "Only one attribute of a subnet can be modified at a time",
            ));
        }
    }
    ec2.change(ctx, None, |realm, _, plan| {
        let entry = realm.subnet(&subnet_id)?;
        let Some(assign) = assign.filter(|assign| *assign != entry.value.assign_ipv6) else {
            return Ok(());
        };
        if assign && entry.value.ipv6.is_none() {
            return Err(error::invalid_value(format!(
                "Invalid value 'true' for assignIpv6AddressOnCreation. The subnet '{subnet_id}' does not have an \
                 IPv6 CIDR block."
            )));
        }
        let subnet = Subnet {
            assign_ipv6: assign,
            ..entry.value.clone()
        };
        plan.replace(entry, &subnet)
    })
    .await
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{AttributeBooleanValue, Ec2 as _, HostnameType, ModifySubnetAttributeRequest};

    use crate::testing::{Bench, fails, refused};

    fn of(subnet: &str) -> ModifySubnetAttributeRequest {
        ModifySubnetAttributeRequest {
            subnet_id: subnet.to_owned(),
            ..Default::default()
        }
    }

    fn flag(value: bool) -> Option<AttributeBooleanValue> {
        Some(AttributeBooleanValue { value: Some(value) })
    }

    #[tokio::test]
    async fn modify_subnet_attribute_gives_new_interfaces_an_ipv6_address() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let dual = bench.dual_stack().await;
        let before = bench.interface(&ctx, &dual.subnet).await;
        assert_eq!(before.ipv6_addresses, Some(Vec::new()));
        bench.assign_on_creation(&dual.subnet, true).await;
        bench.assign_on_creation(&dual.subnet, true).await;
        bench.restart().await;
        let shown = bench.shown_subnet(&dual.subnet).await;
        assert_eq!(shown.assign_ipv6_address_on_creation, Some(true));
        let after = bench.interface(&ctx, &dual.subnet).await;
        let addresses = after.ipv6_addresses.expect("addresses");
        assert_eq!(addresses.len(), 1);
        assert_eq!(after.ipv6_address, addresses[0].ipv6_address);
        bench.assign_on_creation(&dual.subnet, false).await;
        let later = bench.interface(&ctx, &dual.subnet).await;
        assert_eq!(later.ipv6_addresses, Some(Vec::new()));
    }

    #[tokio::test]
    async fn modify_subnet_attribute_refuses_what_has_no_effect() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (_, subnet) = bench.network().await;
        let ask = async |input| bench.ec2.modify_subnet_attribute(&ctx, input).await;
        let base = || of(&subnet);
        let with = |value: bool| {
            [
                (
                    "DisableLniAtDeviceIndex",
                    ModifySubnetAttributeRequest {
                        disable_lni_at_device_index: flag(value),
                        ..base()
                    },
                ),
                (
                    "EnableDns64",
                    ModifySubnetAttributeRequest {
                        enable_dns64: flag(value),
                        ..base()
                    },
                ),
                (
                    "EnableResourceNameDnsAAAARecordOnLaunch",
                    ModifySubnetAttributeRequest {
                        enable_resource_name_dns_aaaa_record_on_launch: flag(value),
                        ..base()
                    },
                ),
                (
                    "EnableResourceNameDnsARecordOnLaunch",
                    ModifySubnetAttributeRequest {
                        enable_resource_name_dns_a_record_on_launch: flag(value),
                        ..base()
                    },
                ),
                (
                    "MapCustomerOwnedIpOnLaunch",
                    ModifySubnetAttributeRequest {
                        map_customer_owned_ip_on_launch: flag(value),
                        ..base()
                    },
                ),
                (
                    "MapPublicIpOnLaunch",
                    ModifySubnetAttributeRequest {
                        map_public_ip_on_launch: flag(value),
                        ..base()
                    },
                ),
                (
                    "PrivateDnsHostnameTypeOnLaunch",
                    ModifySubnetAttributeRequest {
                        private_dns_hostname_type_on_launch: Some(if value {
                            HostnameType::ResourceName
                        } else {
                            HostnameType::IpName
                        }),
                        ..base()
                    },
                ),
            ]
        };
        for (member, request) in with(true) {
            refused(ask(request).await, member);
        }
        for (member, request) in with(false) {
            ask(request)
                .await
                .unwrap_or_else(|error| panic!("{member}: {error}"));
        }
        refused(
            ask(ModifySubnetAttributeRequest {
                customer_owned_ipv4_pool: Some("coip-pool-1".to_owned()),
                ..base()
            })
            .await,
            "CustomerOwnedIpv4Pool",
        );
        refused(
            ask(ModifySubnetAttributeRequest {
                enable_lni_at_device_index: Some(1),
                ..base()
            })
            .await,
            "EnableLniAtDeviceIndex",
        );
        fails(ask(base()).await, "MissingParameter", "attribute of the subnet");
        fails(
            ask(ModifySubnetAttributeRequest {
                assign_ipv6_address_on_creation: flag(false),
                map_public_ip_on_launch: flag(false),
                ..base()
            })
            .await,
            "InvalidParameterCombination",
            "one attribute",
        );
        let assign = |subnet: &str, value| ModifySubnetAttributeRequest {
            assign_ipv6_address_on_creation: Some(AttributeBooleanValue { value }),
            ..of(subnet)
        };
        fails(
            ask(assign(&subnet, Some(true))).await,
            "InvalidParameterValue",
            "does not have an IPv6 CIDR block",
        );
        fails(ask(assign(&subnet, None)).await, "MissingParameter", "Value");
        fails(
            ask(assign("subnet-0123", Some(true))).await,
            "InvalidSubnetID.NotFound",
            "subnet-0123",
        );
    }
}
