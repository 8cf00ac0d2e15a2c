//! Addresses, tokens, groups and owners of new interfaces.

mod races;
mod refused;

use std::collections::BTreeSet;

use roadstead_api_ec2::{
    CreateNetworkInterfaceRequest, DeleteNetworkInterfaceRequest, Ec2 as _, NetworkInterface,
    NetworkInterfaceStatus, PrivateIpAddressSpecification,
};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::testing::{Bench, address, fails, id, tag, tagged};

fn of(subnet: &str) -> CreateNetworkInterfaceRequest {
    CreateNetworkInterfaceRequest {
        subnet_id: subnet.to_owned(),
        ..Default::default()
    }
}

async fn make(
    bench: &Bench,
    ctx: &Ctx,
    input: CreateNetworkInterfaceRequest,
) -> Result<NetworkInterface, ApiError> {
    let made = bench.ec2.create_network_interface(ctx, input).await?;
    Ok(made.network_interface.expect("an interface"))
}

async fn delete(bench: &Bench, ctx: &Ctx, interface: &NetworkInterface) {
    let input = DeleteNetworkInterfaceRequest {
        network_interface_id: id(interface),
        ..Default::default()
    };
    bench
        .ec2
        .delete_network_interface(ctx, input)
        .await
        .expect("gone");
}

fn listed(address: &str, primary: Option<bool>) -> PrivateIpAddressSpecification {
    PrivateIpAddressSpecification {
        private_ip_address: Some(address.to_owned()),
        primary,
    }
}

fn addresses(interface: &NetworkInterface) -> Vec<(String, bool)> {
    let all = interface
        .private_ip_addresses
        .clone()
        .expect("addresses")
        .into_iter();
    all.filter_map(|one| Some((one.private_ip_address?, one.primary?)))
        .collect()
}

#[tokio::test]
async fn create_network_interface_gives_the_first_free_address() {
    let mut bench = Bench::new().await;
    let ctx = bench.root();
    let (vpc, subnet) = bench.network().await;
    let input = CreateNetworkInterfaceRequest {
        description: Some("mine".to_owned()),
        tag_specifications: tagged("network-interface", "Name", "x"),
        ..of(&subnet)
    };
    let made = make(&bench, &ctx, input).await.expect("an interface");
    assert!(id(&made).starts_with("eni-") && id(&made).len() == 21);
    assert_eq!(addresses(&made), [("10.0.0.4".to_owned(), true)]);
    assert_eq!(made.private_dns_name.as_deref(), Some("ip-10-0-0-4.ec2.internal"));
    assert_eq!(
        (made.vpc_id.as_ref(), made.subnet_id.as_ref()),
        (Some(&vpc), Some(&subnet))
    );
    assert_eq!(made.availability_zone.as_deref(), Some("us-east-1a"));
    assert_eq!(made.status, Some(NetworkInterfaceStatus::Available));
    assert_eq!(
        (made.requester_managed, made.requester_id.as_ref()),
        (Some(false), None)
    );
    assert_eq!(
        (made.source_dest_check, made.description.as_deref()),
        (Some(true), Some("mine"))
    );
    // What the request calls Tags is called TagSet here.
    assert_eq!(made.tag_set, Some(vec![tag("Name", "x")]));
    let groups = made.groups.clone().expect("groups");
    assert_eq!(
        (groups.len(), groups[0].group_name.as_deref()),
        (1, Some("default"))
    );
    let mac = made.mac_address.clone().expect("a MAC");
    assert!(mac.starts_with("02:") && mac.len() == 17, "{mac}");
    bench.restart().await;
    assert_eq!(bench.shown_interface(&id(&made)).await, made);
    assert_eq!(
        bench.shown_subnet(&subnet).await.available_ip_address_count,
        Some(250)
    );
}

#[tokio::test]
async fn an_address_that_came_free_rests_behind_those_never_used() {
    let bench = Bench::new().await;
    let ctx = bench.root();
    let vpc = bench.vpc("10.0.0.0/16").await.vpc_id.expect("an id");
    let subnet = bench.subnet(&vpc, "10.0.0.0/28").await.subnet_id.expect("an id");
    let first = bench.interface(&ctx, &subnet).await;
    let second = bench.interface(&ctx, &subnet).await;
    bench.clock.advance(1000);
    delete(&bench, &ctx, &second).await;
    bench.clock.advance(1000);
    delete(&bench, &ctx, &first).await;
    let mut given = Vec::new();
    for _ in 0..11 {
        given.push(address(&bench.interface(&ctx, &subnet).await).octets()[3]);
    }
    assert_eq!(
        given,
        [6, 7, 8, 9, 10, 11, 12, 13, 14, 5, 4],
        "the one free for longest first"
    );
    fails(
        make(&bench, &ctx, of(&subnet)).await,
        "InsufficientFreeAddressesInSubnet",
        &subnet,
    );
    assert_eq!(
        bench.shown_subnet(&subnet).await.available_ip_address_count,
        Some(0)
    );
}

#[tokio::test]
async fn addresses_can_be_chosen() {
    let bench = Bench::new().await;
    let ctx = bench.root();
    let (_, subnet) = bench.network().await;
    let text = |text: &str| Some(text.to_owned());
    let one = CreateNetworkInterfaceRequest {
        private_ip_address: text("10.0.0.77"),
        ..of(&subnet)
    };
    assert_eq!(
        addresses(&make(&bench, &ctx, one.clone()).await.expect("made")),
        [("10.0.0.77".to_owned(), true)]
    );
    fails(
        make(&bench, &ctx, one).await,
        "InvalidIPAddress.InUse",
        "10.0.0.77",
    );
    for (wrong, words) in [
        (
            "10.0.1.4",
            "Address does not fall within the subnet's address range",
        ),
        ("10.0.0.3", "Address is in subnet's reserved address range"),
        ("10.0.0.255", "Address is in subnet's reserved address range"),
        ("ten", "Invalid IPv4 address"),
    ] {
        let input = CreateNetworkInterfaceRequest {
            private_ip_address: text(wrong),
            ..of(&subnet)
        };
        fails(make(&bench, &ctx, input).await, "InvalidParameterValue", words);
    }
    let many = CreateNetworkInterfaceRequest {
        private_ip_addresses: Some(vec![
            listed("10.0.0.90", Some(false)),
            listed("10.0.0.91", Some(true)),
        ]),
        ..of(&subnet)
    };
    let wanted = [("10.0.0.91".to_owned(), true), ("10.0.0.90".to_owned(), false)];
    assert_eq!(addresses(&make(&bench, &ctx, many).await.expect("made")), wanted);
    let mixed = CreateNetworkInterfaceRequest {
        private_ip_address: text("10.0.0.95"),
        private_ip_addresses: Some(vec![listed("10.0.0.96", None)]),
        secondary_private_ip_address_count: Some(2),
        ..of(&subnet)
    };
    let given: Vec<_> = addresses(&make(&bench, &ctx, mixed).await.expect("made"))
        .into_iter()
        .map(|(a, _)| a)
        .collect();
    assert_eq!(given, ["10.0.0.95", "10.0.0.96", "10.0.0.4", "10.0.0.5"]);
    for (input, code) in [
        (
            CreateNetworkInterfaceRequest {
                private_ip_address: text("10.0.0.99"),
                private_ip_addresses: Some(vec![listed("10.0.0.98", Some(true))]),
                ..of(&subnet)
            },
            "InvalidParameterCombination",
        ),
        (
            CreateNetworkInterfaceRequest {
                private_ip_addresses: Some(vec![listed("10.0.0.98", None), listed("10.0.0.98", Some(true))]),
                ..of(&subnet)
            },
            "InvalidParameterValue",
        ),
        (
            CreateNetworkInterfaceRequest {
                private_ip_addresses: Some(vec![listed("10.0.0.98", None), listed("10.0.0.99", None)]),
                secondary_private_ip_address_count: Some(1),
                ..of(&subnet)
            },
            "InvalidParameterCombination",
        ),
        (
            CreateNetworkInterfaceRequest {
                secondary_private_ip_address_count: Some(-1),
                ..of(&subnet)
            },
            "InvalidParameterValue",
        ),
        (
            CreateNetworkInterfaceRequest {
                secondary_private_ip_address_count: Some(50),
                ..of(&subnet)
            },
            "PrivateIpAddressLimitExceeded",
        ),
        (
            CreateNetworkInterfaceRequest {
                private_ip_addresses: Some(vec![PrivateIpAddressSpecification::default()]),
                ..of(&subnet)
            },
            "MissingParameter",
        ),
    ] {
        fails(make(&bench, &ctx, input).await, code, "");
    }
    let most = CreateNetworkInterfaceRequest {
        secondary_private_ip_address_count: Some(49),
        ..of(&subnet)
    };
    let most = make(&bench, &ctx, most).await.expect("made");
    assert_eq!(addresses(&most).len(), 50);
    delete(&bench, &ctx, &most).await;
}

#[tokio::test]
async fn groups_of_an_interface_are_of_its_vpc() {
    let bench = Bench::new().await;
    let ctx = bench.root();
    let (vpc, subnet) = bench.network().await;
    let with = |groups: &[&str]| CreateNetworkInterfaceRequest {
        groups: Some(groups.iter().map(|group| (*group).to_owned()).collect()),
        ..of(&subnet)
    };
    let mut groups = Vec::new();
    for i in 0..6 {
        groups.push(bench.group(&vpc, &format!("g{i}")).await);
    }
    let names: Vec<&str> = groups.iter().map(String::as_str).collect();
    let made = make(&bench, &ctx, with(&[names[1], names[0], names[1]]))
        .await
        .expect("an interface");
    let worn: Vec<_> = made
        .groups
        .expect("groups")
        .into_iter()
        .filter_map(|group| group.group_name)
        .collect();
    assert_eq!(worn, ["g1", "g0"]);
    make(&bench, &ctx, with(&names[..5])).await.expect("five");
    fails(
        make(&bench, &ctx, with(&names)).await,
        "SecurityGroupsPerInterfaceLimitExceeded",
        "maximum",
    );
    fails(
        make(&bench, &ctx, with(&["sg-0123"])).await,
        "InvalidGroup.NotFound",
        "sg-0123",
    );
    fails(
        make(&bench, &ctx, with(&["g1"])).await,
        "InvalidGroupId.Malformed",
        "g1",
    );
    let elsewhere = bench.default_vpc().await.group_id;
    fails(
        make(&bench, &ctx, with(&[elsewhere.as_str()])).await,
        "InvalidParameter",
        "belong to different networks",
    );
    fails(
        make(&bench, &ctx, of("subnet-0123")).await,
        "InvalidSubnetID.NotFound",
        "subnet-0123",
    );
    let wrong = CreateNetworkInterfaceRequest {
        tag_specifications: tagged("instance", "a", "b"),
        ..of(&subnet)
    };
    fails(
        make(&bench, &ctx, wrong).await,
        "InvalidParameterValue",
        "'instance' is not a valid taggable",
    );
    let long = CreateNetworkInterfaceRequest {
        description: Some("x".repeat(256)),
        ..of(&subnet)
    };
    fails(
        make(&bench, &ctx, long).await,
        "InvalidParameterValue",
        "description",
    );
    let dry = CreateNetworkInterfaceRequest {
        dry_run: Some(true),
        ..of(&subnet)
    };
    fails(make(&bench, &ctx, dry.clone()).await, "DryRunOperation", "");
    fails(
        make(&bench, &bench.node(), dry).await,
        "UnauthorizedOperation",
        "",
    );
}

#[tokio::test]
async fn a_token_makes_one_interface() {
    let mut bench = Bench::new().await;
    let ctx = bench.root();
    let (_, subnet) = bench.network().await;
    let with = |token: &str, description: &str| CreateNetworkInterfaceRequest {
        client_token: Some(token.to_owned()),
        description: Some(description.to_owned()),
        ..of(&subnet)
    };
    let answer = bench
        .ec2
        .create_network_interface(&ctx, with("t1", "a"))
        .await
        .expect("made");
    assert_eq!(answer.client_token.as_deref(), Some("t1"));
    let first = answer.network_interface.expect("an interface");
    bench.restart().await;
    assert_eq!(
        make(&bench, &ctx, with("t1", "a")).await.expect("the same"),
        first
    );
    fails(
        make(&bench, &ctx, with("t1", "b")).await,
        "IdempotentParameterMismatch",
        "client token",
    );
    assert_ne!(
        id(&make(&bench, &ctx, with("t2", "a")).await.expect("another")),
        id(&first)
    );
    assert_ne!(
        id(&make(&bench, &bench.ecs(), with("t1", "a"))
            .await
            .expect("another's token")),
        id(&first)
    );
    let calls = (0..16).map(|_| make(&bench, &ctx, with("t3", "a")));
    let made: BTreeSet<_> = futures_util::future::join_all(calls)
        .await
        .into_iter()
        .map(|one| id(&one.expect("made")))
        .collect();
    assert_eq!(made.len(), 1, "also at the same time");
    delete(&bench, &ctx, &first).await;
    fails(
        make(&bench, &ctx, with("t1", "a")).await,
        "InvalidNetworkInterfaceID.NotFound",
        &id(&first),
    );
    bench.clock.advance(25 * 60 * 60 * 1000);
    assert_ne!(
        id(&make(&bench, &ctx, with("t1", "b"))
            .await
            .expect("a token of another day")),
        id(&first)
    );
    let long = with(&"t".repeat(65), "a");
    fails(
        make(&bench, &ctx, long).await,
        "InvalidParameterValue",
        "clientToken",
    );
    // Tokens that ran out do not pile up.
    for i in 0..4 {
        make(&bench, &ctx, with(&format!("later-{i}"), "a"))
            .await
            .expect("made");
    }
    let tokens = bench
        .ec2
        .read(&ctx, |realm| realm.tokens.len())
        .await
        .expect("an answer");
    assert_eq!(tokens, 5, "today's alone");
}

#[tokio::test]
async fn an_interface_of_the_platform_is_its_own() {
    let bench = Bench::new().await;
    let (_, subnet) = bench.network().await;
    let task = "arn:aws:ecs:us-east-1:000000000000:attachment/1";
    let input = CreateNetworkInterfaceRequest {
        client_token: Some("attachment-1".to_owned()),
        description: Some(task.to_owned()),
        ..of(&subnet)
    };
    let made = make(&bench, &bench.ecs(), input).await.expect("an interface");
    assert_eq!(
        (made.requester_managed, made.requester_id.as_deref()),
        (Some(true), Some("amazon-ecs"))
    );
    assert_eq!(made.description.as_deref(), Some(task));
    assert_eq!(
        id(&made),
        format!("eni-{}", roadstead_base::derived_hex("attachment-1", "eni", 17))
    );
    bench.clock.advance(48 * 60 * 60 * 1000);
    let input = CreateNetworkInterfaceRequest {
        client_token: Some("attachment-1".to_owned()),
        ..of(&subnet)
    };
    let again = make(&bench, &bench.ecs(), input)
        .await
        .expect("the same, days later");
    assert_eq!(id(&again), id(&made));
    let input = DeleteNetworkInterfaceRequest {
        network_interface_id: id(&made),
        ..Default::default()
    };
    let words = "You do not have permission to access the specified resource.";
    fails(
        bench.ec2.delete_network_interface(&bench.root(), input).await,
        "AuthFailure",
        words,
    );
    delete(&bench, &bench.ecs(), &made).await;
}
