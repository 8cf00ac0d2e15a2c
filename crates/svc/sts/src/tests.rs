//! The operations behind the gate, with an IAM that knows one role and an authority that trusts everybody the role's
//! policy names.

use std::sync::{Arc, Mutex};

use roadstead_api_iam::{GetRoleResponse, Role};
use roadstead_api_sts::{
    AssumeRoleRequest, Client, GetAccessKeyInfoRequest, GetCallerIdentityRequest, GetSessionTokenRequest,
    PolicyDescriptorType, Server, Tag,
};
use roadstead_base::{AccountId, Caller, Ctx, ManualClock, Origin, Pager, RoleSession, Timestamp, User};
use roadstead_dispatch::{
    Asked, Authority, Because, Denial, Dispatcher, IssuedKey, KeyError, RoleError, ServiceAssumes,
    SessionKeys,
};
use roadstead_protocol::{ApiError, BoxFuture, Handler, Operation, ServiceModel, Value, Wire as _};

use crate::{Sts, StsPermissions};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const ACCOUNT: &str = "123456789012";
const ROLE: &str = "arn:aws:iam::123456789012:role/p/reader";

/// Knows the role `reader`, whose trust policy is the word `ann`.
struct OneRole;

impl Handler for OneRole {
    fn model(&self) -> &'static ServiceModel {
        &roadstead_api_iam::MODEL
    }

    fn call<'a>(
        &'a self,
        _operation: &'static Operation,
        _ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        Box::pin(async move {
            if input.get("RoleName") != Some(&Value::Str("reader".into())) {
                return Err(ApiError::new("NoSuchEntity", 404, "none"));
            }
            let role = Role {
                arn: ROLE.into(),
                path: "/p/".into(),
                role_id: "AROAREADER".into(),
                role_name: "reader".into(),
                assume_role_policy_document: Some("ann%20only".into()),
                max_session_duration: Some(7200),
                ..Role::default()
            };
            Ok(GetRoleResponse { role }.into_value())
        })
    }
}

#[derive(Default)]
struct Clerk {
    issued: Mutex<Vec<(Caller, Timestamp)>>,
    asked: Mutex<Vec<String>>,
}

impl Authority for Clerk {
    fn find(&self, _access_key: &str, _token: Option<&str>) -> Result<Option<IssuedKey>, KeyError> {
        Ok(None)
    }

    fn account_of(&self, access_key: &str) -> Option<AccountId> {
        (access_key == "AKIAOURSOURSOURSOURS").then(|| ACCOUNT.parse().expect("an account"))
    }

    fn decide(&self, asked: Asked<'_>) -> Result<(), Denial> {
        let external = asked
            .keys
            .get("sts:ExternalId")
            .map(|values| values.join(","))
            .unwrap_or_default();
        let line = format!(
            "{} {} {:?} {external}",
            asked.action, asked.resource, asked.resource_policy
        );
        self.asked.lock().expect("no panic").push(line.trim().to_owned());
        let trusted = asked.resource_policy.is_none_or(|policy| policy == "ann only");
        let is_ann = asked.ctx.caller.to_string().contains("ann");
        if trusted && is_ann {
            return Ok(());
        }
        Err(Denial {
            caller: asked.ctx.caller.arn(&asked.ctx.account),
            action: asked.action.into(),
            resource: asked.resource.into(),
            because: Because::NoResourcePolicy,
        })
    }

    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<RoleSession>, RoleError> {
        Err(RoleError::NoSuchRole(assumes.role_arn.to_owned()))
    }

    fn issue(&self, caller: &Caller, _account: &AccountId, expires: Timestamp) -> SessionKeys {
        self.issued
            .lock()
            .expect("no panic")
            .push((caller.clone(), expires));
        SessionKeys {
            access_key: "ASIA".repeat(5),
            secret: "secret".into(),
            token: "token".into(),
            expires,
        }
    }
}

struct Bench {
    dispatcher: Arc<Dispatcher>,
    sts: Client,
    clerk: Arc<Clerk>,
}

fn bench() -> Bench {
    let clock = Arc::new(ManualClock::at(NOW));
    let dispatcher = Dispatcher::new(
        clock.clone(),
        Pager::new([1; 32]),
        ACCOUNT.parse().expect("an account"),
    );
    let clerk = Arc::new(Clerk::default());
    dispatcher.register(Arc::new(OneRole));
    dispatcher.set_authority(clerk.clone());
    let sts = Sts::new(dispatcher.clone(), clock);
    dispatcher.register(Arc::new(Server(sts.clone())));
    dispatcher.guard(&roadstead_api_sts::MODEL, Arc::new(StsPermissions(sts)));
    Bench {
        sts: Client(dispatcher.clone()),
        dispatcher,
        clerk,
    }
}

impl Bench {
    fn ctx(&self, caller: Caller) -> Ctx {
        let account = ACCOUNT.parse().expect("an account");
        let mut ctx = self
            .dispatcher
            .internal_ctx("test", account, "us-east-1".parse().expect("a region"));
        ctx.caller = caller;
        ctx
    }

    fn user(&self, name: &str) -> Ctx {
        self.ctx(Caller::User(Arc::new(User {
            arn: format!("arn:aws:iam::{ACCOUNT}:user/{name}"),
            name: name.into(),
            id: "AIDA".into(),
        })))
    }
}

fn request() -> AssumeRoleRequest {
    AssumeRoleRequest {
        role_arn: ROLE.into(),
        role_session_name: "monday-ann".into(),
        ..Default::default()
    }
}

fn fails<T: std::fmt::Debug>(result: Result<T, ApiError>, code: &str, words: &str) {
    let error = result.expect_err(words);
    assert!(
        error.code == code && error.message.contains(words),
        "{error:?}, not {code}: {words}"
    );
}

#[tokio::test]
async fn a_session_is_made_of_what_the_request_says() {
    let bench = bench();
    let ann = bench.user("ann");
    let input = AssumeRoleRequest {
        duration_seconds: Some(900),
        external_id: Some("ticket".into()),
        policy: Some(r#"{"Statement":{"Effect":"Allow","Action":"ecs:*","Resource":"*"}}"#.into()),
        policy_arns: Some(vec![PolicyDescriptorType {
            arn: Some("arn:aws:iam::aws:policy/AdministratorAccess".into()),
        }]),
        source_identity: Some("ann".into()),
        tags: Some(vec![Tag {
            key: "team".into(),
            value: "a".into(),
        }]),
        transitive_tag_keys: Some(vec!["team".into()]),
        ..request()
    };
    let answer = bench.sts.assume_role(&ann, input).await.expect("assumed");
    let user = answer.assumed_role_user.expect("a user");
    assert_eq!(
        user.arn,
        "arn:aws:sts::123456789012:assumed-role/reader/monday-ann"
    );
    assert_eq!(user.assumed_role_id, "AROAREADER:monday-ann");
    assert_eq!(
        answer.credentials.expect("keys").expiration,
        NOW.plus_millis(900_000)
    );
    assert_eq!(
        (answer.source_identity.as_deref(), answer.packed_policy_size),
        (Some("ann"), Some(3))
    );
    let issued = bench.clerk.issued.lock().expect("no panic").clone();
    let Caller::Role(session) = &issued[0].0 else {
        panic!("not a role")
    };
    assert_eq!(
        (session.policies.len(), session.policy_arns.len(), session.chained),
        (1, 1, false)
    );
    assert_eq!(
        (session.tags.clone(), session.transitive.clone()),
        (vec![("team".into(), "a".into())], vec!["team".into()])
    );
    let asked = bench.clerk.asked.lock().expect("no panic").clone();
    let actions: Vec<&str> = asked.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(
        actions,
        ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    );
    assert!(asked[0].ends_with(" ticket"), "{}", asked[0]);
    assert_eq!(
        asked[0],
        format!("sts:AssumeRole {ROLE} Some(\"ann only\") ticket")
    );

    // A session of a session: an hour at most, the transitive tags stay, the source identity too.
    let chained = bench.ctx(Caller::Role(session.clone()));
    let long = AssumeRoleRequest {
        duration_seconds: Some(3601),
        ..request()
    };
    fails(
        bench.sts.assume_role(&chained, long).await,
        "ValidationError",
        "1 hour session limit",
    );
    let other = AssumeRoleRequest {
        source_identity: Some("bob".into()),
        ..request()
    };
    fails(
        bench.sts.assume_role(&chained, other).await,
        "AccessDenied",
        "SourceIdentity",
    );
    let again = AssumeRoleRequest {
        tags: Some(vec![Tag {
            key: "Team".into(),
            value: "b".into(),
        }]),
        ..request()
    };
    fails(
        bench.sts.assume_role(&chained, again).await,
        "ValidationError",
        "is transitive",
    );
    bench.sts.assume_role(&chained, request()).await.expect("assumed");
    let issued = bench.clerk.issued.lock().expect("no panic").clone();
    let Caller::Role(session) = &issued[1].0 else {
        panic!("not a role")
    };
    assert!(session.chained && session.tags.len() == 1 && session.source_identity.as_deref() == Some("ann"));
}

#[tokio::test]
async fn what_cannot_be_assumed_is_refused() {
    let bench = bench();
    let ann = bench.user("ann");
    fails(
        bench.sts.assume_role(&bench.ctx(Caller::Root), request()).await,
        "AccessDenied",
        "Roles may not be assumed by root accounts.",
    );
    fails(
        bench.sts.assume_role(&bench.user("bob"), request()).await,
        "AccessDenied",
        "sts:AssumeRole",
    );
    for role in [
        "arn:aws:iam::123456789012:role/none",
        "arn:aws:iam::123456789012:role/reader",
    ] {
        let input = AssumeRoleRequest {
            role_arn: role.into(),
            ..request()
        };
        fails(bench.sts.assume_role(&ann, input).await, "AccessDenied", role);
    }
    let change = |change: fn(&mut AssumeRoleRequest)| {
        let mut input = request();
        change(&mut input);
        bench.sts.assume_role(&ann, input)
    };
    fails(
        change(|it| it.role_arn = "arn:aws:iam::123456789012:user/reader".into()).await,
        "ValidationError",
        "is invalid",
    );
    fails(
        change(|it| it.duration_seconds = Some(7201)).await,
        "ValidationError",
        "MaxSessionDuration",
    );
    fails(
        change(|it| it.policy = Some("{}".into())).await,
        "MalformedPolicyDocument",
        "(line 1, column 1)",
    );
    fails(
        change(|it| it.transitive_tag_keys = Some(vec!["x".into()])).await,
        "ValidationError",
        "transitive tag key x",
    );
    fails(
        change(|it| it.serial_number = Some("GAHT12345678".into())).await,
        "ValidationError",
        "SerialNumber",
    );
    fails(
        change(|it| it.token_code = Some("123456".into())).await,
        "ValidationError",
        "TokenCode",
    );
    let bad = |it: &mut AssumeRoleRequest| {
        it.policy_arns = Some(vec![PolicyDescriptorType {
            arn: Some("arn:aws:s3:::bucket-of-mine".into()),
        }]);
    };
    fails(change(bad).await, "ValidationError", "is not valid");
}

#[tokio::test]
async fn who_asks_is_told_who_it_is() {
    let bench = bench();
    for (ctx, arn, id) in [
        (bench.ctx(Caller::Root), "arn:aws:iam::123456789012:root", ACCOUNT),
        (bench.user("bob"), "arn:aws:iam::123456789012:user/bob", "AIDA"),
    ] {
        let answer = bench
            .sts
            .get_caller_identity(&ctx, GetCallerIdentityRequest {})
            .await
            .expect("an answer");
        assert_eq!(
            (answer.arn.as_deref(), answer.user_id.as_deref()),
            (Some(arn), Some(id))
        );
        assert_eq!(answer.account.as_deref(), Some(ACCOUNT));
    }
}

#[tokio::test]
async fn a_users_session_lasts_as_long_as_it_asks() {
    let bench = bench();
    let ask = |seconds| GetSessionTokenRequest {
        duration_seconds: seconds,
        ..Default::default()
    };
    let (root, bob) = (bench.ctx(Caller::Root), bench.user("bob"));
    for (ctx, seconds, expected) in [
        (&bob, None, 43_200),
        (&bob, Some(900), 900),
        (&root, Some(7200), 3600),
    ] {
        let answer = bench
            .sts
            .get_session_token(ctx, ask(seconds))
            .await
            .expect("keys");
        let keys = answer.credentials.expect("keys");
        assert_eq!(keys.expiration, NOW.plus_millis(expected * 1000));
    }
    let mut inner = bench.user("bob");
    inner.origin = Arc::new(Origin {
        session: true,
        ..Origin::default()
    });
    fails(
        bench.sts.get_session_token(&inner, ask(None)).await,
        "AccessDenied",
        "session credentials",
    );
    let with_code = GetSessionTokenRequest {
        token_code: Some("123456".into()),
        ..Default::default()
    };
    fails(
        bench.sts.get_session_token(&bob, with_code).await,
        "ValidationError",
        "TokenCode",
    );
}

#[tokio::test]
async fn a_key_tells_its_account() {
    let bench = bench();
    let ann = bench.user("ann");
    let ask = |id: &str| GetAccessKeyInfoRequest {
        access_key_id: id.into(),
    };
    let answer = bench
        .sts
        .get_access_key_info(&ann, ask("AKIAOURSOURSOURSOURS"))
        .await
        .expect("an answer");
    assert_eq!(answer.account.as_deref(), Some(ACCOUNT));
    fails(
        bench
            .sts
            .get_access_key_info(&ann, ask("AKIAIOSFODNN7EXAMPLE"))
            .await,
        "ValidationError",
        "was not issued here",
    );
}
