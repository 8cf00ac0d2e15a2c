"""What becomes of asynchronous invocations of real functions: records of them in queues, topics, functions and buses."""

import json

import pytest
from botocore.exceptions import ClientError

from roadstead import eventually
from test_functions import cloud, lines, make, role as plain

__all__ = ["cloud", "plain"]

CODE = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("no " + event["fail"])
    return {"did": event["n"]}
"""


@pytest.fixture(scope="module")
def role(cloud, plain):
    """A role that may also tell others, but for the queue `closed`."""
    arn = f"{cloud.region}:{cloud.account}"
    cloud.client("iam").put_role_policy(RoleName="runner", PolicyName="tell", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": f"arn:aws:sqs:{arn}:results"},
            {"Effect": "Allow", "Action": "sns:Publish", "Resource": f"arn:aws:sns:{arn}:failures"},
            {"Effect": "Allow", "Action": "events:PutEvents", "Resource": f"arn:aws:events:{arn}:event-bus/ends"},
            {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": f"arn:aws:lambda:{arn}:function:hears-ends"}]}))
    return plain


def queue(cloud, name):
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(cloud, url, what):
    sqs = cloud.client("sqs")
    return json.loads(eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), what)[0]["Body"])


def event(cloud, name, payload):
    answer = cloud.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(payload))
    assert answer["StatusCode"] == 202
    return answer["ResponseMetadata"]["RequestId"]


def test_a_queue_gets_what_succeeded_and_a_topic_what_failed(cloud, role):
    arn = make(cloud, role, "ends", CODE)["FunctionArn"]
    url, results = queue(cloud, "results")
    told_url, told = queue(cloud, "told")
    sns = cloud.client("sns")
    topic = sns.create_topic(Name="failures")["TopicArn"]
    cloud.client("sqs").set_queue_attributes(QueueUrl=told_url, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": told}]})})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=told, Attributes={"RawMessageDelivery": "true"})
    config = cloud.aws("lambda", "put-function-event-invoke-config", "--function-name", "ends", "--maximum-retry-attempts", "0",
                       "--destination-config", json.dumps({"OnSuccess": {"Destination": results}, "OnFailure": {"Destination": topic}}))
    assert config["DestinationConfig"] == {"OnSuccess": {"Destination": results}, "OnFailure": {"Destination": topic}}
    request = event(cloud, "ends", {"n": 3})
    record = received(cloud, url, "the record of a success")
    assert record["requestContext"] == {"requestId": request, "functionArn": f"{arn}:$LATEST", "condition": "Success",
                                        "approximateInvokeCount": 1}
    assert (record["version"], record["requestPayload"], record["responsePayload"]) == ("1.0", {"n": 3}, {"did": 3})
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    event(cloud, "ends", {"fail": "luck"})
    record = received(cloud, told_url, "the record of a failure")
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert (record["responsePayload"]["errorType"], record["responsePayload"]["errorMessage"]) == ("ValueError", "no luck")


def test_a_function_and_a_bus_get_records(cloud, role):
    arn = make(cloud, role, "other-ends", CODE)["FunctionArn"]
    hears = make(cloud, role, "hears-ends", "def handler(event, context):\n    print('heard', event['responsePayload'])\n")
    events = cloud.client("events")
    bus = events.create_event_bus(Name="ends")["EventBusArn"]
    url, target = queue(cloud, "from-bus")
    rule = events.put_rule(Name="ends", EventBusName="ends", EventPattern=json.dumps({
        "source": ["lambda"], "detail-type": ["Lambda Function Invocation Result - Failure"]}))["RuleArn"]
    cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": target,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}]})})
    assert events.put_targets(Rule="ends", EventBusName="ends", Targets=[{"Id": "q", "Arn": target}])["FailedEntryCount"] == 0
    cloud.client("lambda").put_function_event_invoke_config(FunctionName="other-ends", MaximumRetryAttempts=0, DestinationConfig={
        "OnSuccess": {"Destination": hears["FunctionArn"]}, "OnFailure": {"Destination": bus}})
    event(cloud, "other-ends", {"n": 4})
    event(cloud, "other-ends", {"fail": "luck"})
    eventually(lambda: [line for line in lines(cloud, "hears-ends") if line.startswith("heard {'did': 4}")], "the other function")
    told = received(cloud, url, "the event of the bus")
    assert told["resources"] == [bus, f"{arn}:$LATEST"]
    assert told["detail"]["responsePayload"]["errorMessage"] == "no luck"


def test_what_the_role_may_not_send_is_counted_and_buckets_are_refused_by_name(cloud, role):
    make(cloud, role, "shut", CODE)
    _, closed = queue(cloud, "closed")
    api = cloud.client("lambda")
    api.put_function_event_invoke_config(FunctionName="shut", DestinationConfig={"OnSuccess": {"Destination": closed}})
    event(cloud, "shut", {"n": 5})
    eventually(lambda: "is not authorized to perform: sqs:SendMessage" in cloud.log(), "the denial in the daemon's log")
    with pytest.raises(ClientError, match="DestinationConfig.OnFailure.Destination arn:aws:s3:::b is not supported"):
        api.put_function_event_invoke_config(FunctionName="shut", DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::b"}})
