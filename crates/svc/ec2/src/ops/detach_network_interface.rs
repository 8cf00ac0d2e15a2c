//! DetachNetworkInterface.

use roadstead_api_ec2::DetachNetworkInterfaceRequest;
use roadstead_base::{Caller, Ctx};

use crate::error::{self, Result};
use crate::records::Interface;
use crate::service::Ec2;

pub(super) async fn run(ec2: &Ec2, ctx: &Ctx, input: DetachNetworkInterfaceRequest) -> Result<()> {
    let DetachNetworkInterfaceRequest {
        attachment_id,
        dry_run,
        force,
    } = input;
    ec2.change(ctx, dry_run, |realm, _, plan| {
        let entry = realm.interface_of_attachment(&attachment_id)?;
        Ec2::may_manage(&ctx.caller, &entry.value)?;
        let primary = entry
            .value
            .attachment
            .as_ref()
            .is_some_and(|attachment| attachment.device_index == 0);
        if primary && !matches!(ctx.caller, Caller::Service(_)) {
            return Err(error::other(
                "OperationNotPermitted",
                "The network interface at device index 0 and networkCard index 0 cannot be detached.",
            ));
        }
        // The attachment ends here and now either way: there is no failed instance to wait for.
        tracing::debug!(
            attachment = attachment_id,
            forced = force == Some(true),
            "an interface is detached"
        );
        plan.replace(
            entry,
            &Interface {
                attachment: None,
                ..entry.value.clone()
            },
        )
    })
    .await
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{
        AttachNetworkInterfaceRequest, DetachNetworkInterfaceRequest, Ec2 as _, NetworkInterfaceStatus,
    };

    use crate::testing::{Bench, fails, id};

    fn of(attachment: &str) -> DetachNetworkInterfaceRequest {
        DetachNetworkInterfaceRequest {
            attachment_id: attachment.to_owned(),
            ..Default::default()
        }
    }

    #[tokio::test]
    async fn detach_network_interface_frees_it() {
        let mut bench = Bench::new().await;
        let (_, subnet) = bench.network().await;
        let managed = id(&bench.interface(&bench.ecs(), &subnet).await);
        let attachment = bench.attach(&managed, "i-0a", 1).await;
        let ask = async |ctx, input| bench.ec2.detach_network_interface(&ctx, input).await;
        fails(
            ask(bench.root(), of(&attachment)).await,
            "AuthFailure",
            "You do not have permission",
        );
        fails(
            ask(bench.root(), of("eni-attach-0123")).await,
            "InvalidAttachmentID.NotFound",
            "eni-attach-0123",
        );
        fails(
            ask(bench.root(), of("attachment")).await,
            "InvalidAttachmentID.Malformed",
            "eni-attach-...",
        );
        let dry = DetachNetworkInterfaceRequest {
            dry_run: Some(true),
            ..of(&attachment)
        };
        fails(ask(bench.ecs(), dry).await, "DryRunOperation", "");
        ask(bench.ecs(), of(&attachment)).await.expect("detached");
        fails(
            ask(bench.ecs(), of(&attachment)).await,
            "InvalidAttachmentID.NotFound",
            &attachment,
        );
        bench.restart().await;
        let shown = bench.shown_interface(&managed).await;
        assert_eq!(
            (shown.status, shown.attachment),
            (Some(NetworkInterfaceStatus::Available), None)
        );
    }

    #[tokio::test]
    async fn users_detach_theirs_also_by_force_but_not_the_first() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (_, subnet) = bench.network().await;
        bench
            .attach(&id(&bench.interface(&bench.ecs(), &subnet).await), "i-0a", 7)
            .await;
        for (index, force) in [(0, None), (1, None), (2, Some(true)), (3, Some(false))] {
            let mine = id(&bench.interface(&ctx, &subnet).await);
            let input = AttachNetworkInterfaceRequest {
                device_index: index,
                instance_id: "i-0a".to_owned(),
                network_interface_id: mine.clone(),
                ..Default::default()
            };
            let attachment = bench
                .ec2
                .attach_network_interface(&ctx, input)
                .await
                .expect("attached")
                .attachment_id;
            let detach = DetachNetworkInterfaceRequest {
                force,
                ..of(&attachment.expect("an id"))
            };
            let done = bench.ec2.detach_network_interface(&ctx, detach).await;
            if index == 0 {
                fails(done, "OperationNotPermitted", "device index 0");
            } else {
                done.expect("detached");
                assert_eq!(bench.shown_interface(&mine).await.attachment, None);
            }
        }
    }
}
