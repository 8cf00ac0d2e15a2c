"""Services: tasks kept running, replaced and rolled out, as the aws CLI and boto3 see it, with a real nginx behind."""

import subprocess
import threading
import time
import urllib.error
from http.client import HTTPException

import pytest
from roadstead import BINARY, PATIENCE, address, eventually, http

NGINX = {"name": "web", "image": "nginx", "memory": 96, "portMappings": [{"containerPort": 80}]}


# Ready as soon as it serves, and not already as it runs.
WELL = {**NGINX, "healthCheck": {"command": ["CMD-SHELL", "wget -q -O /dev/null http://127.0.0.1/"], "interval": 5, "timeout": 30,
                                 "retries": 10}}


def network(cloud, group):
    return {"awsvpcConfiguration": {"subnets": [cloud.subnet()], "securityGroups": [group]}}


def service(cloud, name):
    answer = cloud.ecs.describe_services(services=[name])
    assert answer["failures"] == [], answer
    return answer["services"][0]


def running(cloud, name, count):
    """The service's tasks once this many run."""
    def found():
        arns = cloud.ecs.list_tasks(serviceName=name)["taskArns"]
        tasks = cloud.ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
        run = [task for task in tasks if task["lastStatus"] == "RUNNING"]
        return run if len(run) == len(tasks) == count else None

    return eventually(found, f"{count} tasks of {name} run; {service(cloud, name)['events'][:3]}")


def said(cloud, name, words):
    def heard():
        return [event["message"] for event in service(cloud, name)["events"] if words in event["message"]]

    return eventually(heard, f"{name} says {words!r}")


def remove(cloud, name):
    cloud.ecs.delete_service(service=name, force=True)
    cloud.ecs.get_waiter("services_inactive").wait(services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 180})
    eventually(lambda: all(cloud.task(arn)["lastStatus"] == "STOPPED"
                           for arn in cloud.ecs.list_tasks(serviceName=name, desiredStatus="STOPPED")["taskArns"]),
               f"the tasks of {name} have stopped")


@pytest.fixture(scope="module")
def group(cloud):
    return cloud.open_group("services", 80)


class Client(threading.Thread):
    """Asks for a page all the while, of any task that runs, and keeps what failed on all of them."""

    def __init__(self, cloud, name):
        super().__init__(daemon=True)
        self.cloud, self.name = cloud, name
        self.served, self.failed, self.over = 0, [], threading.Event()

    def known(self):
        """Addresses of the tasks that run and are to run, of those that are healthy first."""
        arns = self.cloud.ecs.list_tasks(serviceName=self.name)["taskArns"]
        tasks = self.cloud.ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
        run = [task for task in tasks if task["lastStatus"] == task["desiredStatus"] == "RUNNING"]
        return [address(task) for task in sorted(run, key=lambda task: task["healthStatus"] != "HEALTHY")]

    def ask(self):
        """Whoever was stopped after it was found is not counted: then there are others to be found."""
        found, tried = self.known(), []
        while True:
            for ip in found:
                try:
                    return "nginx" in http(ip)
                except (OSError, HTTPException) as error:
                    tried.append(repr(error))
            before, found = found, self.known()
            if found == before:
                raise urllib.error.URLError(f"nobody answers: {tried} of {found}")

    def run(self):
        while not self.over.is_set():
            try:
                assert self.ask()
                self.served += 1
            except Exception as error:
                self.failed.append(repr(error))
            time.sleep(0.1)

    def end(self):
        self.over.set()
        self.join(timeout=PATIENCE)
        assert not self.is_alive()


def test_a_rollout_never_leaves_a_client_alone_and_survives_kill_9(cloud, group):
    first = cloud.define("rolling", WELL)
    made = cloud.ecs.create_service(serviceName="rolling", taskDefinition=first, desiredCount=2,
                                    networkConfiguration=network(cloud, group))["service"]
    assert (made["status"], made["launchType"]) == ("ACTIVE", "EC2")
    old = {task["taskArn"] for task in running(cloud, "rolling", 2)}
    cloud.aws("ecs", "wait", "services-stable", "--services", "rolling")
    said(cloud, "rolling", "has reached a steady state")
    client = Client(cloud, "rolling")
    eventually(client.ask, "a page is served")
    client.start()
    try:
        second = cloud.define("rolling", WELL)
        cloud.aws("ecs", "update-service", "--service", "rolling", "--task-definition", second)
        eventually(lambda: len(cloud.ecs.list_tasks(serviceName="rolling")["taskArns"]) == 4, "new ones beside old ones")
        # Without its API nobody can be found; what ran runs on.
        client.end()
        assert client.failed == [] and client.served > 0, client.failed
        cloud.kill()
        cloud.up()
        client = Client(cloud, "rolling")
        eventually(client.ask, "a page is served")
        client.start()
        new = {task["taskArn"] for task in running(cloud, "rolling", 2)}
        cloud.aws("ecs", "wait", "services-stable", "--services", "rolling")
    finally:
        client.end()
    assert client.failed == [] and client.served > 0, client.failed
    assert not new & old
    now = service(cloud, "rolling")
    assert (now["taskDefinition"], now["runningCount"], len(now["deployments"])) == (second, 2, 1)
    said(cloud, "rolling", "deployment completed.")
    started = [event["message"] for event in now["events"] if "has started" in event["message"]]
    assert sum(message.count("(task ") for message in started) == 4, started
    remove(cloud, "rolling")


def test_a_killed_task_is_replaced(cloud, group):
    definition = cloud.define("kept", NGINX)
    cloud.ecs.create_service(serviceName="kept", taskDefinition=definition, desiredCount=1,
                             networkConfiguration=network(cloud, group))
    (first,) = running(cloud, "kept", 1)
    cloud.aws("ecs", "stop-task", "--task", first["taskArn"])
    cloud.aws("ecs", "wait", "tasks-stopped", "--tasks", first["taskArn"])
    (second,) = running(cloud, "kept", 1)
    assert first["taskArn"] != second["taskArn"]
    cloud.aws("ecs", "wait", "tasks-running", "--tasks", second["taskArn"])
    assert eventually(lambda: "nginx" in http(address(second)), "the new one serves")
    with pytest.raises(cloud.ecs.exceptions.InvalidParameterException, match="scaled above 0"):
        cloud.ecs.delete_service(service="kept")
    cloud.ecs.update_service(service="kept", desiredCount=0)
    eventually(lambda: cloud.ecs.list_tasks(serviceName="kept")["taskArns"] == [], "none is left")
    with pytest.raises(cloud.ecs.exceptions.ClusterContainsContainerInstancesException):
        cloud.ecs.delete_cluster(cluster="default")
    remove(cloud, "kept")


def test_a_broken_image_is_rolled_back(cloud, group):
    good = cloud.define("broken", NGINX)
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    cloud.ecs.create_service(serviceName="broken", taskDefinition=good, desiredCount=1,
                             networkConfiguration=network(cloud, group), deploymentConfiguration=breaker)
    (task,) = running(cloud, "broken", 1)
    said(cloud, "broken", "deployment completed.")
    bad = cloud.define("broken", {**NGINX, "image": "localhost:9/nobody:1"})
    cloud.ecs.update_service(service="broken", taskDefinition=bad)
    assert len(said(cloud, "broken", "deployment failed: tasks failed to start.")) == 1
    said(cloud, "broken", "rolling back to deployment")
    cloud.aws("ecs", "wait", "services-stable", "--services", "broken")
    assert service(cloud, "broken")["taskDefinition"] == good
    eventually(lambda: service(cloud, "broken")["deployments"][0]["rolloutState"] == "COMPLETED", "the way back is over")
    assert [one["taskArn"] for one in running(cloud, "broken", 1)] == [task["taskArn"]], "what ran runs on"
    remove(cloud, "broken")


def test_a_task_whose_health_check_fails_is_replaced(cloud):
    app = {"name": "app", "image": "busybox", "command": ["sh", "-c", "touch /tmp/well; sleep 600"],
           "healthCheck": {"command": ["CMD-SHELL", "test -e /tmp/well"], "interval": 5, "timeout": 30, "retries": 1}}
    definition = cloud.define("checked", app)
    cloud.ecs.create_service(serviceName="checked", taskDefinition=definition, desiredCount=1,
                             networkConfiguration=network(cloud, cloud.open_group("checked", 80)),
                             healthCheckGracePeriodSeconds=1)
    (first,) = running(cloud, "checked", 1)
    said(cloud, "checked", "deployment completed.")
    assert cloud.task(first["taskArn"])["healthStatus"] == "HEALTHY"
    name = first["taskArn"].rsplit("/", 1)[1]
    subprocess.run([BINARY, "exec", "--data", cloud.data, name, "--container", "app", "--", "rm", "/tmp/well"],
                   check=True, timeout=PATIENCE)
    words = f"(service checked) (task {name}) failed container health checks."
    assert said(cloud, "checked", "failed container health checks.") == [words]
    (second,) = running(cloud, "checked", 1)
    assert second["taskArn"] != first["taskArn"]
    stopped = cloud.until(first["taskArn"], "STOPPED")
    assert (stopped["stopCode"], stopped["stoppedReason"]) == (
        "ServiceSchedulerInitiated", "Task failed container health checks")
    remove(cloud, "checked")
