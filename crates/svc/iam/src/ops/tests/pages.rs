//! Pages of lists that are short: each is cut by `MaxItems` and goes on after its own `Marker` alone.

use roadstead_api_iam::{Iam as _, *};

use super::allow;
use crate::testing::{Bench, fails};

const FORGED: Option<&str> = Some("forged");

fn marker(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

#[tokio::test]
async fn versions_of_a_policy_come_in_pages() {
    let bench = Bench::new().await;
    let root = bench.root();
    let arn = bench.policy("p", &allow("ecs:*", "*")).await;
    for _ in 0..2 {
        let more = CreatePolicyVersionRequest {
            policy_arn: arn.clone(),
            policy_document: allow("ec2:*", "*"),
            set_as_default: None,
        };
        bench.iam.create_policy_version(&root, more).await.expect("made");
    }
    let list = |after: Option<&str>| ListPolicyVersionsRequest {
        policy_arn: arn.clone(),
        marker: marker(after),
        max_items: Some(2),
    };
    let ids = |page: &ListPolicyVersionsResponse| {
        let versions = page.versions.clone().expect("versions");
        let ids = versions.into_iter().filter_map(|version| version.version_id);
        ids.collect::<Vec<_>>()
    };
    let first = bench
        .iam
        .list_policy_versions(&root, list(None))
        .await
        .expect("a page");
    assert_eq!(
        (ids(&first), first.is_truncated),
        (vec!["v3".into(), "v2".into()], Some(true))
    );
    let second = list(first.marker.as_deref());
    let second = bench
        .iam
        .list_policy_versions(&root, second)
        .await
        .expect("a page");
    assert_eq!(
        (ids(&second), second.is_truncated),
        (vec!["v1".into()], Some(false))
    );
    fails(
        bench.iam.list_policy_versions(&root, list(FORGED)).await,
        "ValidationError",
        "Invalid Marker",
    );
}

#[tokio::test]
async fn what_a_user_has_attached_comes_in_pages_and_by_path() {
    let bench = Bench::new().await;
    let root = bench.root();
    bench.user("ann").await;
    for (name, path) in [("a", "/x/"), ("b", "/"), ("c", "/x/y/")] {
        let policy = CreatePolicyRequest {
            policy_name: name.into(),
            path: Some(path.into()),
            policy_document: allow("ecs:*", "*"),
            ..Default::default()
        };
        let made = bench.iam.create_policy(&root, policy).await.expect("made");
        let arn = made.policy.and_then(|policy| policy.arn).expect("an ARN");
        bench.attach_to_user("ann", &arn).await;
    }
    let list = |after: Option<&str>, path: &str, most: i32| ListAttachedUserPoliciesRequest {
        user_name: "ann".into(),
        marker: marker(after),
        max_items: Some(most),
        path_prefix: Some(path.into()),
    };
    let names = |page: &ListAttachedUserPoliciesResponse| {
        let policies = page.attached_policies.clone().expect("policies");
        let names = policies.into_iter().filter_map(|policy| policy.policy_name);
        names.collect::<Vec<_>>()
    };
    let mut seen = Vec::new();
    let mut after = None;
    for _ in 0..2 {
        let page = list(after.as_deref(), "/x/", 1);
        let page = bench
            .iam
            .list_attached_user_policies(&root, page)
            .await
            .expect("a page");
        assert_eq!(names(&page).len(), 1);
        seen.extend(names(&page));
        after = page.marker;
    }
    assert_eq!((seen, after), (vec!["a".to_owned(), "c".to_owned()], None));
    let all = bench.iam.list_attached_user_policies(&root, list(None, "/", 9));
    assert_eq!(names(&all.await.expect("a page")).len(), 3);
    fails(
        bench
            .iam
            .list_attached_user_policies(&root, list(FORGED, "/", 1))
            .await,
        "ValidationError",
        "Invalid Marker",
    );
}

#[tokio::test]
async fn profiles_of_a_role_come_in_pages() {
    let bench = Bench::new().await;
    let root = bench.root();
    bench.role("r").await;
    for name in ["p", "q"] {
        let profile = CreateInstanceProfileRequest {
            instance_profile_name: name.into(),
            ..Default::default()
        };
        bench
            .iam
            .create_instance_profile(&root, profile)
            .await
            .expect("made");
        let add = AddRoleToInstanceProfileRequest {
            instance_profile_name: name.into(),
            role_name: "r".into(),
        };
        bench
            .iam
            .add_role_to_instance_profile(&root, add)
            .await
            .expect("added");
    }
    let list = |after: Option<&str>| ListInstanceProfilesForRoleRequest {
        role_name: "r".into(),
        marker: marker(after),
        max_items: Some(1),
    };
    let mut after = None;
    for (name, more) in [("p", true), ("q", false)] {
        let page = list(after.as_deref());
        let page = bench
            .iam
            .list_instance_profiles_for_role(&root, page)
            .await
            .expect("a page");
        let names: Vec<_> = page
            .instance_profiles
            .iter()
            .map(|profile| &profile.instance_profile_name)
            .collect();
        assert_eq!((names, page.is_truncated), (vec![&name.to_owned()], Some(more)));
        after = page.marker;
    }
    fails(
        bench
            .iam
            .list_instance_profiles_for_role(&root, list(FORGED))
            .await,
        "ValidationError",
        "Invalid Marker",
    );
}

/// There is one at most, so that there is never a second page: no marker is any of this list's.
#[tokio::test]
async fn the_alias_of_an_account_is_a_page() {
    let bench = Bench::new().await;
    let root = bench.root();
    let alias = CreateAccountAliasRequest {
        account_alias: "harbour".into(),
    };
    bench.iam.create_account_alias(&root, alias).await.expect("made");
    let list = |after: Option<&str>| ListAccountAliasesRequest {
        marker: marker(after),
        max_items: Some(1),
    };
    let page = bench
        .iam
        .list_account_aliases(&root, list(None))
        .await
        .expect("a page");
    assert_eq!(
        (page.account_aliases, page.marker),
        (vec!["harbour".to_owned()], None)
    );
    assert_eq!(page.is_truncated, Some(false));
    fails(
        bench.iam.list_account_aliases(&root, list(FORGED)).await,
        "ValidationError",
        "Invalid Marker",
    );
}
