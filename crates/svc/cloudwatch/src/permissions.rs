//! What the operations mean to policies, by the Service Authorization Reference's page for CloudWatch: no resources, and
//! for what is written the namespace.

use roadstead_dispatch::{Asking, Need, Permissions, Rule};

pub struct CloudWatchPermissions;

fn put(asking: &Asking<'_>) -> Vec<Need> {
    vec![Need::new("cloudwatch:PutMetricData").with_some("cloudwatch:namespace", asking.text("Namespace"))]
}

impl Permissions for CloudWatchPermissions {
    fn prefix(&self) -> Option<&'static str> {
        Some("cloudwatch")
    }

    fn rules(&self) -> &'static [Rule] {
        const RULES: [Rule; 1] = [Rule {
            operation: "PutMetricData",
            needs: put,
        }];
        &RULES
    }
}
