//! Events that rules hand on to another bus: what its policy is asked, and what becomes of what it denies.

use std::sync::{Arc, Mutex};

use roadstead_base::{AccountId, Caller, RoleSession, Timestamp};
use roadstead_dispatch::{
    Asked, Authority, Because, Denial, IssuedKey, KeyError, Keys, RoleError, ServiceAssumes, SessionKeys,
};
use roadstead_testing::{Fake, Trusting};
use serde_json::json;

use crate::harness::Bench;
use crate::tests::deliveries::{one_role, publish, until};

const ROLE: &str = "arn:aws:iam::000000000000:role/runner";
const RULE: &str = "arn:aws:events:us-east-1:000000000000:rule/r";
const BUS: &str = "arn:aws:events:us-east-1:000000000000:event-bus/orders";

/// Says one thing of events, lets everything else, and remembers what it was asked of events.
struct Judge {
    says: Option<Because>,
    others: Arc<Trusting>,
    asked: Mutex<Vec<Question>>,
}

/// Who, for which rule, with what, by which policy.
type Question = (String, Option<String>, Keys, Option<String>);

impl Authority for Judge {
    fn find(&self, access_key: &str, token: Option<&str>) -> Result<Option<IssuedKey>, KeyError> {
        self.others.find(access_key, token)
    }

    fn account_of(&self, access_key: &str) -> Option<AccountId> {
        self.others.account_of(access_key)
    }

    fn decide(&self, asked: Asked<'_>) -> Result<(), Denial> {
        if asked.action != "events:PutEvents" {
            return self.others.decide(asked);
        }
        assert_eq!(asked.resource, BUS);
        let caller = asked.ctx.caller.arn(&asked.ctx.account);
        self.asked.lock().expect("no panic").push((
            caller.clone(),
            asked.ctx.origin.source_arn.clone(),
            asked.keys.clone(),
            asked.resource_policy.map(str::to_owned),
        ));
        match self.says {
            None => Ok(()),
            Some(because) => Err(Denial {
                caller,
                action: asked.action.to_owned(),
                resource: asked.resource.to_owned(),
                because,
            }),
        }
    }

    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<RoleSession>, RoleError> {
        self.others.assume(assumes)
    }

    fn issue(&self, caller: &Caller, account: &AccountId, expires: Timestamp) -> SessionKeys {
        self.others.issue(caller, account, expires)
    }
}

#[tokio::test]
async fn a_bus_is_asked_about_the_events_that_rules_hand_on_and_may_deny_them() {
    let queue = |name: &str| format!("arn:aws:sqs:us-east-1:000000000000:{name}");
    for (role, says, comes_to) in [
        (None, None, "got"),
        // A rule of its own account needs no leave.
        (None, Some(Because::NoResourcePolicy), "got"),
        (None, Some(Because::ExplicitResourceDeny), "dead"),
        (Some(ROLE), None, "got"),
        (Some(ROLE), Some(Because::NoIdentityPolicy), "dead"),
        (Some(ROLE), Some(Because::ExplicitResourceDeny), "dead"),
    ] {
        let bench = Bench::new().await;
        let queues = Fake::new(&roadstead_api_sqs::MODEL);
        bench.dispatcher.register(queues.clone());
        let judge = Arc::new(Judge {
            says,
            others: one_role(),
            asked: Mutex::default(),
        });
        bench.dispatcher.set_authority(judge.clone());
        let mut target = json!({"Id": "t", "Arn": BUS, "DeadLetterConfig": {"Arn": queue("dead")}});
        if let Some(role) = role {
            target["RoleArn"] = json!(role);
        }
        let next = json!({"Id": "t", "Arn": queue("got")});
        for (operation, input) in [
            ("CreateEventBus", json!({"Name": "orders"})),
            (
                "PutPermission",
                json!({"EventBusName": "orders", "StatementId": "a", "Principal": "*", "Action": "events:PutEvents"}),
            ),
            (
                "PutRule",
                json!({"Name": "r", "EventPattern": r#"{"source": ["shop"]}"#}),
            ),
            ("PutTargets", json!({"Rule": "r", "Targets": [target]})),
            (
                "PutRule",
                json!({"Name": "s", "EventBusName": "orders", "EventPattern": r#"{"source": ["shop"]}"#}),
            ),
            (
                "PutTargets",
                json!({"Rule": "s", "EventBusName": "orders", "Targets": [next]}),
            ),
        ] {
            bench.call(operation, input).await.expect(operation);
        }
        publish(&bench).await;
        let running = bench.events.start();
        until("the end", || {
            !queues.done().is_empty() && bench.events.owed.snapshot().is_empty()
        })
        .await;
        running.stop().await;
        let sent: Vec<_> = queues.done().into_iter().map(|done| done.input).collect();
        assert_eq!(sent.len(), 1, "{role:?} {says:?}");
        let url = sent[0]["QueueUrl"].as_str().expect("a queue");
        assert!(url.ends_with(comes_to), "{role:?} {says:?}: {}", sent[0]);
        if comes_to == "dead" {
            let code = &sent[0]["MessageAttributes"]["ERROR_CODE"]["StringValue"];
            assert_eq!(code, "NO_PERMISSIONS");
        }
        let asked = judge.asked.lock().expect("no panic");
        let [(caller, rule, keys, policy)] = asked.as_slice() else {
            panic!("{} questions of one event", asked.len());
        };
        match role {
            Some(_) => assert!(caller.contains("assumed-role/runner/"), "{caller}"),
            None => assert_eq!(rule.as_deref(), Some(RULE)),
        }
        let mut wanted = Keys::default();
        wanted.add("events:source", "shop");
        wanted.add("events:detail-type", "Order");
        assert_eq!(keys, &wanted);
        assert!(policy.as_deref().is_some_and(|policy| policy.contains(BUS)));
    }
}
