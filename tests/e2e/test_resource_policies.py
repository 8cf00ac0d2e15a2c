"""Policies of resources, of services that have them: who else may write to log groups and publish to event buses."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from roadstead import eventually

OTHER = "111111111111"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    from roadstead import Roadstead
    with Roadstead(tmp_path_factory.mktemp("policies"), clusters=()) as cloud:
        yield cloud


def user(cloud, name, service, account=None, allowed=None):
    """A client with the keys of a new user, who may what is allowed."""
    iam = cloud.client("iam", account=account)
    iam.create_user(UserName=name)
    if allowed:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(document({
            "Effect": "Allow", "Action": allowed, "Resource": "*"})))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return boto3.client(service, endpoint_url=cloud.url, region_name=cloud.region,
                        aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def bus(cloud, name):
    return f"arn:aws:events:{cloud.region}:{cloud.account}:event-bus/{name}"


def event(number, bus):
    return {"EventBusName": bus, "Source": "shop", "DetailType": "Order", "Detail": json.dumps({"n": number})}


def code(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def test_rules_write_to_groups_whose_policies_let_them(cloud):
    """What no policy lets in goes to the dead letters; a policy of the account or of the group does let in."""
    logs, events, sqs = (cloud.client(name) for name in ("logs", "events", "sqs"))
    group = f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:/orders"
    logs.create_log_group(logGroupName="/orders")
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    dead = f"arn:aws:sqs:{cloud.region}:{cloud.account}:dead"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(document({
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": dead}))})
    rule = events.put_rule(Name="orders", EventPattern=json.dumps({"source": ["shop"]}))["RuleArn"]
    events.put_targets(Rule="orders", Targets=[
        {"Id": "t", "Arn": group, "InputPath": "$.detail", "DeadLetterConfig": {"Arn": dead}}])

    def letters():
        got = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10).get("Messages", [])
        for message in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [message["MessageAttributes"]["ERROR_CODE"]["StringValue"] for message in got]

    def written(number):
        lines = logs.filter_log_events(logGroupName="/orders")["events"]
        return any(json.loads(line["message"]) == {"n": number} for line in lines)

    def let(source, actions=("logs:CreateLogStream", "logs:PutLogEvents")):
        return json.dumps(document({
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": actions, "Resource": f"{group}:*",
            "Condition": {"ArnEquals": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": cloud.account}}}))

    events.put_events(Entries=[event(1, "default")])
    assert eventually(letters, "the first dead letter") == ["NO_PERMISSIONS"]
    # One of another rule is none of this one.
    logs.put_resource_policy(policyName="rules", policyDocument=let(rule.replace("/orders", "/other")))
    events.put_events(Entries=[event(2, "default")])
    assert eventually(letters, "the second dead letter") == ["NO_PERMISSIONS"]
    # Policies add up: one may make streams, the other write into them.
    logs.put_resource_policy(policyName="rules", policyDocument=let(rule, ["logs:CreateLogStream"]))
    own = logs.put_resource_policy(resourceArn=group, policyDocument=let(rule, ["logs:PutLogEvents"]))
    events.put_events(Entries=[event(3, "default")])
    eventually(lambda: written(3), "the third event")
    logs.delete_resource_policy(resourceArn=group, expectedRevisionId=own["revisionId"])
    events.put_events(Entries=[event(4, "default")])
    assert eventually(letters, "the fourth as a dead letter") == ["NO_PERMISSIONS"]
    assert not written(1) and not written(2) and not written(4)
    # Users go by their own policies alone.
    ann = user(cloud, "ann", "logs")
    logs.put_resource_policy(policyName="ann", policyDocument=json.dumps(document({
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{cloud.account}:user/ann"}, "Action": "logs:*", "Resource": "*"})))
    assert code(ann.create_log_stream, logGroupName="/orders", logStreamName="ann") == "AccessDeniedException"
    shown = cloud.aws("logs", "describe-resource-policies")["resourcePolicies"]
    assert [policy["policyName"] for policy in shown] == ["ann", "rules"]


def test_buses_let_in_other_accounts_by_their_policies(cloud):
    """Its root and its users; without a policy nobody, and what comes in tells whose it is."""
    events, sqs = cloud.client("events"), cloud.client("sqs")
    arn = events.create_event_bus(Name="shared")["EventBusArn"]
    url = sqs.create_queue(QueueName="shared")["QueueUrl"]
    queue = f"arn:aws:sqs:{cloud.region}:{cloud.account}:shared"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(document({
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue}))})
    events.put_rule(Name="all", EventBusName="shared", EventPattern=json.dumps({"account": [OTHER]}))
    events.put_targets(Rule="all", EventBusName="shared", Targets=[{"Id": "t", "Arn": queue}])
    root = cloud.client("events", account=OTHER)
    bob = user(cloud, "bob", "events", account=OTHER, allowed="events:PutEvents")
    nobody = user(cloud, "nobody", "events", account=OTHER)
    for caller in (root, bob, nobody):
        assert code(caller.put_events, Entries=[event(1, arn)]) == "AccessDeniedException"
    cloud.aws("events", "put-permission", "--event-bus-name", "shared", "--action", "events:PutEvents",
              "--principal", OTHER, "--statement-id", "other")
    policy = json.loads(events.describe_event_bus(Name="shared")["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["other"]
    for number, caller in enumerate((root, bob)):
        assert caller.put_events(Entries=[event(number, arn)])["FailedEntryCount"] == 0
    assert code(nobody.put_events, Entries=[event(9, arn)]) == "AccessDeniedException"
    stranger = cloud.client("events", account="222222222222")
    assert code(stranger.put_events, Entries=[event(9, arn)]) == "AccessDeniedException"
    seen = []

    def both():
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            seen.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(seen) >= 2
    eventually(both, "both events")
    assert sorted(event["detail"]["n"] for event in seen) == [0, 1]
    assert {event["account"] for event in seen} == {OTHER}
    cloud.interrupt()
    cloud.up()
    assert root.put_events(Entries=[event(2, arn)])["FailedEntryCount"] == 0
    events.remove_permission(EventBusName="shared", StatementId="other")
    assert code(root.put_events, Entries=[event(9, arn)]) == "AccessDeniedException"


def test_a_bus_and_its_account_decide_together_about_users(cloud):
    events = cloud.client("events")
    arn = events.create_event_bus(Name="guarded")["EventBusArn"]
    eve, max_ = (user(cloud, name, "events", allowed=allowed) for name, allowed in (("eve", None), ("max", "events:*")))
    named = {"AWS": f"arn:aws:iam::{cloud.account}:user/eve"}
    events.put_permission(EventBusName="guarded", Policy=json.dumps(document(
        {"Effect": "Allow", "Principal": named, "Action": "events:PutEvents", "Resource": arn,
         "Condition": {"StringEquals": {"events:source": "shop"}}},
        {"Effect": "Deny", "Principal": "*", "Action": "events:PutEvents", "Resource": arn,
         "Condition": {"StringEquals": {"events:detail-type": "Secret"}}},
        {"Effect": "Deny", "Principal": "*", "Action": "events:PutRule", "Resource": arn.replace(":event-bus/", ":rule/") + "/*"})))
    assert eve.put_events(Entries=[event(1, "guarded")])["FailedEntryCount"] == 0
    assert code(eve.put_events, Entries=[{**event(1, "guarded"), "Source": "other"}]) == "AccessDeniedException"
    assert max_.put_events(Entries=[event(1, "guarded")])["FailedEntryCount"] == 0
    assert code(max_.put_events, Entries=[{**event(1, "guarded"), "DetailType": "Secret"}]) == "AccessDeniedException"
    rule = {"Name": "r", "EventBusName": "guarded", "EventPattern": json.dumps({"source": ["shop"]})}
    assert code(max_.put_rule, **rule) == "AccessDeniedException"
    max_.put_rule(**{**rule, "EventBusName": "default"})
    events.remove_permission(EventBusName="guarded", RemoveAllPermissions=True)
    max_.put_rule(**rule)
    assert "Policy" not in events.describe_event_bus(Name="guarded")
    assert code(eve.put_events, Entries=[event(1, "guarded")]) == "AccessDeniedException"
