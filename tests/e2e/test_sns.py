"""Topics as boto3 and the aws CLI use them: fan-out to queues, filters, events and alarms as publishers, a crash."""

import json

import pytest

from roadstead import Roadstead, eventually


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with Roadstead(tmp_path_factory.mktemp("rs"), clusters=()) as roadstead:
        yield roadstead


def queue(cloud, name, topic):
    """A queue that a topic may send to: its URL and ARN."""
    arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{name}"
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}]}
    url = cloud.client("sqs").create_queue(QueueName=name, Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    return url, arn


def received(cloud, url):
    """A message, which is gone from the queue then."""
    def some():
        return cloud.client("sqs").receive_message(
            QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"]).get("Messages")
    message, = eventually(some, "a message")
    cloud.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return message


def test_what_is_published_fans_out_by_filters(cloud):
    sns = cloud.client("sns")
    topic = cloud.aws("sns", "create-topic", "--name", "orders", "--tags", "Key=team,Value=a")["TopicArn"]
    all_url, all_arn = queue(cloud, "all", topic)
    large_url, large_arn = queue(cloud, "large", topic)
    cloud.aws("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", all_arn)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=large_arn, Attributes={
        "RawMessageDelivery": "true", "FilterPolicy": json.dumps({"amount": [{"numeric": [">", 100]}]})})
    for amount in (5, 500):
        sns.publish(TopicArn=topic, Message=f"order of {amount}", Subject="order", MessageAttributes={
            "amount": {"DataType": "Number", "StringValue": str(amount)}})
    large = received(cloud, large_url)
    assert large["Body"] == "order of 500" and large["MessageAttributes"]["amount"]["StringValue"] == "500"
    whole = [json.loads(received(cloud, all_url)["Body"]) for _ in range(2)]
    assert {one["Message"] for one in whole} == {"order of 5", "order of 500"}
    assert all(one["TopicArn"] == topic and one["Subject"] == "order" for one in whole)
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "1", "Message": "in a batch"}])
    assert [one["Id"] for one in answer["Successful"]] == ["1"]
    assert json.loads(received(cloud, all_url)["Body"])["Message"] == "in a batch"
    assert len(cloud.aws("sns", "list-subscriptions-by-topic", "--topic-arn", topic)["Subscriptions"]) == 2


def test_an_alarm_publishes_to_a_topic_that_lets_it(cloud):
    sns, metrics = cloud.client("sns"), cloud.client("cloudwatch")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish", "Resource": topic}]}))
    url, arn = queue(cloud, "alarmed", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    metrics.put_metric_alarm(
        AlarmName="loud", Namespace="App", MetricName="n", Statistic="Maximum", Period=60, EvaluationPeriods=1, Threshold=5,
        ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic])
    metrics.set_alarm_state(AlarmName="loud", StateValue="ALARM", StateReason="it is tried")
    told = json.loads(received(cloud, url)["Body"])
    said = json.loads(told["Message"])
    assert told["TopicArn"] == topic and told["Subject"].startswith("ALARM: ")
    assert (said["AlarmName"], said["NewStateValue"], said["NewStateReason"]) == ("loud", "ALARM", "it is tried")
    # The message may be there before its sender has written that it was sent.
    look = lambda: metrics.describe_alarm_history(AlarmName="loud", HistoryItemType="Action")["AlarmHistoryItems"]
    assert "Successfully executed action" in eventually(look, "the action")[0]["HistorySummary"]


def test_alarms_publish_to_topics_without_a_policy_and_where_the_policy_names_them(cloud):
    sns, metrics = cloud.client("sns"), cloud.client("cloudwatch")
    plain, picky = (sns.create_topic(Name=name)["TopicArn"] for name in ("plain", "picky"))
    source = f"arn:aws:cloudwatch:{cloud.region}:{cloud.account}:alarm:named"
    sns.set_topic_attributes(TopicArn=picky, AttributeName="Policy", AttributeValue=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish", "Resource": picky,
            "Condition": {"ArnEquals": {"aws:SourceArn": source}}}]}))

    def told(name, topic):
        metrics.put_metric_alarm(
            AlarmName=name, Namespace="App", MetricName="n", Statistic="Maximum", Period=60, EvaluationPeriods=1, Threshold=5,
            ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic])
        metrics.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="it is tried")
        look = lambda: metrics.describe_alarm_history(AlarmName=name, HistoryItemType="Action")["AlarmHistoryItems"]
        return eventually(look, "the action")[0]["HistorySummary"]

    assert told("any", plain) == f"Successfully executed action {plain}"
    assert told("named", picky) == f"Successfully executed action {picky}"
    refused = told("unnamed", picky)
    assert refused.startswith("Failed to execute action") and "AccessDenied" in refused, refused


def test_rules_publish_to_topics_that_let_them(cloud):
    sns, events = cloud.client("sns"), cloud.client("events")
    topic = sns.create_topic(Name="events")["TopicArn"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({
        "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": topic}]}))
    url, arn = queue(cloud, "from-events", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    events.put_rule(Name="shop", EventPattern=json.dumps({"source": ["shop"]}))
    assert events.put_targets(Rule="shop", Targets=[{"Id": "t", "Arn": topic, "InputPath": "$.detail"}])["FailedEntryCount"] == 0
    events.put_events(Entries=[{"Source": "shop", "DetailType": "Order", "Detail": json.dumps({"n": 1})}])
    assert json.loads(received(cloud, url)["Body"]) == {"n": 1}


def test_what_was_taken_is_delivered_also_across_a_crash(fresh):
    cloud = fresh("crash", clusters=())
    sns = cloud.client("sns")
    topic = sns.create_topic(Name="orders")["TopicArn"]
    url, arn = queue(cloud, "q", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    for number in range(10):
        sns.publish(TopicArn=topic, Message=str(number))
    cloud.kill()
    cloud.up()
    seen = set()

    def all_there():
        for message in cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
            seen.add(int(message["Body"]))
        return seen == set(range(10))

    eventually(all_there, "all ten")
