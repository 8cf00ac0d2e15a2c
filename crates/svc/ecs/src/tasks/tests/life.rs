//! The way of a task.

use roadstead_acs::ToAgent;
use serde_json::json;

use crate::harness::{GROUP, MACHINE, SUBNET_A, SUBNET_B, SUBNET_DUAL, awsvpc, cloud, definition, text};

#[tokio::test]
async fn a_task_with_its_own_interface_runs_and_stops() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 2).await;
    let mut agent = cloud.agent(&instance).await;
    assert_eq!(agent.manifest().await.tasks, []);
    cloud
        .call("RegisterTaskDefinition", definition("web", "awsvpc", |_| {}))
        .await
        .expect("registers");
    let task = cloud
        .run(
            json!({"taskDefinition": "web", "networkConfiguration": {"awsvpcConfiguration": {
                "subnets": [SUBNET_B, SUBNET_A], "securityGroups": [GROUP],
            }}}),
        )
        .await;
    let arn = text(&task["taskArn"]);
    assert_eq!(
        (task["lastStatus"].clone(), task["desiredStatus"].clone()),
        (json!("PROVISIONING"), json!("RUNNING"))
    );
    assert_eq!(task["attachments"][0]["status"], "PRECREATED");
    assert_eq!(
        (task["group"].clone(), task["launchType"].clone()),
        (json!("family:web"), json!("EC2"))
    );

    // The map, the interface and the task come in this order, one right behind the other.
    let (before, payload) = agent.payload().await;
    let kinds: Vec<&str> = before.iter().map(ToAgent::kind).collect();
    assert_eq!(
        kinds,
        ["RoadsteadNetworkMapMessage", "AttachTaskNetworkInterfacesMessage"]
    );
    let ToAgent::AttachTaskNetworkInterfaces(attach) = &before[1] else {
        panic!("{before:?}")
    };
    let sent = &payload.tasks[0];
    assert_eq!(
        (
            sent.arn.as_str(),
            sent.desired_status.as_str(),
            sent.network_mode.as_str()
        ),
        (&*arn, "RUNNING", "awsvpc")
    );
    assert_eq!(attach.elastic_network_interfaces, sent.elastic_network_interfaces);
    let interface = &sent.elastic_network_interfaces[0];
    assert_eq!(interface.subnet_gateway_ipv4_address, "172.31.0.1/20");
    assert_eq!(interface.domain_name_servers, ["172.31.0.2"]);
    assert_eq!(interface.ipv4_addresses[0].private_address, "172.31.0.10");
    let attached = cloud.network.interfaces();
    let attachment = attached[0].attachment.clone().expect("attached");
    assert_eq!(attachment.instance_id.as_deref(), Some(MACHINE));
    assert_eq!(
        attached[0].subnet_id.as_deref(),
        Some(SUBNET_A),
        "the subnet of the node's own zone"
    );

    let pending = cloud.task_when(&arn, "PENDING").await;
    assert_eq!(
        (
            pending["lastStatus"].clone(),
            pending["attachments"][0]["status"].clone()
        ),
        (json!("PENDING"), json!("ATTACHING"))
    );
    cloud
        .call("SubmitTaskStateChange", json!({
            "cluster": "default", "task": arn, "status": "RUNNING", "reason": "",
            "containers": [{"containerName": "app", "runtimeId": "abc", "status": "RUNNING", "imageDigest": "sha256:1"}],
            "pullStartedAt": 1_700_000_000.5, "pullStoppedAt": 1_700_000_001.0,
        }))
        .await
        .expect("is acknowledged");
    let running = cloud.task(&arn).await;
    assert_eq!(running["lastStatus"], "RUNNING");
    assert_eq!(running["attachments"][0]["status"], "ATTACHED");
    let details = running["attachments"][0]["details"]
        .as_array()
        .expect("details")
        .clone();
    let names: Vec<String> = details.iter().map(|detail| text(&detail["name"])).collect();
    assert_eq!(
        names,
        [
            "subnetId",
            "networkInterfaceId",
            "macAddress",
            "privateDnsName",
            "privateIPv4Address"
        ]
    );
    let container = &running["containers"][0];
    assert_eq!(
        container["networkInterfaces"][0]["privateIpv4Address"],
        "172.31.0.10"
    );
    assert_eq!(
        container["networkInterfaces"][0]["attachmentId"],
        running["attachments"][0]["id"]
    );
    assert_eq!(
        (
            container["networkBindings"].clone(),
            container["healthStatus"].clone()
        ),
        (json!([]), json!("UNKNOWN"))
    );
    assert_eq!(
        (container["cpu"].clone(), container["memory"].clone()),
        (json!("100"), json!("200"))
    );
    assert_eq!(running["containerInstanceArn"], instance);
    assert_eq!(
        (
            running["availabilityZone"].clone(),
            running["connectivity"].clone()
        ),
        (json!("us-east-1a"), json!("CONNECTED"))
    );
    assert_eq!(cloud.remaining(&instance, "CPU").await, 924);
    assert_eq!(cloud.remaining(&instance, "MEMORY").await, 800);

    let stopped = cloud
        .call("StopTask", json!({"task": arn, "reason": "enough"}))
        .await
        .expect("stops");
    assert_eq!(
        (
            stopped["task"]["desiredStatus"].clone(),
            stopped["task"]["lastStatus"].clone()
        ),
        (json!("STOPPED"), json!("RUNNING"))
    );
    let (_, payload) = agent.payload().await;
    assert_eq!(payload.tasks[0].desired_status, "STOPPED");
    assert_eq!(
        cloud.task_when(&arn, "STOPPING").await["stopCode"],
        "UserInitiated"
    );
    cloud
        .call(
            "SubmitTaskStateChange",
            json!({
                "cluster": "default", "task": arn, "status": "STOPPED", "reason": "",
                "containers": [{"containerName": "app", "exitCode": 137, "status": "STOPPED"}],
            }),
        )
        .await
        .expect("is acknowledged");
    let gone = cloud.task_when(&arn, "STOPPED").await;
    assert_eq!(
        (gone["stopCode"].clone(), gone["stoppedReason"].clone()),
        (json!("UserInitiated"), json!("enough"))
    );
    assert_eq!(gone["attachments"][0]["status"], "DELETED");
    assert_eq!(gone["containers"][0]["exitCode"], 137);
    assert!(cloud.network.interfaces().is_empty());
    assert_eq!(cloud.remaining(&instance, "CPU").await, 1024);
    for time in [
        "createdAt",
        "pullStartedAt",
        "pullStoppedAt",
        "startedAt",
        "stoppingAt",
        "stoppedAt",
        "executionStoppedAt",
    ] {
        assert!(gone[time].is_number(), "{time}: {gone:#}");
    }
}

/// Where the subnet has a block and the account's setting allows it, as it does until somebody says otherwise.
#[tokio::test]
async fn a_task_in_a_dual_stack_subnet_has_an_ipv6_address() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 3).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    cloud
        .call("RegisterTaskDefinition", definition("web", "awsvpc", |_| {}))
        .await
        .expect("registers");
    let start = async |subnet: &str| {
        let request = json!({"taskDefinition": "web", "networkConfiguration": awsvpc(&[subnet], &[GROUP])});
        text(&cloud.run(request).await["taskArn"])
    };
    let dual = start(SUBNET_DUAL).await;
    let (_, payload) = agent.payload().await;
    let interface = &payload.tasks[0].elastic_network_interfaces[0];
    let addresses: Vec<&str> = interface
        .ipv6_addresses
        .iter()
        .map(|one| one.address.as_str())
        .collect();
    assert_eq!(addresses, ["fd00:0:0:1::10a"]);
    assert_eq!(interface.subnet_gateway_ipv6_address, "fd00:0:0:1::1/64");
    let shown = cloud.task_when(&dual, "PENDING").await;
    let details = shown["attachments"][0]["details"].as_array().expect("details");
    assert!(
        details.contains(&json!({"name": "ipv6Address", "value": "fd00:0:0:1::10a"})),
        "{details:?}"
    );
    let container = &shown["containers"][0]["networkInterfaces"][0];
    assert_eq!(container["ipv6Address"], "fd00:0:0:1::10a");

    let without = async |subnet: &str| {
        let task = start(subnet).await;
        let shown = cloud.task_when(&task, "PENDING").await;
        assert_eq!(
            shown["containers"][0]["networkInterfaces"][0].get("ipv6Address"),
            None
        );
    };
    without(SUBNET_A).await;
    let (_, payload) = agent.payload().await;
    let plain = &payload.tasks[0].elastic_network_interfaces[0];
    assert!(plain.ipv6_addresses.is_empty() && plain.subnet_gateway_ipv6_address.is_empty());
    let off = json!({"name": "dualStackIPv6", "value": "disabled"});
    cloud.call("PutAccountSetting", off).await.expect("put");
    without(SUBNET_DUAL).await;
}
