//! Whatever agents report, in whatever order and however often: a task and its containers only move forward, the
//! end is final, and a report taken twice changes nothing the second time.

use proptest::prelude::*;
use roadstead_base::Timestamp;

use crate::compile::tests::task;
use crate::tasks::report::{ContainerReport, Report, Said, apply};
use crate::tasks::{ContainerStatus, LastStatus, TaskRecord};

fn report() -> impl Strategy<Value = Report> {
    let said = prop_oneof![Just(Said::Nothing), Just(Said::Running), Just(Said::Stopped)];
    let status = prop::option::of(prop_oneof![
        Just(ContainerStatus::Running),
        Just(ContainerStatus::Stopped)
    ]);
    let container = (
        prop_oneof![Just("web"), Just("nobody")],
        status,
        prop::option::of(0..3i32),
    )
        .prop_map(|(name, status, exit_code)| ContainerReport {
            name: name.into(),
            status,
            exit_code,
            ..ContainerReport::default()
        });
    let attached = prop::collection::vec(prop_oneof![Just("a-b".to_owned()), Just("x".to_owned())], 0..2);
    (said, prop::collection::vec(container, 0..3), attached).prop_map(|(said, containers, attached)| Report {
        said,
        containers,
        attached,
        ..Report::default()
    })
}

fn status() -> impl Strategy<Value = LastStatus> {
    prop_oneof![
        Just(LastStatus::Pending),
        Just(LastStatus::Running),
        Just(LastStatus::Stopping),
        Just(LastStatus::Deprovisioning),
        Just(LastStatus::Stopped),
    ]
}

proptest! {
    #[test]
    fn reports_only_move_a_task_forward(
        reports in prop::collection::vec(report(), 0..12),
        attachment in any::<bool>(),
        from in status(),
    ) {
        let mut now: TaskRecord = task(attachment);
        now.last = from;
        for (at, report) in reports.iter().enumerate() {
            let time = Timestamp(at as i64);
            let Some(next) = apply(&now, report, time) else { continue };
            prop_assert!(now.last < LastStatus::Deprovisioning, "the end is final");
            prop_assert!(next.last >= now.last && next.version == now.version + 1);
            prop_assert!(next.stop.is_some() || now.stop.is_none());
            for (before, after) in now.containers.iter().zip(&next.containers) {
                prop_assert!(after.status >= before.status);
            }
            let status = |task: &TaskRecord| task.attachment.as_ref().map(|attachment| attachment.status);
            prop_assert!(status(&next) >= status(&now));
            if report.said == Said::Stopped {
                let end = if attachment { LastStatus::Deprovisioning } else { LastStatus::Stopped };
                prop_assert_eq!(next.last, end);
            }
            prop_assert_eq!(apply(&next, report, time), None, "twice is once");
            now = next;
        }
    }
}
