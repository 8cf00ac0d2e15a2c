//! That the service works behind dispatch as other services reach it: model checks, the neutral form and back.

use std::sync::Arc;

use roadstead_api_ec2::{
    AttachNetworkInterfaceRequest, Client, CreateNetworkInterfaceRequest, DescribeNetworkInterfacesRequest,
    DescribeSubnetsRequest, Server,
};
use roadstead_base::Pager;
use roadstead_dispatch::Dispatcher;

use crate::testing::{Bench, NOW, fails, filter, id};

#[tokio::test]
async fn another_service_makes_and_attaches_an_interface() {
    let bench = Bench::new().await;
    let (account, region) = (bench.root().account, bench.root().region);
    let dispatcher = Dispatcher::new(bench.clock.clone(), Pager::new([1; 32]), account.clone());
    dispatcher.register(Arc::new(Server(bench.ec2.clone())));
    let client = Client(dispatcher.clone());
    let ctx = dispatcher.internal_ctx("ecs.amazonaws.com", account, region);
    let input = DescribeSubnetsRequest {
        filters: filter("default-for-az", &["true"]),
        ..Default::default()
    };
    let subnets = client
        .describe_subnets(&ctx, input)
        .await
        .expect("an answer")
        .subnets
        .expect("subnets");
    let input = CreateNetworkInterfaceRequest {
        subnet_id: subnets[0].subnet_id.clone().expect("an id"),
        client_token: Some("attachment".to_owned()),
        ..Default::default()
    };
    let made = client
        .create_network_interface(&ctx, input.clone())
        .await
        .expect("made");
    assert_eq!(
        client.create_network_interface(&ctx, input).await,
        Ok(made.clone())
    );
    let interface = id(&made.network_interface.expect("an interface"));
    let input = AttachNetworkInterfaceRequest {
        device_index: 1,
        instance_id: "i-0a".to_owned(),
        network_interface_id: interface.clone(),
        ..Default::default()
    };
    client
        .attach_network_interface(&ctx, input)
        .await
        .expect("attached");
    let input = DescribeNetworkInterfacesRequest {
        network_interface_ids: Some(vec![interface]),
        ..Default::default()
    };
    let shown = client
        .describe_network_interfaces(&ctx, input)
        .await
        .expect("an answer");
    let attachment = shown
        .network_interfaces
        .expect("interfaces")
        .remove(0)
        .attachment
        .expect("an attachment");
    assert_eq!(attachment.attach_time, Some(NOW));
    let input = DescribeNetworkInterfacesRequest {
        max_results: Some(1),
        ..Default::default()
    };
    fails(
        client.describe_network_interfaces(&ctx, input).await,
        "InvalidParameterValue",
        "MaxResults",
    );
}
