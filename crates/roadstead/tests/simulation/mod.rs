//! The services that the walkthrough needs, over one store, with the time of the paused runtime as their clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use roadstead_base::{Clock, Ctx, Pager, Timestamp};
use roadstead_cloudwatch::{CloudWatch, CloudWatchPermissions};
use roadstead_dispatch::{ActAs, Dispatcher};
use roadstead_events::{Events, EventsPermissions};
use roadstead_functions::testing::{Fake, Ran};
use roadstead_iam::{Iam, IamPermissions};
use roadstead_lambda::{Lambda, LambdaPermissions};
use roadstead_stepfunctions::{States, StatesPermissions};
use roadstead_volume::Volume;
use serde_json::{Value as Json, json};
use tokio::time::Instant;

const CLUSTER: &str = "ECSEsgaroth";
pub(crate) const METRICS: [&str; 4] = [
    "RunningTask",
    "PendingTask",
    "ActiveServices",
    "RegisteredContainerInstances",
];
const NAME: &str = "WriteMetricFromStepFunction";
const REGION: &str = "us-west-2";
/// 2023-11-14T22:13:30Z, half a minute before a minute.
const BEGINS: Timestamp = Timestamp(1_700_000_010_000);
/// An archive with a handler that does nothing: what the function does is simulated.
const CODE: &str = "UEsDBBQAAAAAAAAAIQCvpYU8IgAAACIAAAASAAAAbGFtYmRhX2Z1bmN0aW9uLnB5ZGVmIGhhbmRsZXIoZXZlbnQsIGNvbnRleHQpOiBwYXNzClBLAQIUAxQAAAAAAAAAIQCvpYU8IgAAACIAAAASAAAAAAAAAAAAAACAAQAAAABsYW1iZGFfZnVuY3Rpb24ucHlQSwUGAAAAAAEAAQBAAAAAUgAAAAAA";
/// How long a condition is waited for by the machine's own time, which only bounds a failure.
const PATIENCE: Duration = Duration::from_secs(120);

macro_rules! walkthrough {
    ($file:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/walkthroughs/high-resolution-metrics/",
            $file
        ))
    };
}

/// The runtime's time, which stands still until it is moved, so that sleeps end when the clock says so.
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        let passed = Instant::now().duration_since(self.0).as_millis();
        BEGINS.plus_millis(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}

/// Whether it came to be so while the simulated time stood still. Other threads have their turn as well.
async fn patiently(mut is_so: impl AsyncFnMut() -> bool) -> bool {
    let begun = std::time::Instant::now();
    for look in 1_u32.. {
        if is_so().await {
            return true;
        }
        if begun.elapsed() > PATIENCE {
            return false;
        }
        tokio::task::yield_now().await;
        if look % 64 == 0 {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
    false
}

pub(crate) struct Execution {
    pub(crate) arn: String,
    pub(crate) started: i64,
    pub(crate) stopped: i64,
}

pub(crate) struct Simulation {
    ctx: Ctx,
    clock: Arc<RuntimeClock>,
    dispatcher: Arc<Dispatcher>,
    functions: Arc<Fake>,
    calls: Arc<AtomicI64>,
    running: Running,
    /// Time does not move by itself while this is held.
    _standstill: mpsc::Sender<()>,
    _folder: tempfile::TempDir,
}

struct Running {
    events: roadstead_events::Running,
    lambda: roadstead_lambda::Running,
    metrics: roadstead_cloudwatch::Running,
    states: roadstead_stepfunctions::Running,
}

impl Simulation {
    pub(crate) async fn new() -> Self {
        // The runtime moves a paused clock when it has nothing to do, also while other threads have; not during
        // blocking work.
        let (standstill, end) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || end.recv());
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(RuntimeClock(Instant::now()));
        let store = roadstead_testing::memory();
        let options = roadstead_volume::Options {
            temporary: true,
            ..Default::default()
        };
        let volume = Volume::open(&folder.path().join("volume"), options).expect("a volume");
        let mut ctx = roadstead_testing::ctx();
        ctx.region = REGION.parse().expect("a region");
        let dispatcher = Dispatcher::new(clock.clone(), Pager::new([7; 32]), ctx.account.clone());
        let iam = Iam::new(store.clone(), clock.clone(), [9; 32])
            .await
            .expect("iam");
        dispatcher.register(Arc::new(roadstead_api_iam::Server(iam.clone())));
        dispatcher.guard(&roadstead_api_iam::MODEL, Arc::new(IamPermissions(iam.clone())));
        dispatcher.set_authority(iam);
        let events = Events::new(roadstead_events::Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            options: roadstead_events::Options::default(),
        })
        .await
        .expect("events");
        dispatcher.register(Arc::new(roadstead_api_events::Server(events.clone())));
        dispatcher.guard(&roadstead_api_events::MODEL, EventsPermissions::of(&events));
        let metrics = CloudWatch::new(roadstead_cloudwatch::Parts {
            store: store.clone(),
            volume,
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            options: roadstead_cloudwatch::Options::default(),
        })
        .await
        .expect("cloudwatch");
        dispatcher.register(Arc::new(roadstead_api_cloudwatch::Server(metrics.clone())));
        dispatcher.guard(
            &roadstead_api_cloudwatch::MODEL,
            CloudWatchPermissions::of(&metrics),
        );
        // What functions print goes there before they have answered.
        dispatcher.register(roadstead_testing::Fake::new(&roadstead_api_logs::MODEL));
        let calls = Arc::new(AtomicI64::new(0));
        let functions = function(&dispatcher, &calls, &ctx);
        let lambda = Lambda::new(roadstead_lambda::Parts {
            store: store.clone(),
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            sandboxes: functions.clone(),
            folder: folder.path().join("functions"),
            options: roadstead_lambda::Options::default(),
        })
        .await
        .expect("lambda");
        dispatcher.register(Arc::new(roadstead_api_lambda::Server(Arc::new(
            roadstead_lambda::Server(lambda.clone()),
        ))));
        dispatcher.guard(&roadstead_api_lambda::MODEL, LambdaPermissions::of(&lambda));
        let states = States::new(roadstead_stepfunctions::Parts {
            store,
            clock: clock.clone(),
            dispatcher: dispatcher.clone(),
            options: roadstead_stepfunctions::Options::default(),
        })
        .await
        .expect("states");
        dispatcher.register(Arc::new(roadstead_api_stepfunctions::Server(states.clone())));
        dispatcher.guard(
            &roadstead_api_stepfunctions::MODEL,
            StatesPermissions::of(&states),
        );
        Self {
            ctx,
            clock,
            dispatcher,
            functions,
            calls,
            running: Running {
                events: events.start(),
                lambda: lambda.start(),
                metrics: metrics.start(),
                states: states.start(),
            },
            _standstill: standstill,
            _folder: folder,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn call(&self, service: &str, operation: &str, input: Json) -> Json {
        let called = self
            .dispatcher
            .call_json(service, operation, &self.ctx, input)
            .await;
        called.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// What the user does, with the user's own files.
    pub(crate) async fn keep_schedule(&mut self) {
        let trust = walkthrough!("trust-policy.json");
        let made = self
            .call(
                "iam",
                "CreateRole",
                json!({"RoleName": NAME, "AssumeRolePolicyDocument": trust}),
            )
            .await;
        let role = made["Role"]["Arn"].as_str().expect("an ARN").to_owned();
        let policy = walkthrough!("policy.json");
        self.call(
            "iam",
            "PutRolePolicy",
            json!({"RoleName": NAME, "PolicyName": "inline", "PolicyDocument": policy}),
        )
        .await;
        self.call(
            "lambda",
            "CreateFunction",
            json!({"FunctionName": NAME, "Runtime": "python3.9", "Handler": "lambda_function.handler", "Role": role,
                   "MemorySize": 128, "Code": {"ZipFile": CODE}}),
        )
        .await;
        let definition =
            walkthrough!("state-machine.json").replace("676655494xxx", &self.ctx.account.to_string());
        let machine = self
            .call(
                "stepfunctions",
                "CreateStateMachine",
                json!({"name": NAME, "definition": definition, "roleArn": role}),
            )
            .await;
        self.call(
            "events",
            "PutRule",
            json!({"Name": NAME, "ScheduleExpression": "cron(0/1 * * * ? *)"}),
        )
        .await;
        let target = json!({"Id": "1", "Arn": machine["stateMachineArn"], "RoleArn": role,
            "Input": json!({"ECSClusterName": CLUSTER}).to_string()});
        let put = self
            .call("events", "PutTargets", json!({"Rule": NAME, "Targets": [target]}))
            .await;
        assert_eq!(put["FailedEntryCount"], 0);
    }

    pub(crate) async fn disable_schedule(&self) {
        self.call("events", "DisableRule", json!({"Name": NAME})).await;
    }

    /// Moves the clock, once all has been done that was to be done before.
    pub(crate) async fn go_to(&self, millis: i64) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let ahead = millis - self.now().0;
        tokio::time::advance(Duration::from_millis(ahead.try_into().expect("forward"))).await;
    }

    /// Waits until the function has been called so often, and not more often.
    pub(crate) async fn called(&self, times: i64) {
        let calls = || self.calls.load(Ordering::SeqCst);
        let _in_time = patiently(async || calls() >= times).await;
        assert_eq!(calls(), times, "calls at {}", self.now().to_rfc3339());
    }

    /// Waits until the execution that was started then has succeeded: the clock is not to move before that is written.
    pub(crate) async fn succeeded(&self, started: i64) {
        let is_so = patiently(async || {
            let latest = self.listed(json!({"maxResults": 1})).await.0;
            latest.first().is_some_and(|latest| latest.started == started)
        });
        assert!(is_so.await, "none that was started at {started} succeeded");
    }

    pub(crate) async fn ended(&self, executions: usize) {
        let mut last = 0;
        let is_so = patiently(async || {
            last = self.executions().await.len();
            last == executions
        });
        assert!(is_so.await, "{last} of {executions} executions succeeded");
    }

    /// One page of those that succeeded, the latest first, and the token of the next.
    async fn listed(&self, more: Json) -> (Vec<Execution>, Option<Json>) {
        let machine = format!("arn:aws:states:{REGION}:{}:stateMachine:{NAME}", self.ctx.account);
        let mut input = json!({"stateMachineArn": machine, "statusFilter": "SUCCEEDED"});
        for (name, value) in more.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        let page = self.call("stepfunctions", "ListExecutions", input).await;
        let millis = |value: &Json| (value.as_f64().expect("a time") * 1000.0).round() as i64;
        let executions = page["executions"].as_array().expect("a list").iter();
        let executions = executions.map(|execution| Execution {
            arn: execution["executionArn"].as_str().expect("an ARN").to_owned(),
            started: millis(&execution["startDate"]),
            stopped: millis(&execution["stopDate"]),
        });
        let token = page.get("nextToken").filter(|token| !token.is_null());
        (executions.collect(), token.cloned())
    }

    /// Those that succeeded, the latest first.
    pub(crate) async fn executions(&self) -> Vec<Execution> {
        let mut all = Vec::new();
        let mut more = json!({"maxResults": 1000});
        loop {
            let (page, token) = self.listed(more.clone()).await;
            all.extend(page);
            match token {
                Some(token) => more["nextToken"] = token,
                None => return all,
            }
        }
    }

    /// The types of an execution's events.
    pub(crate) async fn history(&self, execution: &str) -> Vec<String> {
        let input = json!({"executionArn": execution, "maxResults": 1000});
        let history = self.call("stepfunctions", "GetExecutionHistory", input).await;
        let events = history["events"].as_array().expect("events");
        let kind = |event: &Json| event["type"].as_str().unwrap_or_default().to_owned();
        events.iter().map(kind).collect()
    }

    /// The points of a metric, the first first: milliseconds and values.
    pub(crate) async fn points(
        &self,
        metric: &str,
        statistic: &str,
        period: i64,
        from: i64,
        to: i64,
    ) -> Vec<(i64, f64)> {
        let query = json!({"Id": "m", "MetricStat": {"Stat": statistic, "Period": period, "Metric": {
            "Namespace": "ECS", "MetricName": metric, "Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}]}}});
        let mut input = json!({"StartTime": from / 1000, "EndTime": to / 1000, "ScanBy": "TimestampAscending",
            "MetricDataQueries": [query]});
        let mut all = Vec::new();
        loop {
            let page = self.call("cloudwatch", "GetMetricData", input.clone()).await;
            let result = &page["MetricDataResults"][0];
            let times = result["Timestamps"].as_array().into_iter().flatten();
            let values = result["Values"].as_array().into_iter().flatten();
            for (at, value) in times.zip(values) {
                let at = (at.as_f64().expect("a time") * 1000.0).round() as i64;
                all.push((at, value.as_f64().expect("a number")));
            }
            match page.get("NextToken") {
                Some(token) if !token.is_null() => input["NextToken"] = token.clone(),
                _ => return all,
            }
        }
    }

    /// The ids of all calls.
    pub(crate) fn requests(&self) -> Vec<String> {
        let invoked = self.functions.invoked();
        invoked
            .into_iter()
            .map(|(_, invocation)| invocation.request_id)
            .collect()
    }

    pub(crate) async fn stop(self) {
        let Running {
            events,
            lambda,
            metrics,
            states,
        } = self.running;
        events.stop().await;
        states.stop().await;
        lambda.stop().await;
        metrics.stop().await;
    }
}

/// Writes four points as the function's role, as the user's function does, with the number of its call in each.
fn function(dispatcher: &Arc<Dispatcher>, calls: &Arc<AtomicI64>, ctx: &Ctx) -> Arc<Fake> {
    let (dispatcher, calls, ctx) = (dispatcher.clone(), calls.clone(), ctx.clone());
    Fake::doing(move |_spec, invocation| {
        let (dispatcher, calls, ctx) = (dispatcher.clone(), calls.clone(), ctx.clone());
        Box::pin(async move {
            let event: Json = serde_json::from_slice(&invocation.payload).expect("JSON");
            assert_eq!(event, json!({"ECSClusterName": CLUSTER}));
            let role = format!("arn:aws:iam::{}:role/{NAME}", ctx.account);
            let act = ActAs {
                role_arn: &role,
                service: roadstead_lambda::PRINCIPAL,
                session_name: NAME,
                source_arn: None,
                seconds: 900,
            };
            let as_role = dispatcher.assume_for_service(&ctx, act).expect("the role");
            let call = calls.load(Ordering::SeqCst) + 1;
            let datum = |(place, metric): (usize, &&str)| {
                json!({"MetricName": metric, "Value": call as f64 + place as f64 / 4.0, "Unit": "Count",
                    "StorageResolution": 1, "Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}]})
            };
            let data: Vec<Json> = METRICS.iter().enumerate().map(datum).collect();
            let put = json!({"Namespace": "ECS", "MetricData": data});
            dispatcher
                .call_json("cloudwatch", "PutMetricData", &as_role, put)
                .await
                .expect("the metrics");
            calls.fetch_add(1, Ordering::SeqCst);
            Ok(Ran::returned("null").printing("Finished writing metric data"))
        })
    })
}
