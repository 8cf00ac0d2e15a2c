"""Queues as targets of rules, and dead letters: who may send, what stands in a letter, and what a crash changes."""

import json

import pytest
from botocore.exceptions import ClientError

from roadstead import Roadstead, eventually


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=()) as roadstead:
        yield roadstead


def queue(cloud, name, rules=(), **attributes):
    """A queue that rules may send to: its URL and ARN."""
    arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{name}"
    if rules:
        attributes["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": [rule_arn(cloud, rule) for rule in rules]}}}]})
    url = cloud.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, arn


def rule_arn(cloud, name):
    return f"arn:aws:events:{cloud.region}:{cloud.account}:rule/{name}"


def rule(cloud, name, *targets):
    events = cloud.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    answer = events.put_targets(Rule=name, Targets=[{"Id": str(number), **target} for number, target in enumerate(targets)])
    assert answer["FailedEntryCount"] == 0


def publish(cloud, source, **detail):
    answer = cloud.client("events").put_events(Entries=[
        {"Source": source, "DetailType": "Order", "Detail": json.dumps(detail)}])
    assert answer["FailedEntryCount"] == 0


def received(cloud, url):
    """A message, which is gone from the queue then."""
    def some():
        return cloud.client("sqs").receive_message(
            QueueUrl=url, WaitTimeSeconds=5, AttributeNames=["All"], MessageAttributeNames=["All"]).get("Messages")
    message, = eventually(some, "a message")
    cloud.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return message


def test_a_rule_sends_to_queues_that_let_it(cloud):
    url, arn = queue(cloud, "orders", rules=["shop"])
    fifo_url, fifo_arn = queue(cloud, "orders.fifo", rules=["shop"], FifoQueue="true", ContentBasedDeduplication="true")
    rule(cloud, "shop", {"Arn": arn, "InputPath": "$.detail"},
         {"Arn": fifo_arn, "SqsParameters": {"MessageGroupId": "all"}})
    publish(cloud, "shop", number=1)
    assert json.loads(received(cloud, url)["Body"]) == {"number": 1}
    message = received(cloud, fifo_url)
    assert message["Attributes"]["MessageGroupId"] == "all"
    assert json.loads(message["Body"])["detail"] == {"number": 1}


def test_what_is_denied_is_a_dead_letter_with_its_reason(cloud):
    _, closed = queue(cloud, "closed", rules=["another"])
    letters, dead = queue(cloud, "letters", rules=["denied"])
    rule(cloud, "denied", {"Arn": closed, "DeadLetterConfig": {"Arn": dead}})
    publish(cloud, "denied", number=2)
    letter = received(cloud, letters)
    told = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert told["RULE_ARN"] == rule_arn(cloud, "denied") and told["TARGET_ARN"] == closed
    assert told["ERROR_CODE"] == "NO_PERMISSIONS" and "sqs:SendMessage" in told["ERROR_MESSAGE"]
    assert told["RETRY_ATTEMPTS"] == "0" and "EXHAUSTED_RETRY_CONDITION" not in told
    event = json.loads(letter["Body"])
    assert event["source"] == "denied" and event["detail"] == {"number": 2}


def test_the_cli_shows_what_it_set(cloud):
    _, arn = queue(cloud, "cli")
    cloud.aws("events", "put-rule", "--name", "cli", "--event-pattern", '{"source": ["cli"]}')
    target = {"Id": "q", "Arn": arn, "DeadLetterConfig": {"Arn": arn}, "RetryPolicy": {"MaximumRetryAttempts": 3}}
    cloud.aws("events", "put-targets", "--rule", "cli", "--targets", json.dumps([target]))
    assert cloud.aws("events", "list-targets-by-rule", "--rule", "cli")["Targets"] == [target]
    with pytest.raises(ClientError) as caught:
        rule(cloud, "cli", {"Arn": arn + ".fifo"})
    assert "SqsParameters must be specified for target: " in caught.value.response["Error"]["Message"]


def test_letters_and_messages_outlive_a_crash_and_are_counted(fresh):
    cloud = fresh("crash", clusters=())
    url, arn = queue(cloud, "orders", rules=["shop"])
    letters, dead = queue(cloud, "letters", rules=["shop"])
    missing = f"arn:aws:sqs:{cloud.region}:{cloud.account}:missing"
    rule(cloud, "shop", {"Arn": arn}, {"Arn": missing, "DeadLetterConfig": {"Arn": dead}})
    for number in range(5):
        publish(cloud, "shop", number=number)
    # Whatever is on its way now: nothing that was taken is lost.
    cloud.kill()
    cloud.up()
    sqs = cloud.client("sqs")

    def numbers(url):
        seen = set()

        def all_there():
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
                seen.add(json.loads(message["Body"])["detail"]["number"])
            return seen == set(range(5))
        eventually(all_there, f"five in {url}")

    numbers(url)
    numbers(letters)
    cloud.down(purge=False)
    cloud.up()
    metrics = {metric["MetricName"] for metric in cloud.client("cloudwatch").list_metrics(
        Namespace="AWS/Events", Dimensions=[{"Name": "RuleName", "Value": "shop"}])["Metrics"]}
    publish(cloud, "shop", number=9)
    # Those of before may be told again once they were not deleted in time.
    eventually(lambda: json.loads(received(cloud, letters)["Body"])["detail"]["number"] == 9, "the last letter")
    cloud.down(purge=False)
    cloud.up()
    metrics |= {metric["MetricName"] for metric in cloud.client("cloudwatch").list_metrics(
        Namespace="AWS/Events", Dimensions=[{"Name": "RuleName", "Value": "shop"}])["Metrics"]}
    assert {"MatchedEvents", "Invocations", "FailedInvocations", "InvocationsSentToDlq"} <= metrics
