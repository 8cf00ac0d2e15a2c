"""Queues as boto3, the aws CLI and clients of the query protocol use them; also across a crash."""

import hashlib
import json
import threading
import urllib.parse
import urllib.request
import xml.etree.ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from roadstead import eventually

NAMESPACE = {"q": "http://queue.amazonaws.com/doc/2012-11-05/"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    from roadstead import Roadstead

    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=()) as roadstead:
        yield roadstead


@pytest.fixture
def sqs(cloud):
    return cloud.client("sqs")


def query(cloud, path, **parameters):
    """A form, signed as old clients sign it, posted to a path; the answer's root element and status."""
    body = urllib.parse.urlencode({"Version": "2012-11-05", **parameters})
    request = AWSRequest("POST", cloud.url + path, data=body, headers={
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
    SigV4Auth(Credentials(cloud.account, "any"), "sqs", cloud.region).add_auth(request)
    prepared = urllib.request.Request(request.url, data=body.encode(), headers=dict(request.headers.items()))
    try:
        with urllib.request.urlopen(prepared) as answer:
            return xml.etree.ElementTree.fromstring(answer.read()), answer.status
    except urllib.error.HTTPError as error:
        return xml.etree.ElementTree.fromstring(error.read()), error.code


def texts(root, path):
    return [element.text for element in root.findall(path, NAMESPACE)]


def test_a_message_goes_round_by_boto3_and_the_cli(cloud, sqs):
    url = sqs.create_queue(QueueName="round", tags={"team": "a"})["QueueUrl"]
    assert url == f"{cloud.url}/{cloud.account}/round"
    # botocore checks the sums of what it sent and got.
    sent = sqs.send_message(QueueUrl=url, MessageBody="hello", MessageAttributes={
        "kind": {"DataType": "String", "StringValue": "greeting"}, "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}})
    assert sent["MD5OfMessageBody"] == hashlib.md5(b"hello").hexdigest()
    # Version 1 of the CLI takes the endpoint of this service from its option alone.
    cli = ("--endpoint-url", cloud.url, "sqs")
    got = cloud.aws(*cli, "receive-message", "--queue-url", url, "--attribute-names", "All",
                    "--message-attribute-names", "All", "--wait-time-seconds", "5")["Messages"][0]
    assert got["Body"] == "hello" and got["Attributes"]["ApproximateReceiveCount"] == "1"
    assert got["MessageAttributes"]["raw"]["BinaryValue"] == "AP8="
    cloud.aws(*cli, "change-message-visibility", "--queue-url", url, "--receipt-handle", got["ReceiptHandle"],
              "--visibility-timeout", "0")
    again, = sqs.receive_message(QueueUrl=url)["Messages"]
    assert again["MessageId"] == sent["MessageId"]
    cloud.aws(*cli, "delete-message", "--queue-url", url, "--receipt-handle", again["ReceiptHandle"])
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert shown["ApproximateNumberOfMessages"] == shown["ApproximateNumberOfMessagesNotVisible"] == "0"
    assert cloud.aws(*cli, "list-queue-tags", "--queue-url", url)["Tags"] == {"team": "a"}
    sqs.delete_queue(QueueUrl=url)


def test_errors_have_the_codes_of_either_protocol(cloud, sqs):
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.get_queue_url(QueueName="nowhere")
    assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert caught.value.response["Error"]["Type"] == "Sender"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(ClientError) as caught:
        sqs.create_queue(QueueName="bad name")
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    root, status = query(cloud, "/", Action="GetQueueUrl", QueueName="nowhere")
    assert status == 400
    assert texts(root, "q:Error/q:Code") == ["AWS.SimpleQueueService.NonExistentQueue"]


def test_clients_of_the_query_protocol_post_to_the_queue(cloud):
    root, status = query(cloud, "/", Action="CreateQueue", QueueName="old", **{
        "Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "40", "Tag.1.Key": "a", "Tag.1.Value": "b"})
    assert status == 200
    url, = texts(root, "q:CreateQueueResult/q:QueueUrl")
    path = urllib.parse.urlparse(url).path
    assert path == f"/{cloud.account}/old"
    root, _ = query(cloud, path, Action="SendMessage", MessageBody="<hello> & more", **{
        "MessageAttribute.1.Name": "kind", "MessageAttribute.1.Value.DataType": "String",
        "MessageAttribute.1.Value.StringValue": "greeting"})
    assert texts(root, "q:SendMessageResult/q:MD5OfMessageBody") == [hashlib.md5(b"<hello> & more").hexdigest()]
    root, _ = query(cloud, path, Action="SendMessageBatch", **{
        "SendMessageBatchRequestEntry.1.Id": "x", "SendMessageBatchRequestEntry.1.MessageBody": "second",
        "SendMessageBatchRequestEntry.2.Id": "y", "SendMessageBatchRequestEntry.2.MessageBody": "third",
        "SendMessageBatchRequestEntry.2.DelaySeconds": "900"})
    assert texts(root, "q:SendMessageBatchResult/q:SendMessageBatchResultEntry/q:Id") == ["x", "y"]
    root, _ = query(cloud, path, Action="ReceiveMessage", MaxNumberOfMessages="10", **{
        "AttributeName.1": "All", "MessageAttributeName.1": "All"})
    messages = root.findall("q:ReceiveMessageResult/q:Message", NAMESPACE)
    assert texts(root, "q:ReceiveMessageResult/q:Message/q:Body") == ["<hello> & more", "second"]
    assert "SentTimestamp" in texts(messages[0], "q:Attribute/q:Name")
    assert texts(messages[0], "q:MessageAttribute/q:Value/q:StringValue") == ["greeting"]
    handle, = texts(messages[0], "q:ReceiptHandle")
    root, status = query(cloud, path, Action="DeleteMessage", ReceiptHandle=handle)
    assert status == 200 and root.tag == "{%s}DeleteMessageResponse" % NAMESPACE["q"]
    root, _ = query(cloud, path, Action="GetQueueAttributes", **{"AttributeName.1": "VisibilityTimeout"})
    assert texts(root, "q:GetQueueAttributesResult/q:Attribute/q:Value") == ["40"]
    root, _ = query(cloud, "/", Action="ListQueues", QueueNamePrefix="old")
    assert texts(root, "q:ListQueuesResult/q:QueueUrl") == [url]


def test_whoever_waits_is_woken(cloud, sqs):
    url = sqs.create_queue(QueueName="waiting")["QueueUrl"]
    got = []
    waiting = threading.Thread(
        target=lambda: got.extend(cloud.client("sqs", read_timeout=60).receive_message(
            QueueUrl=url, WaitTimeSeconds=20).get("Messages", [])))
    waiting.start()
    sqs.send_message(QueueUrl=url, MessageBody="at last")
    waiting.join(timeout=60)
    assert [message["Body"] for message in got] == ["at last"]


def test_users_need_a_policy_of_theirs_or_of_the_queue(cloud, sqs):
    url = sqs.create_queue(QueueName="guarded")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    iam = cloud.client("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    import boto3
    ann = boto3.client("sqs", endpoint_url=cloud.url, region_name=cloud.region,
                       aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    with pytest.raises(ClientError) as caught:
        ann.send_message(QueueUrl=url, MessageBody="x")
    assert "not authorized to perform: sqs:sendmessage on resource: " + arn in caught.value.response["Error"]["Message"].replace(
        "sqs:SendMessage", "sqs:sendmessage")
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{cloud.account}:user/ann"},
        "Action": "sqs:SendMessage", "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    ann.send_message(QueueUrl=url, MessageBody="x")
    ann.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "y"}])
    with pytest.raises(ClientError):
        ann.receive_message(QueueUrl=url)


def test_what_was_acknowledged_outlives_a_crash(fresh):
    cloud = fresh("crash", clusters=())
    sqs = cloud.client("sqs")
    dead = sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    url = sqs.create_queue(QueueName="q.fifo", Attributes={
        "FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "600",
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})})["QueueUrl"]
    bodies = [f"m{number}" for number in range(30)]
    for start in range(0, 30, 10):
        sqs.send_message_batch(QueueUrl=url, Entries=[
            {"Id": body, "MessageBody": body, "MessageGroupId": "g"} for body in bodies[start:start + 10]])
    had = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=3)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=had[0]["ReceiptHandle"])
    cloud.kill()
    cloud.up()
    sqs = cloud.client("sqs")
    again = sqs.send_message(QueueUrl=url, MessageBody="m5", MessageGroupId="g")
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == ("27", "2")
    assert "Messages" not in sqs.receive_message(QueueUrl=url), "the group waits for who has the two"
    # Back at once, and received once too often: dead letters, in order.
    for message in had[1:]:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    rest = []
    while len(rest) < 27:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
        rest += [message["Body"] for message in got]
        for message in got:
            if message["Body"] == "m5":
                assert message["Attributes"]["SequenceNumber"] == again["SequenceNumber"], "it was sent before the crash"
        sqs.delete_message_batch(QueueUrl=url, Entries=[
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(got)])
    assert rest == bodies[3:]
    letters = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in letters] == ["m1", "m2"]
    # And back to where they came from.
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=letters[0]["ReceiptHandle"])
    sqs.change_message_visibility(QueueUrl=dead, ReceiptHandle=letters[1]["ReceiptHandle"], VisibilityTimeout=0)
    sqs.start_message_move_task(SourceArn=dead_arn)
    eventually(lambda: sqs.list_message_move_tasks(SourceArn=dead_arn)["Results"][0]["Status"] == "COMPLETED",
               "the end of the task")
    back, = sqs.receive_message(QueueUrl=url)["Messages"]
    assert back["Body"] == "m2"
