"""The API as boto3 sees it: shapes, paging, tags, identity, both protocols."""

import pytest
from botocore.exceptions import ClientError
from roadstead import eventually


def test_the_node_is_an_instance_of_each_cluster_named(cloud):
    found = {}
    for cluster in cloud.clusters:
        arns = cloud.ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
        assert len(arns) == 1
        found[cluster] = cloud.ecs.describe_container_instances(cluster=cluster, containerInstances=arns)["containerInstances"][0]
    ids = {instance["ec2InstanceId"] for instance in found.values()}
    assert len(ids) == 1, "one machine"
    for instance in found.values():
        assert instance["status"] == "ACTIVE" and instance["agentConnected"]
        attributes = {attribute["name"]: attribute.get("value") for attribute in instance["attributes"]}
        assert attributes["ecs.os-type"] == "linux"
        assert attributes["ecs.availability-zone"].startswith(cloud.region)
        assert attributes["ecs.vpc-id"].startswith("vpc-")


def test_the_machine_is_sold_once(cloud):
    def remaining(cluster):
        arns = cloud.ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
        instance = cloud.ecs.describe_container_instances(cluster=cluster, containerInstances=arns)["containerInstances"][0]
        return {r["name"]: r.get("integerValue") for r in instance["remainingResources"] if r["type"] == "INTEGER"}

    before = {cluster: remaining(cluster) for cluster in cloud.clusters}
    assert before["default"] == before["awsvpc-ecs-demo"]
    definition = cloud.define("sold", {"name": "app", "image": "busybox", "command": ["sleep", "300"]}, fargate=True)
    arn = cloud.run(definition, launch="FARGATE")
    cloud.until(arn, "RUNNING")
    for cluster in cloud.clusters:
        after = remaining(cluster)
        assert after["CPU"] == before[cluster]["CPU"] - 256
        assert after["MEMORY"] == before[cluster]["MEMORY"] - 512
    cloud.stop(arn)
    assert {cluster: remaining(cluster) for cluster in cloud.clusters} == before


def test_fargate_sizes_are_held_by_the_kernel(cloud):
    definition = cloud.define(
        "sized", {"name": "app", "image": "busybox", "memory": 512, "command": ["tail", "/dev/zero"]}, fargate=True)
    codes, task, _ = cloud.finished(cloud.run(definition, launch="FARGATE"))
    assert codes == {"app": 137}, task
    with pytest.raises(ClientError) as caught:
        cloud.define("unsized", {"name": "app", "image": "busybox"}, fargate=True, cpu="300", memory="512")
    assert "No Fargate configuration exists for given values" in caught.value.response["Error"]["Message"]


def test_listings_page(cloud):
    for number in range(5):
        cloud.define(f"page-{number}", {"name": "app", "image": "busybox"})
    paginator = cloud.ecs.get_paginator("list_task_definition_families")
    pages = list(paginator.paginate(familyPrefix="page-", PaginationConfig={"PageSize": 2}))
    assert [len(page["families"]) for page in pages] == [2, 2, 1]
    assert [family for page in pages for family in page["families"]] == [f"page-{number}" for number in range(5)]
    with pytest.raises(ClientError) as caught:
        cloud.ecs.list_task_definition_families(nextToken="forged")
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
    groups = cloud.ec2.get_paginator("describe_security_groups").paginate(PaginationConfig={"PageSize": 5})
    names = [group["GroupId"] for page in groups for group in page["SecurityGroups"]]
    assert len(names) == len(set(names))


def test_accounts_and_regions_are_apart(cloud):
    other = cloud.client("ecs", account="111122223333")
    far = cloud.client("ecs", region="eu-west-1")
    other.create_cluster(clusterName="theirs")
    assert [arn.split("/")[1] for arn in other.list_clusters()["clusterArns"]] == ["theirs"]
    assert "theirs" not in str(cloud.ecs.list_clusters()["clusterArns"])
    assert far.list_clusters()["clusterArns"] == []
    vpcs = {client: cloud.client("ec2", account=client).describe_vpcs()["Vpcs"][0]["VpcId"] for client in (cloud.account, "111122223333")}
    assert len(set(vpcs.values())) == 2, "each account has a default VPC of its own"


def test_fargate_serves_every_account(cloud):
    ecs, ec2 = cloud.client("ecs", account="111122223333"), cloud.client("ec2", account="111122223333")
    ecs.create_cluster(clusterName="guest")
    ecs.register_task_definition(
        family="guest", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[{"name": "app", "image": "busybox", "command": ["true"]}])
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    task = ecs.run_task(cluster="guest", taskDefinition="guest", launchType="FARGATE",
                        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}})["tasks"][0]
    assert ":111122223333:" in task["taskArn"]

    def stopped():
        shown = ecs.describe_tasks(cluster="guest", tasks=[task["taskArn"]])["tasks"][0]
        return shown if shown["lastStatus"] == "STOPPED" else None

    assert eventually(stopped, "the guest's task")["containers"][0]["exitCode"] == 0
    assert ecs.list_container_instances(cluster="guest")["containerInstanceArns"] == []


def test_tags_stay_with_what_they_were_put_on(cloud):
    arn = cloud.ecs.create_cluster(clusterName="tagged", tags=[{"key": "a", "value": "1"}])["cluster"]["clusterArn"]
    cloud.ecs.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    cloud.ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert cloud.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    group = cloud.open_group("tagged")
    cloud.ec2.create_tags(Resources=[group], Tags=[{"Key": "Name", "Value": "x"}])
    shown = cloud.ec2.describe_security_groups(Filters=[{"Name": "tag:Name", "Values": ["x"]}])["SecurityGroups"]
    assert [each["GroupId"] for each in shown] == [group]


def test_start_task_chooses_the_instance(cloud):
    instance = cloud.ecs.list_container_instances(cluster="default")["containerInstanceArns"][0]
    definition = cloud.define("placed", {"name": "app", "image": "busybox", "command": ["true"]})
    answer = cloud.ecs.start_task(
        cluster="default", taskDefinition=definition, containerInstances=[instance],
        networkConfiguration={"awsvpcConfiguration": {"subnets": [cloud.subnet()]}})
    assert answer["failures"] == []
    assert answer["tasks"][0]["containerInstanceArn"] == instance
    cloud.until(answer["tasks"][0]["taskArn"], "STOPPED")


def test_run_task_is_idempotent_by_its_token(cloud):
    definition = cloud.define("once", {"name": "app", "image": "busybox", "command": ["true"]})
    request = dict(cluster="default", taskDefinition=definition, clientToken="token-1",
                   networkConfiguration={"awsvpcConfiguration": {"subnets": [cloud.subnet()]}})
    first, second = cloud.ecs.run_task(**request), cloud.ecs.run_task(**request)
    assert [t["taskArn"] for t in first["tasks"]] == [t["taskArn"] for t in second["tasks"]]
    with pytest.raises(ClientError) as caught:
        cloud.ecs.run_task(**request, group="other")
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    cloud.until(first["tasks"][0]["taskArn"], "STOPPED")


def test_a_definition_that_nothing_has_is_deleted(cloud):
    container = '[{"name": "app", "image": "busybox", "memory": 16}]'
    cloud.aws("ecs", "register-task-definition", "--family", "gone", "--container-definitions", container)
    cloud.aws("ecs", "deregister-task-definition", "--task-definition", "gone:1")
    answer = cloud.aws("ecs", "delete-task-definitions", "--task-definitions", "gone:1", "gone:2")
    assert [it["status"] for it in answer["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    assert "does not exist" in answer["failures"][0]["reason"]
    eventually(lambda: cloud.aws("ecs", "list-task-definitions", "--status", "DELETE_IN_PROGRESS")["taskDefinitionArns"] == [],
               "the revision to go")
    described = cloud.aws("ecs", "describe-task-definition", "--task-definition", "gone:1", check=False)
    assert "Unable to describe task definition" in described.stderr
    again = cloud.aws("ecs", "register-task-definition", "--family", "gone", "--container-definitions", container)
    assert again["taskDefinition"]["revision"] == 2


def test_env_and_help_say_all(cloud):
    shown = cloud.command("env", "--listen", cloud.listen).stdout
    assert f"export AWS_ENDPOINT_URL=http://{cloud.listen}" in shown
    assert "export AWS_DISABLE_HOST_PREFIX_INJECTION=true" in shown
    import subprocess

    from roadstead import BINARY
    text = subprocess.run([BINARY, "up", "--help"], capture_output=True, text=True, check=True).stdout
    for option in ("--listen", "--data", "--ephemeral", "--region", "--account", "--cluster", "--default-vpc-cidr", "--registry-mirror"):
        assert option in text
        assert f"ROADSTEAD_{option[2:].upper().replace('-', '_')}" in text
    doctor = subprocess.run([BINARY, "doctor"], capture_output=True, text=True)
    assert doctor.returncode == 0, doctor.stdout


def test_the_binary_is_the_network_plugins_by_their_names(tmp_path):
    import json
    import subprocess

    from roadstead import BINARY
    for plugin in ("ecs-eni", "ecs-bridge", "ecs-ipam"):
        (tmp_path / plugin).symlink_to(BINARY)
        done = subprocess.run([tmp_path / plugin], input='{"cniVersion": "0.3.0"}', env={"CNI_COMMAND": "VERSION"},
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "0.3.0" in json.loads(done.stdout)["supportedVersions"]
