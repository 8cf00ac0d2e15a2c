"""Service deployments and revisions, as the aws CLI and boto3 see them, with a page server of each version behind."""

import pytest
from roadstead import address, eventually, http
from test_services import network, remove, running, said, service


def server(version, folder=None):
    """Serves a page that says which version it is. With a folder it is healthy once that holds a file `well`."""
    script = f"mkdir -p /www; echo version {version} > /www/index.html; exec httpd -f -p 80 -h /www"
    well, mounts = ("/hold/well", [{"sourceVolume": "hold", "containerPath": "/hold"}]) if folder else ("/www/index.html", [])
    return {"name": "web", "image": "busybox", "memory": 32, "command": ["sh", "-c", script],
            "portMappings": [{"containerPort": 80}], "mountPoints": mounts,
            "healthCheck": {"command": ["CMD-SHELL", f"test -e {well}"], "interval": 5, "timeout": 30, "retries": 10, "startPeriod": 300}}


def never_well(cloud, name, folder):
    """The second version, whose deployment goes on unless somebody makes its tasks healthy."""
    return cloud.define(name, server("two", folder), volumes=[{"name": "hold", "host": {"sourcePath": str(folder)}}])


@pytest.fixture(scope="module")
def group(cloud):
    return cloud.open_group("deployments", 80)


def aws(cloud, *words):
    return cloud.aws("ecs", *words)


def listed(cloud, name, **filters):
    return cloud.ecs.list_service_deployments(service=name, **filters)["serviceDeployments"]


def described(cloud, arn):
    answer = cloud.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
    assert answer["failures"] == []
    return answer["serviceDeployments"][0]


def latest(cloud, name, status):
    """The service's latest deployment once it is so."""
    def found():
        deployment = described(cloud, listed(cloud, name)[0]["serviceDeploymentArn"])
        return deployment if deployment["status"] == status else None

    return eventually(found, f"the latest deployment of {name} is {status}; {listed(cloud, name)[:1]}")


def create(cloud, group, name, **more):
    definition = cloud.define(name, server("one"))
    cloud.ecs.create_service(serviceName=name, taskDefinition=definition, desiredCount=2,
                             networkConfiguration=network(cloud, group), **more)
    tasks = running(cloud, name, 2)
    return definition, {task["taskArn"] for task in tasks}, latest(cloud, name, "SUCCESSFUL")


def pages(cloud, name):
    """What each of the service's running tasks serves."""
    arns = cloud.ecs.list_tasks(serviceName=name)["taskArns"]
    tasks = cloud.ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
    return {http(address(task)).strip() for task in tasks if task["lastStatus"] == "RUNNING"}


def test_a_rolling_update_is_listed_and_described_to_its_end(cloud, group, tmp_path):
    first, _, created = create(cloud, group, "told")
    assert created["sourceServiceRevisions"] == []
    # It goes on for as long as its tasks are not healthy.
    second = never_well(cloud, "told", tmp_path)
    updated = cloud.ecs.update_service(service="told", taskDefinition=second)["service"]
    (going,) = aws(cloud, "list-service-deployments", "--service", "told", "--status", "PENDING", "IN_PROGRESS")[
        "serviceDeployments"]
    arn = going["serviceDeploymentArn"]
    assert updated["currentServiceDeployment"] == arn
    shown = aws(cloud, "describe-service-deployments", "--service-deployment-arns", arn)["serviceDeployments"][0]
    old, new = created["targetServiceRevision"]["arn"], shown["targetServiceRevision"]["arn"]
    assert new == going["targetServiceRevisionArn"]
    assert [source["arn"] for source in shown["sourceServiceRevisions"]] == [old]
    assert "finishedAt" not in shown
    (tmp_path / "well").touch()
    cloud.aws("ecs", "wait", "services-stable", "--services", "told")
    done = latest(cloud, "told", "SUCCESSFUL")
    assert done["serviceDeploymentArn"] == arn
    target = {"arn": new, "requestedTaskCount": 2, "runningTaskCount": 2, "pendingTaskCount": 0}
    assert done["targetServiceRevision"] == target
    assert done["createdAt"] <= done["startedAt"] <= done["finishedAt"]
    assert service(cloud, "told")["currentServiceRevisions"] == [target]
    revisions = aws(cloud, "describe-service-revisions", "--service-revision-arns", old, new)["serviceRevisions"]
    assert [revision["taskDefinition"] for revision in revisions] == [first, second]
    (image,) = revisions[1]["containerImages"]
    assert (image["containerName"], image["image"]) == ("web", "busybox")
    assert image["imageDigest"].startswith("sha256:")
    assert [one["serviceDeploymentArn"] for one in listed(cloud, "told")] == [arn, created["serviceDeploymentArn"]]
    assert listed(cloud, "told", createdAt={"before": done["createdAt"]})[0]["targetServiceRevisionArn"] == old
    # What was told stays told after a kill, and goes with the service.
    cloud.kill()
    cloud.up()
    assert described(cloud, arn) == done
    remove(cloud, "told")
    with pytest.raises(cloud.ecs.exceptions.ServiceNotFoundException):
        listed(cloud, "told")


def test_a_deployment_that_is_stopped_goes_back_to_what_ran(cloud, group, tmp_path):
    first, _, created = create(cloud, group, "back")
    second = never_well(cloud, "back", tmp_path)
    cloud.ecs.update_service(service="back", taskDefinition=second)
    eventually(lambda: "version two" in pages(cloud, "back"), "the new version serves")
    arn = service(cloud, "back")["currentServiceDeployment"]
    stopped = aws(cloud, "stop-service-deployment", "--service-deployment-arn", arn, "--stop-type", "ROLLBACK")
    assert stopped == {"serviceDeploymentArn": arn}
    done = latest(cloud, "back", "ROLLBACK_SUCCESSFUL")
    assert done["rollback"]["serviceRevisionArn"] == created["targetServiceRevision"]["arn"]
    cloud.aws("ecs", "wait", "services-stable", "--services", "back")
    running(cloud, "back", 2)
    eventually(lambda: pages(cloud, "back") == {"version one"}, "the old version serves")
    assert service(cloud, "back")["taskDefinition"] == first
    with pytest.raises(cloud.ecs.exceptions.ConflictException, match="ROLLBACK_SUCCESSFUL"):
        cloud.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    with pytest.raises(cloud.ecs.exceptions.ServiceDeploymentNotFoundException):
        cloud.ecs.stop_service_deployment(serviceDeploymentArn=arn + "0")
    remove(cloud, "back")


def test_an_alarm_fails_a_deployment_and_rolls_it_back(cloud, group, tmp_path):
    alarms = cloud.client("cloudwatch")
    alarms.put_metric_alarm(AlarmName="too-slow", Namespace="shop", MetricName="latency", Statistic="Average", Period=10,
                            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
                            TreatMissingData="ignore")
    alarms.set_alarm_state(AlarmName="too-slow", StateValue="OK", StateReason="the test begins")
    watched = {"alarms": {"alarmNames": ["too-slow"], "enable": True, "rollback": True}}
    first, _, created = create(cloud, group, "alarmed", deploymentConfiguration=watched)
    assert created["alarms"] == {"alarmNames": ["too-slow"], "status": "MONITORING_COMPLETE"}
    second = never_well(cloud, "alarmed", tmp_path)
    cloud.ecs.update_service(service="alarmed", taskDefinition=second)
    eventually(lambda: "version two" in pages(cloud, "alarmed"), "the new version serves")
    cloud.aws("cloudwatch", "set-alarm-state", "--alarm-name", "too-slow", "--state-value", "ALARM",
              "--state-reason", "pages come slowly")
    assert len(said(cloud, "alarmed", "deployment failed: alarm detected.")) == 1
    done = latest(cloud, "alarmed", "ROLLBACK_SUCCESSFUL")
    assert done["alarms"] == {
        "alarmNames": ["too-slow"], "status": "TRIGGERED", "triggeredAlarmNames": ["too-slow"]}
    cloud.aws("ecs", "wait", "services-stable", "--services", "alarmed")
    running(cloud, "alarmed", 2)
    eventually(lambda: pages(cloud, "alarmed") == {"version one"}, "the old version serves")
    assert service(cloud, "alarmed")["taskDefinition"] == first
    remove(cloud, "alarmed")
