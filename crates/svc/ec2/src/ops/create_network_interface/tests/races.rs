//! Creations at the same time, in one server and in two.

use std::collections::BTreeSet;

use roadstead_api_ec2::Ec2 as _;

use super::of;
use crate::testing::{Bench, address};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn interfaces_made_at_the_same_time_never_share_an_address() {
    let bench = Bench::new().await;
    let ctx = bench.root();
    let vpc = bench.vpc("10.0.0.0/16").await.vpc_id.expect("an id");
    let subnet = bench.subnet(&vpc, "10.0.0.0/26").await.subnet_id.expect("an id");
    let calls = (0..64).map(|_| {
        let (ec2, ctx, input) = (bench.ec2.clone(), ctx.clone(), of(&subnet));
        tokio::spawn(async move { ec2.create_network_interface(&ctx, input).await })
    });
    let (mut given, mut refused) = (BTreeSet::new(), 0);
    for call in futures_util::future::join_all(calls).await {
        match call.expect("no panic") {
            Ok(made) => assert!(given.insert(address(&made.network_interface.expect("an interface")))),
            Err(error) => {
                assert_eq!(error.code, "InsufficientFreeAddressesInSubnet");
                refused += 1;
            }
        }
    }
    assert_eq!(
        (given.len(), refused),
        (59, 5),
        "every address of the subnet, and no more"
    );
}

/// Two servers on one store know nothing of each other's calls: the store alone keeps them apart.
#[tokio::test]
async fn two_servers_never_give_the_same_address() {
    let bench = Bench::new().await;
    let ctx = bench.root();
    let (_, subnet) = bench.network().await;
    let options = crate::Options::default();
    let other = crate::Ec2::new(bench.store.clone(), bench.clock.clone(), options)
        .await
        .expect("a service");
    let calls = (0..40).map(|i| {
        let server = if i % 2 == 0 { &bench.ec2 } else { &other };
        server.create_network_interface(&ctx, of(&subnet))
    });
    let given: BTreeSet<_> = futures_util::future::join_all(calls)
        .await
        .into_iter()
        .map(|made| address(&made.expect("made").network_interface.expect("an interface")))
        .collect();
    assert_eq!(given.len(), 40);
}
