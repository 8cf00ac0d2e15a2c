//! That every call of a user or a role is decided on, by the names its service gave, before its handler runs.

mod support;

use std::sync::{Arc, Mutex};

use roadstead_base::{AccountId, Caller, Ctx, RoleSession, Timestamp, User};
use roadstead_dispatch::{
    ActAs, Asked, Asking, Authority, Because, Denial, IssuedKey, KeyError, Need, Permissions, RoleError,
    Rule, ServiceAssumes, SessionKeys, Trust,
};
use roadstead_protocol::{BoxFuture, Call, Value};
use support::{NOW, World, world};

/// Allows what it is told to, and notes what it was asked.
#[derive(Default)]
struct Clerk {
    allowed: Vec<(&'static str, &'static str)>,
    asked: Mutex<Vec<String>>,
}

fn session(expires: Timestamp) -> RoleSession {
    RoleSession {
        role_arn: "arn:aws:iam::000000000000:role/reader".into(),
        role_id: "AROA".into(),
        name: "s".into(),
        issued: NOW,
        expires,
        policies: Vec::new(),
        policy_arns: Vec::new(),
        tags: Vec::new(),
        transitive: Vec::new(),
        source_identity: None,
        chained: false,
    }
}

impl Authority for Clerk {
    fn find(&self, access_key: &str, token: Option<&str>) -> Result<Option<IssuedKey>, KeyError> {
        match (access_key, token) {
            ("ASIAOLD", _) => Err(KeyError::Expired),
            ("ASIAWRONG", _) => Err(KeyError::Invalid),
            _ => Ok(None),
        }
    }

    fn account_of(&self, _access_key: &str) -> Option<AccountId> {
        None
    }

    fn decide(&self, asked: Asked<'_>) -> Result<(), Denial> {
        let tags: Vec<String> = asked
            .keys
            .iter()
            .map(|(key, values)| format!("{key}={}", values.join(",")))
            .collect();
        let line = format!("{} {} {}", asked.action, asked.resource, tags.join(" "));
        self.asked.lock().expect("no panic").push(line.trim().to_owned());
        if self.allowed.contains(&(asked.action, asked.resource)) {
            return Ok(());
        }
        Err(Denial {
            caller: asked.ctx.caller.arn(&asked.ctx.account),
            action: asked.action.to_owned(),
            resource: asked.resource.to_owned(),
            because: Because::NoIdentityPolicy,
        })
    }

    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<RoleSession>, RoleError> {
        match assumes.role_arn.ends_with("role/reader") {
            true => Ok(Arc::new(session(
                NOW.plus_millis(i64::from(assumes.seconds) * 1000),
            ))),
            false => Err(RoleError::NoSuchRole(assumes.role_arn.to_owned())),
        }
    }

    fn issue(&self, _caller: &Caller, _account: &AccountId, expires: Timestamp) -> SessionKeys {
        SessionKeys {
            access_key: "ASIANEW".into(),
            secret: "secret".into(),
            token: "token".into(),
            expires,
        }
    }
}

struct EcsTable;

/// For users alone.
struct Ec2Table;

impl Permissions for Ec2Table {
    fn serves_nodes(&self) -> bool {
        false
    }

    fn rules(&self) -> &'static [Rule] {
        &[]
    }
}

impl Permissions for EcsTable {
    fn rules(&self) -> &'static [Rule] {
        const fn one(asking: &Asking<'_>) -> Vec<Need> {
            let _ = asking;
            Vec::new()
        }
        &[
            Rule {
                operation: "DescribeClusters",
                needs: |asking| {
                    let named = asking.texts("clusters");
                    let arns = named
                        .iter()
                        .map(|name| asking.arn("ecs", &format!("cluster/{name}")));
                    vec![Need::new("ecs:DescribeClusters").on(arns)]
                },
            },
            Rule {
                operation: "ListClusters",
                needs: one,
            },
        ]
    }

    fn resource_tags<'a>(&'a self, _ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move { vec![("kind".to_owned(), arn.len().to_string())] })
    }
}

async fn guarded(allowed: Vec<(&'static str, &'static str)>) -> (World, Arc<Clerk>) {
    let world = world(Trust::UnknownIsRoot).await;
    let clerk = Arc::new(Clerk {
        allowed,
        ..Clerk::default()
    });
    world.dispatcher.set_authority(clerk.clone());
    world
        .dispatcher
        .guard(&roadstead_api_ecs::MODEL, Arc::new(EcsTable));
    (world, clerk)
}

fn user(world: &World) -> Ctx {
    let account: AccountId = "000000000000".parse().expect("an account");
    let mut ctx = world
        .dispatcher
        .internal_ctx("test", account, "us-east-1".parse().expect("a region"));
    ctx.caller = Caller::User(Arc::new(User {
        arn: "arn:aws:iam::000000000000:user/ann".into(),
        name: "ann".into(),
        id: "AIDA".into(),
    }));
    ctx
}

fn clusters(names: &[&str]) -> Value {
    let names = names.iter().map(|name| Value::Str((*name).to_owned())).collect();
    Value::Map(vec![("clusters".into(), Value::List(names))])
}

const A: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/a";
const B: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/b";

#[tokio::test]
async fn every_resource_must_be_allowed() {
    let (world, clerk) = guarded(vec![("ecs:DescribeClusters", A)]).await;
    let (ctx, model) = (user(&world), &roadstead_api_ecs::MODEL);
    let describe = |names: &[&str]| {
        world
            .dispatcher
            .call(model, "DescribeClusters", &ctx, clusters(names))
    };
    assert!(describe(&["a"]).await.is_ok());
    let error = describe(&["a", "b"]).await.expect_err("b is not allowed");
    assert_eq!(
        (error.code.as_ref(), error.status),
        ("AccessDeniedException", 400)
    );
    assert_eq!(
        error.message,
        format!(
            "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: ecs:DescribeClusters on \
             resource: {B} because no identity-based policy allows the ecs:DescribeClusters action"
        )
    );
    assert_eq!(world.calls(), 1, "the denied call reached nobody");
    let asked = clerk.asked.lock().expect("no panic").clone();
    let tag = format!("ecs:DescribeClusters {A} aws:ResourceTag/kind={}", A.len());
    assert_eq!(asked[0], tag);
}

#[tokio::test]
async fn operations_without_a_rule_go_by_their_name() {
    let (world, clerk) = guarded(vec![("ec2:DescribeVpcs", "*")]).await;
    let ctx = user(&world);
    let model = &roadstead_api_ec2::MODEL;
    let call = |operation| world.dispatcher.call(model, operation, &ctx, Value::empty());
    assert!(call("DescribeVpcs").await.is_ok());
    let error = call("DescribeSubnets").await.expect_err("not allowed");
    assert_eq!(
        (error.code.as_ref(), error.status),
        ("UnauthorizedOperation", 403)
    );
    assert!(
        error
            .message
            .starts_with("You are not authorized to perform this operation. User: arn:")
    );
    assert_eq!(
        *clerk.asked.lock().expect("no panic"),
        ["ec2:DescribeVpcs *", "ec2:DescribeSubnets *"]
    );
}

#[tokio::test]
async fn a_service_acts_as_a_role_until_the_session_ends() {
    let (world, _) = guarded(vec![("ecs:DescribeClusters", A)]).await;
    let own = user(&world);
    let act = |role_arn, seconds| ActAs {
        role_arn,
        service: "events.amazonaws.com",
        session_name: "a-name-of-a-session-that-is-longer-than-the-sixty-four-characters-it-may-have",
        source_arn: None,
        seconds,
    };
    let role = "arn:aws:iam::000000000000:role/reader";
    let ctx = world
        .dispatcher
        .assume_for_service(&own, act(role, 900))
        .expect("a role");
    assert_eq!(
        (ctx.origin.via, ctx.caller.to_string().as_str()),
        (
            Some("events.amazonaws.com"),
            "arn:aws:sts::000000000000:assumed-role/reader/s"
        )
    );
    let model = &roadstead_api_ecs::MODEL;
    let call = |ctx| {
        world
            .dispatcher
            .call(model, "DescribeClusters", ctx, clusters(&["a"]))
    };
    assert!(call(&ctx).await.is_ok());
    let ended = world
        .dispatcher
        .assume_for_service(&own, act(role, 0))
        .expect("a role");
    let error = call(&ended).await.expect_err("expired");
    assert_eq!(error.code, "ExpiredTokenException");
    let error = world
        .dispatcher
        .assume_for_service(&own, act("arn:aws:iam::000000000000:role/none", 900))
        .expect_err("no such role");
    assert_eq!(
        error,
        RoleError::NoSuchRole("arn:aws:iam::000000000000:role/none".into())
    );
    let denial = world
        .dispatcher
        .check_pass_role(&own, role, "ecs-tasks.amazonaws.com")
        .expect_err("not allowed");
    assert!(
        denial
            .to_string()
            .contains("iam:PassRole on resource: arn:aws:iam::000000000000:role/reader")
    );
}

#[tokio::test]
async fn nodes_are_kept_from_what_is_not_theirs() {
    let (world, _) = guarded(Vec::new()).await;
    let mut node = user(&world);
    node.caller = Caller::Node;
    let call = |model, operation| world.dispatcher.call(model, operation, &node, Value::empty());
    assert!(call(&roadstead_api_ecs::MODEL, "ListClusters").await.is_ok());
    assert!(call(&roadstead_api_ec2::MODEL, "DescribeVpcs").await.is_ok());
    world
        .dispatcher
        .guard(&roadstead_api_ec2::MODEL, Arc::new(Ec2Table));
    let error = call(&roadstead_api_ec2::MODEL, "DescribeVpcs")
        .await
        .expect_err("not for nodes");
    assert_eq!(error.code, "UnauthorizedOperation");
}

#[tokio::test]
async fn keys_that_ended_are_refused_even_where_strangers_are_root() {
    let (world, _) = guarded(Vec::new()).await;
    let target = "AmazonEC2ContainerServiceV20141113.ListClusters";
    for (key, code) in [
        ("ASIAOLD", "ExpiredTokenException"),
        ("ASIAWRONG", "UnrecognizedClientException"),
    ] {
        let (status, body) = world.json(key, target, "", "{}").await;
        assert!(status == 400 && body.contains(code), "{key}: {status} {body}");
    }
    let (status, body) = world.json("STRANGER", target, "", "{}").await;
    assert_eq!(status, 200, "{body}");
}

/// Keeps the records.
#[derive(Default)]
struct Notes(Mutex<Vec<serde_json::Value>>);

impl roadstead_dispatch::Observer for Notes {
    fn called(&self, record: &serde_json::Value) {
        self.0.lock().expect("no panic").push(record.clone());
    }
}

#[tokio::test]
async fn every_call_is_recorded_the_denied_ones_too() {
    let (world, _) = guarded(vec![("ecs:DescribeClusters", A)]).await;
    let notes = Arc::new(Notes::default());
    world.dispatcher.observe_by(notes.clone());
    let target = "AmazonEC2ContainerServiceV20141113.ListClusters";
    assert_eq!(
        world
            .json("STRANGER", target, "User-Agent: a client\r\n", "{}")
            .await
            .0,
        200
    );
    let ctx = user(&world);
    let model = &roadstead_api_ecs::MODEL;
    let _ = world
        .dispatcher
        .call(model, "DescribeClusters", &ctx, clusters(&["b"]))
        .await;
    let own = world
        .dispatcher
        .internal_ctx("ecs.amazonaws.com", ctx.account.clone(), ctx.region.clone());
    let _ = world
        .dispatcher
        .call(&roadstead_api_ec2::MODEL, "CreateVpc", &own, Value::empty())
        .await;
    let records = notes.0.lock().expect("no panic").clone();
    let show = |record: &serde_json::Value| {
        let text = |pointer: &str| {
            record
                .pointer(pointer)
                .map(|value| value.to_string())
                .unwrap_or_default()
        };
        let all = [
            "/userIdentity/type",
            "/eventSource",
            "/eventName",
            "/readOnly",
            "/sourceIPAddress",
            "/errorCode",
        ];
        all.map(text).join(" ").replace('"', "")
    };
    let shown: Vec<String> = records.iter().map(show).collect();
    assert_eq!(
        shown,
        [
            "Root ecs.amazonaws.com ListClusters true 127.0.0.1 ",
            "IAMUser ecs.amazonaws.com DescribeClusters true AWS Internal AccessDeniedException",
            "AWSService ec2.amazonaws.com CreateVpc false ecs.amazonaws.com ",
        ]
    );
    assert_eq!(records[0]["userIdentity"]["accessKeyId"], "STRANGER");
    assert_eq!(records[0]["userAgent"], "a client");
    assert_eq!(records[0]["eventTime"], "2027-01-15T08:00:00Z");
}
