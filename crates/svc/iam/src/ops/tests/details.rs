//! What answers say to the letter: which members they have, and how they say them.

use roadstead_api_iam::{Iam as _, *};

use super::allow;
use crate::testing::{Bench, NOW, fails};

fn tag(key: &str, value: &str) -> Tag {
    Tag {
        key: key.into(),
        value: value.into(),
    }
}

#[tokio::test]
async fn keys_of_policies_and_profiles_differ_by_their_case() {
    let bench = Bench::new().await;
    let root = bench.root();
    let both = vec![tag("Team", "a"), tag("team", "b")];
    let input = CreatePolicyRequest {
        policy_name: "p".into(),
        policy_document: allow("ecs:*", "*"),
        tags: Some(both.clone()),
        ..Default::default()
    };
    let made = bench.iam.create_policy(&root, input).await.expect("made");
    let policy = made.policy.expect("a policy");
    // Told when it is made, as by GetPolicy.
    assert_eq!(policy.tags, Some(both.clone()));
    let policy_arn = policy.arn.expect("an ARN");
    let untag = UntagPolicyRequest {
        policy_arn: policy_arn.clone(),
        tag_keys: vec!["TEAM".into(), "team".into()],
    };
    bench.iam.untag_policy(&root, untag).await.expect("untagged");
    let list = ListPolicyTagsRequest {
        policy_arn,
        ..Default::default()
    };
    let left = bench.iam.list_policy_tags(&root, list).await.expect("a list");
    assert_eq!(left.tags, [tag("Team", "a")]);

    let input = CreateInstanceProfileRequest {
        instance_profile_name: "box".into(),
        tags: Some(both),
        ..Default::default()
    };
    bench
        .iam
        .create_instance_profile(&root, input)
        .await
        .expect("made");
    let list = |marker| ListInstanceProfileTagsRequest {
        instance_profile_name: "box".into(),
        marker,
        max_items: Some(1),
    };
    let first = bench.iam.list_instance_profile_tags(&root, list(None)).await;
    let first = first.expect("a page");
    let second = bench
        .iam
        .list_instance_profile_tags(&root, list(first.marker))
        .await;
    let second = second.expect("a page");
    assert_eq!(
        (first.tags, second.tags, second.is_truncated),
        (vec![tag("Team", "a")], vec![tag("team", "b")], Some(false))
    );

    bench.user("ann").await;
    let input = TagUserRequest {
        user_name: "ann".into(),
        tags: vec![tag("Team", "a"), tag("team", "b")],
    };
    fails(
        bench.iam.tag_user(&root, input).await,
        "InvalidInput",
        "Tag keys are case insensitive",
    );
}

#[tokio::test]
async fn a_list_of_profiles_leaves_out_their_tags() {
    let bench = Bench::new().await;
    let root = bench.root();
    let input = CreateInstanceProfileRequest {
        instance_profile_name: "box".into(),
        tags: Some(vec![tag("k", "v")]),
        ..Default::default()
    };
    bench
        .iam
        .create_instance_profile(&root, input)
        .await
        .expect("made");
    let list = ListInstanceProfilesRequest::default();
    let listed = bench
        .iam
        .list_instance_profiles(&root, list)
        .await
        .expect("a list");
    assert_eq!(listed.instance_profiles.len(), 1);
    assert_eq!(listed.instance_profiles[0].tags, None);
    let get = GetInstanceProfileRequest {
        instance_profile_name: "box".into(),
    };
    let got = bench.iam.get_instance_profile(&root, get).await.expect("found");
    assert_eq!(got.instance_profile.tags, Some(vec![tag("k", "v")]));
}

#[tokio::test]
async fn dates_have_no_fractions() {
    let bench = Bench::new().await;
    bench.clock.advance(999);
    let user = bench.user("ann").await;
    let key = bench.key("ann").await;
    let role = bench.role("r").await;
    for date in [
        user.create_date,
        role.create_date,
        key.create_date.expect("a date"),
    ] {
        assert_eq!(date, NOW);
    }
}

#[tokio::test]
async fn the_default_version_of_a_policy_is_not_deleted() {
    let bench = Bench::new().await;
    let policy_arn = bench.policy("p", &allow("ecs:*", "*")).await;
    let input = DeletePolicyVersionRequest {
        policy_arn,
        version_id: "v1".into(),
    };
    let error = bench.iam.delete_policy_version(&bench.root(), input).await;
    assert_eq!(
        error.expect_err("refused").message,
        "Cannot delete the default version of a policy."
    );
}
