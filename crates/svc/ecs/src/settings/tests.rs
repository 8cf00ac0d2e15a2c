//! Who may choose what, for whom, and what then holds.

use std::sync::Arc;

use roadstead_api_ecs::{
    DeleteAccountSettingRequest, Ecs as _, ListAccountSettingsRequest, PutAccountSettingDefaultRequest,
    PutAccountSettingRequest, Setting, SettingName,
};
use roadstead_base::{Caller, Ctx, User};

use crate::Ecs;
use crate::tests::{ctx, memory, over, refused};

const ROOT: &str = "arn:aws:iam::000000000000:root";
const ANN: &str = "arn:aws:iam::000000000000:user/ann";

fn ann() -> Ctx {
    let user = User {
        arn: ANN.into(),
        name: "ann".into(),
        id: "AIDA1".into(),
    };
    Ctx {
        caller: Caller::User(Arc::new(user)),
        ..ctx()
    }
}

fn dual(value: &str, principal: Option<&str>) -> PutAccountSettingRequest {
    PutAccountSettingRequest {
        name: SettingName::DualStackIpv6,
        value: value.into(),
        principal_arn: principal.map(Into::into),
    }
}

async fn listed(ecs: &Ecs, ctx: &Ctx, input: ListAccountSettingsRequest) -> Vec<(String, String, String)> {
    let answer = ecs.list_account_settings(ctx, input).await.expect("a list");
    let told = |setting: Setting| {
        Some((
            setting.name?.as_str().to_owned(),
            setting.value?,
            setting.principal_arn?,
        ))
    };
    answer
        .settings
        .expect("settings")
        .into_iter()
        .filter_map(told)
        .collect()
}

fn effective() -> ListAccountSettingsRequest {
    ListAccountSettingsRequest {
        effective_settings: Some(true),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_roots_choice_is_everybodys_who_has_none() {
    let (store, root) = (memory(), ctx());
    let ecs = over(&store);
    assert!(
        super::dual_stack(&ecs, &ann()).await.expect("a setting"),
        "the default"
    );
    assert_eq!(listed(&ecs, &root, Default::default()).await, []);
    let put = ecs.put_account_setting(&root, dual("disabled", None)).await;
    let put = put.expect("put").setting.expect("a setting");
    assert_eq!(
        (put.value.as_deref(), put.principal_arn.as_deref()),
        (Some("disabled"), Some(ROOT))
    );
    assert!(!super::dual_stack(&ecs, &ann()).await.expect("a setting"));
    ecs.put_account_setting(&ann(), dual("on", None))
        .await
        .expect("put");
    let again = over(&store);
    assert!(super::dual_stack(&again, &ann()).await.expect("a setting"));
    assert!(!super::dual_stack(&again, &root).await.expect("a setting"));
    let own = ("dualStackIPv6".to_owned(), "enabled".to_owned(), ANN.to_owned());
    assert_eq!(
        listed(&again, &ann(), Default::default()).await,
        std::slice::from_ref(&own)
    );
    let all = listed(&again, &ann(), effective()).await;
    assert_eq!(all.len(), super::KNOWN.len());
    assert!(all.contains(&own));
    let of_ann = ListAccountSettingsRequest {
        principal_arn: Some(ANN.into()),
        ..Default::default()
    };
    assert_eq!(listed(&again, &root, of_ann).await, [own]);
    for _ in 0..2 {
        let gone = DeleteAccountSettingRequest {
            name: SettingName::DualStackIpv6,
            principal_arn: None,
        };
        let gone = again.delete_account_setting(&ann(), gone).await.expect("deleted");
        let left = gone.setting.expect("a setting").value;
        assert_eq!(left.as_deref(), Some("disabled"), "what holds now");
    }
    let default = PutAccountSettingDefaultRequest {
        name: SettingName::DualStackIpv6,
        value: "enabled".into(),
    };
    again
        .put_account_setting_default(&root, default)
        .await
        .expect("put");
    assert!(super::dual_stack(&again, &ann()).await.expect("a setting"));
}

#[tokio::test]
async fn settings_without_effect_and_values_that_are_none_are_refused() {
    let (ecs, root) = (over(&memory()), ctx());
    let put = async |name, value: &str| {
        let input = PutAccountSettingRequest {
            name,
            value: value.into(),
            principal_arn: None,
        };
        ecs.put_account_setting(&root, input).await
    };
    for name in [
        SettingName::AwsvpcTrunking,
        SettingName::ContainerInsights,
        SettingName::FargateFipsMode,
    ] {
        for value in ["enabled", "on"] {
            refused(put(name, value).await, "InvalidParameterException", "supported");
        }
        put(name, "off").await.expect("so it is");
        let one = ListAccountSettingsRequest {
            name: Some(name),
            ..Default::default()
        };
        let told = (name.as_str().to_owned(), "disabled".to_owned(), ROOT.to_owned());
        assert_eq!(listed(&ecs, &root, one).await, [told]);
    }
    refused(
        put(SettingName::ContainerInsights, "enhanced").await,
        "InvalidParameterException",
        "The account setting containerInsights = enhanced is not supported",
    );
    refused(
        put(SettingName::ContainerInsights, "much").await,
        "InvalidParameterException",
        "not one of: disabled",
    );
    for name in [
        SettingName::TagResourceAuthorization,
        SettingName::FargateTaskRetirementWaitPeriod,
        SettingName::GuardDutyActivate,
        SettingName::DefaultLogDriverMode,
        SettingName::FargateEventWindows,
    ] {
        refused(
            put(name, "enabled").await,
            "InvalidParameterException",
            name.as_str(),
        );
        let delete = DeleteAccountSettingRequest {
            name,
            principal_arn: None,
        };
        let deleted = ecs.delete_account_setting(&root, delete).await;
        refused(deleted, "InvalidParameterException", name.as_str());
        let list = ListAccountSettingsRequest {
            name: Some(name),
            ..Default::default()
        };
        let listed = ecs.list_account_settings(&root, list).await;
        refused(listed, "InvalidParameterException", name.as_str());
    }
    put(SettingName::TaskLongArnFormat, "enabled")
        .await
        .expect("so they are");
    refused(
        put(SettingName::TaskLongArnFormat, "disabled").await,
        "InvalidParameterException",
        "taskLongArnFormat",
    );
    refused(
        put(SettingName::DualStackIpv6, "enhanced").await,
        "InvalidParameterException",
        "enabled, disabled",
    );
}

#[tokio::test]
async fn others_settings_are_the_roots_to_set() {
    let (ecs, root) = (over(&memory()), ctx());
    ecs.put_account_setting(&root, dual("disabled", Some(ANN)))
        .await
        .expect("put");
    assert!(!super::dual_stack(&ecs, &ann()).await.expect("a setting"));
    ecs.put_account_setting(&ann(), dual("enabled", Some(ANN)))
        .await
        .expect("its own");
    refused(
        ecs.put_account_setting(&ann(), dual("enabled", Some(ROOT))).await,
        "ClientException",
        "Only the root user",
    );
    for wrong in [
        "ann",
        "arn:aws:iam::111111111111:root",
        "arn:aws:iam::000000000000:group/x",
        "arn:aws:iam::000000000000:user/",
    ] {
        refused(
            ecs.put_account_setting(&root, dual("enabled", Some(wrong))).await,
            "InvalidParameterException",
            "principalArn",
        );
    }
}

#[tokio::test]
async fn list_account_settings_filters_and_pages() {
    let (ecs, root) = (over(&memory()), ctx());
    let only = ListAccountSettingsRequest {
        name: Some(SettingName::DualStackIpv6),
        value: Some("enabled".into()),
        ..effective()
    };
    assert_eq!(listed(&ecs, &root, only.clone()).await.len(), 1);
    let other = ListAccountSettingsRequest {
        value: Some("disabled".into()),
        ..only
    };
    assert_eq!(listed(&ecs, &root, other).await.len(), 0);
    let nameless = ListAccountSettingsRequest {
        value: Some("enabled".into()),
        ..effective()
    };
    refused(
        ecs.list_account_settings(&root, nameless).await,
        "InvalidParameterException",
        "name must be specified",
    );
    for wrong in [0, 11] {
        let input = ListAccountSettingsRequest {
            max_results: Some(wrong),
            ..effective()
        };
        refused(
            ecs.list_account_settings(&root, input).await,
            "InvalidParameterException",
            "between 1 and 10",
        );
    }
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let input = ListAccountSettingsRequest {
            max_results: Some(3),
            next_token: token,
            ..effective()
        };
        let page = ecs.list_account_settings(&root, input).await.expect("a page");
        seen.extend(
            page.settings
                .expect("settings")
                .into_iter()
                .filter_map(|one| one.name),
        );
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    let wanted: Vec<SettingName> = super::KNOWN.iter().map(|(name, ..)| *name).collect();
    assert_eq!(seen, wanted);
}
