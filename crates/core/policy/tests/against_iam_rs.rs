//! The same decisions as an engine that others wrote, on generated policies and requests.
//!
//! Where that engine (iam-rs 0.8) is known to differ from the documentation, the generator stays away:
//! - it takes `ArnEquals` for equality of text, and lets stars of `ArnLike` pass colons;
//! - it lets no wildcard stand in the service part of a resource;
//! - it compares binary values without regard to case;
//! - it has no set operators with `IfExists`, nor any for numbers, dates and addresses;
//! - with several values in the request, a negated operator without a set operator holds for it if one value differs.

use iam_rs::{Arn, ContextValue, Decision, IAMPolicy, IAMRequest, PrincipalId};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use roadstead_policy::{Cause, Context, Kind, Policies, Principal, Request, decide, parse};
use serde_json::{Value, json};

const USER: &str = "arn:aws:iam::123456789012:user/ann";

fn action() -> impl Strategy<Value = &'static str> {
    select(
        &[
            "*",
            "ecs:*",
            "ecs:Run*",
            "ecs:RunTask",
            "ECS:runtask",
            "ecs:?unTask",
            "ecs:Describe*",
            "ec2:*",
        ][..],
    )
}

fn resource() -> impl Strategy<Value = &'static str> {
    select(
        &[
            "*",
            "arn:aws:ecs:*:*:cluster/*",
            "arn:aws:ecs:us-east-1:123456789012:cluster/web",
            "arn:aws:ecs:us-east-1:123456789012:cluster/w?b",
            "arn:aws:ecs:*:123456789012:task/*/a*",
            "arn:aws:ecs:us-east-1:123456789012:cluster/${aws:username}",
            "arn:aws:ecs:us-*:123456789012:task/web/abc",
        ][..],
    )
}

fn condition() -> impl Strategy<Value = (String, String, Value)> {
    let name = |plain: &[&'static str]| {
        (select(plain.to_vec()), any::<bool>())
            .prop_map(|(name, optional)| format!("{name}{}", if optional { "IfExists" } else { "" }))
    };
    let text = (
        name(&[
            "StringEquals",
            "StringNotEquals",
            "StringEqualsIgnoreCase",
            "StringLike",
            "StringNotLike",
        ]),
        select(&["x:text", "x:gone"][..]),
        vec(select(&["a", "B", "a*", "?", "ab"][..]), 1..3).prop_map(|values| json!(values)),
    );
    let number = (
        name(&[
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericGreaterThanEquals",
        ]),
        select(&["x:number", "x:gone"][..]),
        vec(select(&["1", "2", "2.5"][..]), 1..3).prop_map(|values| json!(values)),
    );
    let date = (
        name(&["DateLessThan", "DateGreaterThan", "DateEquals"]),
        select(&["x:date", "x:gone"][..]),
        select(&["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"][..]).prop_map(|value| json!(value)),
    );
    let address = (
        name(&["IpAddress", "NotIpAddress"]),
        select(&["x:address", "x:gone"][..]),
        vec(select(&["10.0.0.0/8", "192.168.1.1/32"][..]), 1..3).prop_map(|values| json!(values)),
    );
    let set = (
        select(
            &[
                "ForAllValues:StringEquals",
                "ForAnyValue:StringEquals",
                "ForAllValues:StringNotEquals",
                "ForAnyValue:StringNotEquals",
                "ForAnyValue:StringLike",
            ][..],
        )
        .prop_map(str::to_owned),
        select(&["x:set", "x:gone"][..]),
        vec(select(&["a", "b", "a*"][..]), 1..3).prop_map(|values| json!(values)),
    );
    let null = (
        Just("Null".to_owned()),
        select(&["x:text", "x:gone"][..]),
        select(&["true", "false"][..]).prop_map(|value| json!(value)),
    );
    prop_oneof![text, number, date, address, set, null]
        .prop_map(|(name, key, value)| (name, key.to_owned(), value))
}

fn statement() -> impl Strategy<Value = Value> {
    (
        select(&["Allow", "Allow", "Deny"][..]),
        select(&["Action", "Action", "NotAction"][..]),
        vec(action(), 1..3),
        select(&["Resource", "Resource", "NotResource"][..]),
        vec(resource(), 1..3),
        vec(condition(), 0..3),
    )
        .prop_map(|(effect, action, actions, resource, resources, conditions)| {
            let mut statement = json!({"Effect": effect, action: actions, resource: resources});
            for (operator, key, value) in conditions {
                statement["Condition"][operator][key] = value;
            }
            statement
        })
}

#[derive(Debug, Clone)]
struct Asked {
    action: &'static str,
    resource: &'static str,
    text: Option<&'static str>,
    number: Option<&'static str>,
    date: Option<&'static str>,
    address: Option<&'static str>,
    set: Option<Vec<&'static str>>,
}

fn asked() -> impl Strategy<Value = Asked> {
    (
        select(&["ecs:RunTask", "ecs:DescribeClusters", "ec2:RunInstances"][..]),
        select(
            &[
                "arn:aws:ecs:us-east-1:123456789012:cluster/web",
                "arn:aws:ecs:us-east-1:123456789012:cluster/ann",
                "arn:aws:ecs:eu-west-1:123456789012:task/web/abc",
            ][..],
        ),
        weighted(0.8, select(&["a", "b", "ab", "*"][..])),
        weighted(0.8, select(&["1", "2", "3"][..])),
        weighted(0.8, select(&["2026-06-01T00:00:00Z", "2026-01-01T00:00:00Z"][..])),
        weighted(0.8, select(&["10.1.1.1", "192.168.1.1"][..])),
        weighted(0.8, vec(select(&["a", "b", "c"][..]), 1..3)),
    )
        .prop_map(|(action, resource, text, number, date, address, set)| Asked {
            action,
            resource,
            text,
            number,
            date,
            address,
            set,
        })
}

fn ours(documents: &[String], asked: &Asked) -> Cause {
    let policies: Vec<_> = documents
        .iter()
        .map(|text| parse(text, Kind::Identity).expect("a policy"))
        .collect();
    let policies: Vec<_> = policies.iter().collect();
    let mut context = Context::default().with("aws:username", "ann");
    for (key, value) in [
        ("x:text", asked.text),
        ("x:number", asked.number),
        ("x:date", asked.date),
        ("x:address", asked.address),
    ] {
        if let Some(value) = value {
            context.set(key, [value.to_owned()]);
        }
    }
    if let Some(set) = &asked.set {
        context.set("x:set", set.iter().map(|value| (*value).to_owned()));
    }
    let request = Request {
        principal: Principal::User {
            account: "123456789012",
            arn: USER,
        },
        action: asked.action,
        resource: asked.resource,
        resource_account: None,
        context: &context,
    };
    let policies = Policies {
        identity: &policies,
        ..Policies::default()
    };
    decide(policies, &request).cause
}

fn theirs(documents: &[String], asked: &Asked) -> Decision {
    let policies: Vec<IAMPolicy> = documents
        .iter()
        .map(|text| IAMPolicy::from_json(text).expect("a policy"))
        .collect();
    let mut context = iam_rs::Context::new().with_string("aws:username", "ann");
    for (key, value) in [
        ("x:text", asked.text),
        ("x:number", asked.number),
        ("x:date", asked.date),
        ("x:address", asked.address),
    ] {
        if let Some(value) = value {
            context = context.with_string(key, value);
        }
    }
    if let Some(set) = &asked.set {
        let set = set.iter().map(|value| (*value).to_owned()).collect();
        context.insert("x:set".to_owned(), ContextValue::StringList(set));
    }
    let principal = iam_rs::Principal::Aws(PrincipalId::String(USER.to_owned()));
    let resource = Arn::parse(asked.resource).expect("an ARN");
    let request = IAMRequest::new_with_context(principal, asked.action, resource, context);
    iam_rs::evaluate_policies(&policies, &request).expect("a decision")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn both_engines_decide_alike(policies in vec(vec(statement(), 1..4), 1..3), asked in asked()) {
        let documents: Vec<String> = policies
            .into_iter()
            .map(|statements| json!({"Version": "2012-10-17", "Statement": statements}).to_string())
            .collect();
        let ours = match ours(&documents, &asked) {
            Cause::Allowed => Decision::Allow,
            Cause::Denied(_) => Decision::Deny,
            Cause::NotAllowed(_) => Decision::NotApplicable,
        };
        prop_assert_eq!(ours, theirs(&documents, &asked), "{:?}", documents);
    }
}
