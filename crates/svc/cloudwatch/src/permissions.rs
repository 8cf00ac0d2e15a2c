//! What the operations mean to policies, by the Service Authorization Reference's page for CloudWatch: alarms and
//! dashboards are resources, metrics are not; for what is written of those there is the namespace.

use std::sync::{Arc, Weak};

use roadstead_base::Ctx;
use roadstead_dispatch::{Asking, Need, Permissions, Rule};
use roadstead_protocol::BoxFuture;

use crate::{CloudWatch, alarms, dashboards};

/// Tells the gate of alarms, dashboards and their tags.
pub struct CloudWatchPermissions(Weak<CloudWatch>);

impl CloudWatchPermissions {
    pub fn of(metrics: &Arc<CloudWatch>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(metrics)))
    }
}

fn put(asking: &Asking<'_>) -> Vec<Need> {
    vec![Need::new("cloudwatch:PutMetricData").with_some("cloudwatch:namespace", asking.text("Namespace"))]
}

fn need(asking: &Asking<'_>) -> Need {
    Need::new(format!("cloudwatch:{}", asking.operation))
}

fn alarm(asking: &Asking<'_>, name: &str) -> String {
    alarms::arn(&asking.ctx.partition(), name)
}

fn dashboard(asking: &Asking<'_>, name: &str) -> String {
    dashboards::arn(&asking.ctx.account, name)
}

fn on_alarm(asking: &Asking<'_>) -> Vec<Need> {
    vec![need(asking).on([alarm(asking, asking.text("AlarmName").unwrap_or("*"))])]
}

/// All of them when none is named.
fn on_alarms(asking: &Asking<'_>) -> Vec<Need> {
    let names = asking.texts("AlarmNames");
    if names.is_empty() {
        return vec![need(asking).on([alarm(asking, "*")])];
    }
    vec![need(asking).on(names.into_iter().map(|name| alarm(asking, name)))]
}

fn put_alarm(asking: &Asking<'_>) -> Vec<Need> {
    let arn = alarm(asking, asking.text("AlarmName").unwrap_or("*"));
    let tags = asking.tags("Tags");
    let mut put = need(asking).on([arn.clone()]).tagging(&tags);
    for member in ["OKActions", "AlarmActions", "InsufficientDataActions"] {
        for action in asking.texts(member) {
            put = put.with("cloudwatch:AlarmActions", action);
        }
    }
    tagged(put, arn, &tags)
}

fn put_dashboard(asking: &Asking<'_>) -> Vec<Need> {
    let arn = dashboard(asking, asking.text("DashboardName").unwrap_or("*"));
    let tags = asking.tags("Tags");
    tagged(need(asking).on([arn.clone()]).tagging(&tags), arn, &tags)
}

/// To tag what is made is an action of its own.
fn tagged(put: Need, arn: String, tags: &[(String, String)]) -> Vec<Need> {
    if tags.is_empty() {
        return vec![put];
    }
    vec![put, Need::new("cloudwatch:TagResource").on([arn]).tagging(tags)]
}

fn on_dashboard(asking: &Asking<'_>) -> Vec<Need> {
    vec![need(asking).on([dashboard(asking, asking.text("DashboardName").unwrap_or("*"))])]
}

fn on_dashboards(asking: &Asking<'_>) -> Vec<Need> {
    let names = asking.texts("DashboardNames").into_iter();
    vec![need(asking).on(names.map(|name| dashboard(asking, name)))]
}

fn on_resource(asking: &Asking<'_>) -> Vec<Need> {
    let arn = asking.text("ResourceARN").unwrap_or("*").to_owned();
    let need = need(asking).on([arn]);
    vec![
        need.tagging(&asking.tags("Tags"))
            .untagging(&asking.texts("TagKeys")),
    ]
}

impl Permissions for CloudWatchPermissions {
    fn prefix(&self) -> Option<&'static str> {
        Some("cloudwatch")
    }

    fn rules(&self) -> &'static [Rule] {
        const fn of(operation: &'static str, needs: fn(&Asking<'_>) -> Vec<Need>) -> Rule {
            Rule { operation, needs }
        }
        const RULES: [Rule; 16] = [
            of("PutMetricData", put),
            of("PutMetricAlarm", put_alarm),
            of("PutCompositeAlarm", put_alarm),
            of("SetAlarmState", on_alarm),
            of("DescribeAlarmHistory", on_alarm),
            of("DescribeAlarms", on_alarms),
            of("DescribeAlarmsForMetric", on_alarms),
            of("DeleteAlarms", on_alarms),
            of("EnableAlarmActions", on_alarms),
            of("DisableAlarmActions", on_alarms),
            of("PutDashboard", put_dashboard),
            of("GetDashboard", on_dashboard),
            of("DeleteDashboards", on_dashboards),
            of("TagResource", on_resource),
            of("UntagResource", on_resource),
            of("ListTagsForResource", on_resource),
        ];
        &RULES
    }

    fn resource_tags<'a>(&'a self, ctx: &'a Ctx, arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async move {
            let Some(metrics) = self.0.upgrade() else {
                return Vec::new();
            };
            // What is not there has no tags; the operation says that it is not there.
            metrics
                .tags_of(ctx, arn)
                .await
                .map(|tags| tags.pairs())
                .unwrap_or_default()
        })
    }
}
