//! Decisions per second, beside an engine that others wrote, in turns within one run. Both get documents that were
//! parsed before, as the gate keeps them. Run by `cargo xtask perf policy`.

use std::hint::black_box;
use std::time::Instant;

use iam_rs::{Arn, IAMPolicy, IAMRequest, PolicyEvaluator, PrincipalId};
use roadstead_policy::{Context, Kind, Policies, Policy, Principal, Request, decide, parse};

const USER: &str = "arn:aws:iam::123456789012:user/ann";
const RESOURCE: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/web";
const ROUNDS: usize = 7;
const DECISIONS: usize = 20_000;

/// Policies as people write them: a few statements each, with wildcards, lists and conditions.
fn documents() -> Vec<String> {
    let other = |number: usize| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Action":["s3:Get*","s3:List*"],
              "Resource":["arn:aws:s3:::bucket-{number}","arn:aws:s3:::bucket-{number}/*"]}},
            {{"Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}},
            {{"Effect":"Deny","Action":"ec2:*","Resource":"*",
              "Condition":{{"StringNotEquals":{{"aws:RequestedRegion":["us-east-1","eu-west-1"]}}}}}}]}}"#
        )
    };
    let mut all: Vec<String> = (0..4).map(other).collect();
    all.push(
        r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"ecs:Describe*","Resource":"arn:aws:ecs:*:123456789012:cluster/*",
         "Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"},"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}},
        {"Effect":"Deny","Action":"ecs:Delete*","Resource":"*"}]}"#
            .to_owned(),
    );
    all
}

fn ours(policies: &[&Policy], context: &Context) -> bool {
    let request = Request {
        principal: Principal::User {
            account: "123456789012",
            arn: USER,
        },
        action: "ecs:DescribeClusters",
        resource: RESOURCE,
        resource_account: None,
        context,
    };
    let policies = Policies {
        identity: policies,
        ..Policies::default()
    };
    decide(policies, &request).is_allowed()
}

fn per_second(decide: impl Fn() -> bool) -> f64 {
    let begun = Instant::now();
    for _ in 0..DECISIONS {
        assert!(black_box(decide()));
    }
    DECISIONS as f64 / begun.elapsed().as_secs_f64()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn main() {
    let documents = documents();
    let parsed: Vec<Policy> = documents
        .iter()
        .map(|text| parse(text, Kind::Identity).expect("a policy"))
        .collect();
    let policies: Vec<&Policy> = parsed.iter().collect();
    let context = Context::default()
        .with("aws:username", "ann")
        .with("aws:RequestedRegion", "us-east-1")
        .with("aws:SourceIp", "10.1.2.3");

    let theirs: Vec<IAMPolicy> = documents
        .iter()
        .map(|text| IAMPolicy::from_json(text).expect("a policy"))
        .collect();
    let evaluator = PolicyEvaluator::with_policies(theirs);
    let request = IAMRequest::new_with_context(
        iam_rs::Principal::Aws(PrincipalId::String(USER.to_owned())),
        "ecs:DescribeClusters",
        Arn::parse(RESOURCE).expect("an ARN"),
        iam_rs::Context::new()
            .with_string("aws:username", "ann")
            .with_string("aws:RequestedRegion", "us-east-1")
            .with_string("aws:SourceIp", "10.1.2.3"),
    );
    let other = || {
        evaluator
            .evaluate(&request)
            .is_ok_and(|result| result.decision == iam_rs::Decision::Allow)
    };

    let (mut own, mut reference) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        own.push(per_second(|| ours(&policies, &context)));
        reference.push(per_second(other));
    }
    let (own, reference) = (median(own), median(reference));
    println!("decisions over 5 policies of 14 statements, {ROUNDS} rounds of {DECISIONS} in turns, medians:");
    println!("  roadstead  {own:>12.0}/s");
    println!("  iam-rs     {reference:>12.0}/s");
    println!("  ratio      {:>12.2}", own / reference);
}
