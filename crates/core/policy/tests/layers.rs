//! What several policies come to: the order of the evaluation, one account and two.

use proptest::prelude::*;
use roadstead_policy::{
    Cause, Context, Decision, Kind, Policies, Policy, Principal, Request, Source, decide, parse,
};

const OWN: &str = "111122223333";
const USER: Principal<'_> = Principal::User {
    account: OWN,
    arn: "arn:aws:iam::111122223333:user/ann",
};
const SESSION: Principal<'_> = Principal::Session {
    account: OWN,
    role_arn: "arn:aws:iam::111122223333:role/r",
    session_arn: "arn:aws:sts::111122223333:assumed-role/r/s",
};
const ROOT: Principal<'_> = Principal::Root { account: OWN };
const SERVICE: Principal<'_> = Principal::Service {
    name: "events.amazonaws.com",
    region: "us-east-1",
};

fn identity(effect: &str) -> Policy {
    let text = format!(r#"{{"Statement":[{{"Effect":"{effect}","Action":"sqs:*","Resource":"*"}}]}}"#);
    parse(&text, Kind::Identity).expect("a policy")
}

fn resource(effect: &str, principal: &str) -> Policy {
    let text = format!(
        r#"{{"Statement":[{{"Effect":"{effect}","Principal":{principal},"Action":"sqs:SendMessage","Resource":"*"}}]}}"#
    );
    parse(&text, Kind::Resource).expect("a policy")
}

/// `a` allows, `d` denies, `-` is empty, blank is absent: identity, boundary, session.
fn weigh(principal: Principal<'_>, account: &str, layers: [&str; 3], own: Option<&Policy>) -> Cause {
    let (allow, deny) = (identity("Allow"), identity("Deny"));
    let policies = |layer: &str| -> Vec<&Policy> {
        let all = layer.chars().filter(|c| *c != '-');
        all.map(|c| if c == 'a' { &allow } else { &deny }).collect()
    };
    let [first, boundary, session] = layers.map(|layer| (layer, policies(layer)));
    let some = |(layer, _): &(&str, Vec<&Policy>)| !layer.is_empty();
    let resource = format!("arn:aws:sqs:us-east-1:{account}:q");
    let request = Request {
        principal,
        action: "SQS:sendmessage",
        resource: &resource,
        resource_account: None,
        context: &Context::default(),
    };
    let policies = Policies {
        identity: &first.1,
        boundary: some(&boundary).then_some(boundary.1.as_slice()),
        session: some(&session).then_some(session.1.as_slice()),
        resource: own,
        resource_must_allow: false,
    };
    decide(policies, &request).cause
}

#[test]
fn identity_boundary_and_session_must_all_allow() {
    use Cause::{Allowed, Denied, NotAllowed};
    for (layers, expected) in [
        (["a", "", ""], Allowed),
        (["", "", ""], NotAllowed(Source::Identity)),
        (["d", "", ""], Denied(Source::Identity)),
        (["ad", "", ""], Denied(Source::Identity)),
        (["a", "a", ""], Allowed),
        (["a", "-", ""], NotAllowed(Source::Boundary)),
        (["a", "d", ""], Denied(Source::Boundary)),
        (["", "a", ""], NotAllowed(Source::Identity)),
        (["a", "a", "a"], Allowed),
        (["a", "a", "-"], NotAllowed(Source::Session)),
        (["a", "a", "d"], Denied(Source::Session)),
        (["a", "-", "-"], NotAllowed(Source::Boundary)),
    ] {
        assert_eq!(weigh(SESSION, OWN, layers, None), expected, "{layers:?}");
    }
}

#[test]
fn a_resources_own_policy_in_one_account() {
    use Cause::{Allowed, Denied, NotAllowed};
    let by = |arn: &str| format!(r#"{{"AWS":"{arn}"}}"#);
    let (session, role) = (
        by("arn:aws:sts::111122223333:assumed-role/r/s"),
        by("arn:aws:iam::111122223333:role/r"),
    );
    let everyone = r#""*""#.to_owned();
    for (effect, principal, layers, expected) in [
        ("Allow", &session, ["", "", ""], Allowed),
        ("Allow", &session, ["", "-", "-"], Allowed),
        ("Allow", &role, ["", "", ""], Allowed),
        ("Allow", &role, ["", "-", ""], NotAllowed(Source::Boundary)),
        ("Allow", &role, ["", "", "-"], NotAllowed(Source::Session)),
        ("Allow", &everyone, ["", "", ""], Allowed),
        ("Allow", &by(OWN), ["", "", ""], NotAllowed(Source::Identity)),
        ("Allow", &by(OWN), ["a", "", ""], Allowed),
        ("Allow", &session, ["d", "", ""], Denied(Source::Identity)),
        ("Deny", &role, ["a", "", ""], Denied(Source::Resource)),
        ("Allow", &by("444455556666"), ["a", "", ""], Allowed),
    ] {
        let own = resource(effect, principal);
        assert_eq!(
            weigh(SESSION, OWN, layers, Some(&own)),
            expected,
            "{effect} {principal} {layers:?}"
        );
    }
}

#[test]
fn across_accounts_both_sides_must_allow() {
    use Cause::{Allowed, NotAllowed};
    let user = resource("Allow", r#"{"AWS":"arn:aws:iam::111122223333:user/ann"}"#);
    let account = resource("Allow", r#"{"AWS":"111122223333"}"#);
    let nobody = resource("Allow", r#"{"AWS":"999999999999"}"#);
    const OTHER: &str = "444455556666";
    assert_eq!(
        weigh(USER, OTHER, ["a", "", ""], None),
        NotAllowed(Source::Resource)
    );
    assert_eq!(
        weigh(USER, OTHER, ["a", "", ""], Some(&nobody)),
        NotAllowed(Source::Resource)
    );
    assert_eq!(
        weigh(USER, OTHER, ["", "", ""], Some(&user)),
        NotAllowed(Source::Identity)
    );
    assert_eq!(weigh(USER, OTHER, ["a", "", ""], Some(&user)), Allowed);
    assert_eq!(weigh(USER, OTHER, ["a", "", ""], Some(&account)), Allowed);
    assert_eq!(
        weigh(USER, OTHER, ["a", "-", ""], Some(&account)),
        NotAllowed(Source::Boundary)
    );
    assert_eq!(
        weigh(ROOT, OTHER, ["", "", ""], None),
        NotAllowed(Source::Resource)
    );
    assert_eq!(weigh(ROOT, OTHER, ["", "", ""], Some(&account)), Allowed);
    assert_eq!(weigh(ROOT, OWN, ["", "", ""], None), Allowed);
}

#[test]
fn services_need_to_be_named() {
    use Cause::{Allowed, NotAllowed};
    let named = resource("Allow", r#"{"Service":"events.amazonaws.com"}"#);
    let other = resource("Allow", r#"{"Service":"sns.amazonaws.com"}"#);
    assert_eq!(weigh(SERVICE, OWN, ["", "", ""], Some(&named)), Allowed);
    assert_eq!(
        weigh(SERVICE, OWN, ["", "", ""], Some(&other)),
        NotAllowed(Source::Resource)
    );
}

#[test]
fn who_is_not_the_principal() {
    let text = r#"{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/ann"},
        "Action":"sqs:*","Resource":"*"}]}"#;
    let own = parse(text, Kind::Resource).expect("a policy");
    assert_eq!(weigh(USER, OWN, ["a", "", ""], Some(&own)), Cause::Allowed);
    assert_eq!(
        weigh(SESSION, OWN, ["a", "", ""], Some(&own)),
        Cause::Denied(Source::Resource)
    );
}

#[test]
fn a_role_is_assumed_only_by_whom_it_trusts() {
    let allow = parse(
        r#"{"Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*"}]}"#,
        Kind::Identity,
    )
    .expect("a policy");
    let trust = |principal: &str| {
        let text = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}]}}"#
        );
        parse(&text, Kind::Trust).expect("a policy")
    };
    let cause = |identity: &[&Policy], trust: &Policy| {
        let request = Request {
            principal: USER,
            action: "sts:AssumeRole",
            resource: "arn:aws:iam::111122223333:role/r",
            resource_account: None,
            context: &Context::default(),
        };
        let policies = Policies {
            identity,
            resource: Some(trust),
            resource_must_allow: true,
            ..Policies::default()
        };
        decide(policies, &request).cause
    };
    let (other, account) = (
        trust(r#"{"Service":"ecs-tasks.amazonaws.com"}"#),
        trust(r#"{"AWS":"111122223333"}"#),
    );
    let named = trust(r#"{"AWS":"arn:aws:iam::111122223333:user/ann"}"#);
    assert_eq!(cause(&[&allow], &other), Cause::NotAllowed(Source::Resource));
    assert_eq!(cause(&[&allow], &account), Cause::Allowed);
    assert_eq!(cause(&[], &account), Cause::NotAllowed(Source::Identity));
    assert_eq!(cause(&[], &named), Cause::Allowed);
}

#[test]
fn the_statements_that_decided_are_told() {
    let text = r#"{"Statement":[
        {"Sid":"one","Effect":"Allow","Action":"sqs:*","Resource":"*"},
        {"Sid":"two","Effect":"Deny","Action":"sqs:Delete*","Resource":"*"}]}"#;
    let policy = parse(text, Kind::Identity).expect("a policy");
    let all = [&policy];
    let sids = |action| {
        let request = Request {
            principal: USER,
            action,
            resource: "*",
            resource_account: None,
            context: &Context::default(),
        };
        let policies = Policies {
            identity: &all,
            ..Policies::default()
        };
        let Decision { matched, .. } = decide(policies, &request);
        matched
            .iter()
            .map(|matched| matched.statement.sid.clone().expect("a sid"))
            .collect::<Vec<_>>()
    };
    assert_eq!(sids("sqs:SendMessage"), ["one"]);
    assert_eq!(sids("sqs:DeleteQueue"), ["two"]);
    assert!(sids("sns:Publish").is_empty());
}

proptest! {
    /// Adding a deny never allows more; taking an allow away never allows more.
    #[test]
    fn a_layer_more_never_allows_more(
        first in "[ad]{0,3}", boundary in "[-ad]{0,2}", session in "[-ad]{0,2}"
    ) {
        let with = |layers: [&str; 3]| weigh(SESSION, OWN, layers, None) == Cause::Allowed;
        let allowed = with([&first, &boundary, &session]);
        for layer in 0..3 {
            let denied = [&first, &boundary, &session].map(|layer| format!("{layer}d"));
            let mut layers = [first.as_str(), boundary.as_str(), session.as_str()];
            layers[layer] = &denied[layer];
            prop_assert!(!with(layers));
        }
        if !boundary.is_empty() {
            prop_assert!(!allowed || with([&first, "", &session]));
        }
        let expected = !format!("{first}{boundary}{session}").contains('d')
            && first.contains('a')
            && (boundary.is_empty() || boundary.contains('a'))
            && (session.is_empty() || session.contains('a'));
        prop_assert_eq!(allowed, expected);
    }

    /// Whatever it is given, the parser gives a policy or a place within the text.
    #[test]
    fn any_text_is_read_or_placed(text in "\\PC{0,80}", cut in 0usize..400) {
        let whole = r#"{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":["a:b"],
            "Resource":"arn:aws:s3:::${aws:username}","Condition":{"StringLike":{"a:b":["x"]}}}]}"#;
        let cut = (0..=cut.min(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
        for text in [text.clone(), format!("{}{text}", &whole[..cut]), format!("{}{text}{}", &whole[..cut], &whole[cut..])] {
            if let Err(error) = parse(&text, Kind::Identity) {
                prop_assert!(error.position.line as usize <= text.split('\n').count());
            }
        }
    }
}
