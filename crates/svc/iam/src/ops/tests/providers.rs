//! OpenID Connect providers, and the listing of all that decides.

use roadstead_api_iam::{Iam as _, *};

use super::{TRUST, allow};
use crate::testing::{Bench, NOW, fails};

const PRINT: &str = "0123456789abcdef0123456789ABCDEF01234567";
const ARN: &str = "arn:aws:iam::123456789012:oidc-provider/id.example.com/realm";

fn create(url: &str) -> CreateOpenIDConnectProviderRequest {
    CreateOpenIDConnectProviderRequest {
        url: url.into(),
        client_id_list: Some(vec!["one".into()]),
        thumbprint_list: Some(vec![PRINT.into()]),
        tags: Some(vec![tag("k", "v")]),
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag {
        key: key.into(),
        value: value.into(),
    }
}

async fn get(bench: &Bench) -> GetOpenIDConnectProviderResponse {
    let input = GetOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: ARN.into(),
    };
    bench
        .iam
        .get_open_id_connect_provider(&bench.root(), input)
        .await
        .expect("found")
}

#[tokio::test]
async fn a_provider_is_made_once_and_named_by_its_url() {
    let mut bench = Bench::new().await;
    let root = bench.root();
    for url in [
        "http://id.example.com",
        "id.example.com",
        "https://",
        "https:///x",
        "https://a.b?c=d",
        "https://a b",
    ] {
        fails(
            bench
                .iam
                .create_open_id_connect_provider(&root, create(url))
                .await,
            "ValidationError",
            "Invalid Open ID Connect Provider URL",
        );
    }
    let made = bench
        .iam
        .create_open_id_connect_provider(&root, create("https://id.example.com/realm"))
        .await;
    let made = made.expect("made");
    assert_eq!(
        (made.open_id_connect_provider_arn.as_deref(), made.tags),
        (Some(ARN), Some(vec![tag("k", "v")]))
    );
    fails(
        bench
            .iam
            .create_open_id_connect_provider(&root, create("https://id.example.com/realm"))
            .await,
        "EntityAlreadyExists",
        "Provider with url https://id.example.com/realm already exists.",
    );
    bench.restart().await;
    let found = get(&bench).await;
    assert_eq!(found.url.as_deref(), Some("id.example.com/realm"));
    assert_eq!(found.create_date, Some(NOW));
    assert_eq!(found.client_id_list, Some(vec!["one".to_owned()]));
    assert_eq!(found.thumbprint_list, Some(vec![PRINT.to_owned()]));
    assert_eq!(found.tags, Some(vec![tag("k", "v")]));
    let input = ListOpenIDConnectProvidersRequest {};
    let listed = bench
        .iam
        .list_open_id_connect_providers(&root, input)
        .await
        .expect("a list");
    let arns: Vec<_> = listed
        .open_id_connect_provider_list
        .expect("a list")
        .into_iter()
        .filter_map(|it| it.arn)
        .collect();
    assert_eq!(arns, [ARN]);
    let other = GetOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: format!("{ARN}/x"),
    };
    fails(
        bench.iam.get_open_id_connect_provider(&root, other).await,
        "NoSuchEntity",
        &format!("OpenIDConnect Provider not found for arn {ARN}/x"),
    );
    let foreign = GetOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: ARN.replace("123456789012", "210987654321"),
    };
    fails(
        bench.iam.get_open_id_connect_provider(&root, foreign).await,
        "NoSuchEntity",
        "not found for arn",
    );
    let delete = |arn: &str| DeleteOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: arn.into(),
    };
    fails(
        bench
            .iam
            .delete_open_id_connect_provider(&root, delete("arn:aws:iam::123456789012:role/r"))
            .await,
        "InvalidInput",
        "is not valid",
    );
    for _ in 0..2 {
        bench
            .iam
            .delete_open_id_connect_provider(&root, delete(ARN))
            .await
            .expect("deleted, also when it is");
    }
    let input = ListOpenIDConnectProvidersRequest {};
    let listed = bench
        .iam
        .list_open_id_connect_providers(&root, input)
        .await
        .expect("a list");
    assert_eq!(listed.open_id_connect_provider_list, Some(Vec::new()));
}

#[tokio::test]
async fn clients_thumbprints_and_tags_of_a_provider_change() {
    let bench = Bench::new().await;
    let root = bench.root();
    bench
        .iam
        .create_open_id_connect_provider(&root, create("https://id.example.com/realm"))
        .await
        .expect("made");
    let add = |client: &str| AddClientIDToOpenIDConnectProviderRequest {
        client_id: client.into(),
        open_id_connect_provider_arn: ARN.into(),
    };
    for client in ["two", "two"] {
        bench
            .iam
            .add_client_id_to_open_id_connect_provider(&root, add(client))
            .await
            .expect("added");
    }
    assert_eq!(
        get(&bench).await.client_id_list,
        Some(vec!["one".to_owned(), "two".to_owned()])
    );
    let remove = RemoveClientIDFromOpenIDConnectProviderRequest {
        client_id: "one".into(),
        open_id_connect_provider_arn: ARN.into(),
    };
    for _ in 0..2 {
        bench
            .iam
            .remove_client_id_from_open_id_connect_provider(&root, remove.clone())
            .await
            .expect("removed");
    }
    assert_eq!(get(&bench).await.client_id_list, Some(vec!["two".to_owned()]));
    for number in 0..99 {
        let client = format!("c{number}");
        bench
            .iam
            .add_client_id_to_open_id_connect_provider(&root, add(&client))
            .await
            .expect("added");
    }
    fails(
        bench
            .iam
            .add_client_id_to_open_id_connect_provider(&root, add("more"))
            .await,
        "LimitExceeded",
        "ClientIdsPerOpenIdConnectProvider: 100",
    );
    let prints = |prints: Vec<String>| UpdateOpenIDConnectProviderThumbprintRequest {
        open_id_connect_provider_arn: ARN.into(),
        thumbprint_list: prints,
    };
    let other = "f".repeat(40);
    let input = prints(vec![other.clone()]);
    bench
        .iam
        .update_open_id_connect_provider_thumbprint(&root, input)
        .await
        .expect("updated");
    assert_eq!(get(&bench).await.thumbprint_list, Some(vec![other.clone()]));
    for (bad, words) in [
        (vec![other; 6], "fewer than 5"),
        (vec!["x".repeat(40)], "40 hexadecimal digits"),
    ] {
        fails(
            bench
                .iam
                .update_open_id_connect_provider_thumbprint(&root, prints(bad))
                .await,
            "InvalidInput",
            words,
        );
    }
    let input = TagOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: ARN.into(),
        tags: vec![tag("K", "w"), tag("a", "b")],
    };
    bench
        .iam
        .tag_open_id_connect_provider(&root, input)
        .await
        .expect("tagged");
    let input = UntagOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: ARN.into(),
        tag_keys: vec!["k".into()],
    };
    bench
        .iam
        .untag_open_id_connect_provider(&root, input)
        .await
        .expect("untagged");
    let list = |marker| ListOpenIDConnectProviderTagsRequest {
        open_id_connect_provider_arn: ARN.into(),
        marker,
        max_items: Some(1),
    };
    let first = bench
        .iam
        .list_open_id_connect_provider_tags(&root, list(None))
        .await
        .expect("a page");
    let second = bench
        .iam
        .list_open_id_connect_provider_tags(&root, list(first.marker))
        .await
        .expect("a page");
    assert_eq!(
        (first.tags, second.tags),
        (vec![tag("a", "b")], vec![tag("K", "w")])
    );
}

#[tokio::test]
async fn all_that_decides_is_listed() {
    let bench = Bench::new().await;
    let root = bench.root();
    let arn = bench.policy("p", &allow("ecs:*", "*")).await;
    bench.user("ann").await;
    bench.attach_to_user("ann", &arn).await;
    bench.group("g").await;
    let input = AddUserToGroupRequest {
        group_name: "g".into(),
        user_name: "ann".into(),
    };
    bench.iam.add_user_to_group(&root, input).await.expect("added");
    bench.role("r").await;
    let input = PutRolePolicyRequest {
        role_name: "r".into(),
        policy_name: "inline".into(),
        policy_document: allow("ec2:*", "*"),
    };
    bench.iam.put_role_policy(&root, input).await.expect("put");
    let input = CreateInstanceProfileRequest {
        instance_profile_name: "box".into(),
        ..Default::default()
    };
    bench
        .iam
        .create_instance_profile(&root, input)
        .await
        .expect("made");
    let input = AddRoleToInstanceProfileRequest {
        instance_profile_name: "box".into(),
        role_name: "r".into(),
    };
    bench
        .iam
        .add_role_to_instance_profile(&root, input)
        .await
        .expect("added");
    let version = CreatePolicyVersionRequest {
        policy_arn: arn.clone(),
        policy_document: allow("ec2:*", "*"),
        set_as_default: Some(true),
    };
    bench
        .iam
        .create_policy_version(&root, version)
        .await
        .expect("made");

    let ask = |filter: &[EntityType], marker, max_items| GetAccountAuthorizationDetailsRequest {
        filter: Some(filter.to_vec()),
        marker,
        max_items,
    };
    let own = [
        EntityType::User,
        EntityType::Group,
        EntityType::Role,
        EntityType::LocalManagedPolicy,
    ];
    let all = bench
        .iam
        .get_account_authorization_details(&root, ask(&own, None, None))
        .await
        .expect("a list");
    let user = &all.user_detail_list.as_deref().expect("users")[0];
    assert_eq!(user.group_list, Some(vec!["g".to_owned()]));
    assert_eq!(
        user.attached_managed_policies.as_deref().expect("a list")[0].policy_arn,
        Some(arn.clone())
    );
    assert_eq!(
        (user.user_policy_list.as_deref(), user.tags.as_deref()),
        (Some(&[][..]), Some(&[][..]))
    );
    let group = &all.group_detail_list.as_deref().expect("groups")[0];
    assert_eq!(group.group_name.as_deref(), Some("g"));
    let role = &all.role_detail_list.as_deref().expect("roles")[0];
    assert_eq!(
        role.instance_profile_list.as_deref().expect("a list")[0].instance_profile_name,
        "box"
    );
    let inline = &role.role_policy_list.as_deref().expect("a list")[0];
    assert_eq!(inline.policy_name.as_deref(), Some("inline"));
    let whole = percent_encoding::percent_decode_str(inline.policy_document.as_deref().expect("a document"));
    assert_eq!(whole.decode_utf8_lossy(), allow("ec2:*", "*"));
    let trust = percent_encoding::percent_decode_str(
        role.assume_role_policy_document.as_deref().expect("a document"),
    );
    assert_eq!(trust.decode_utf8_lossy(), TRUST);
    let policy = &all.policies.as_deref().expect("policies")[0];
    assert_eq!(
        (policy.attachment_count, policy.default_version_id.as_deref()),
        (Some(1), Some("v2"))
    );
    let versions = policy.policy_version_list.as_deref().expect("versions");
    let shown: Vec<_> = versions
        .iter()
        .map(|version| {
            (
                version.version_id.as_deref(),
                version.is_default_version,
                version.document.is_some(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [(Some("v2"), Some(true), true), (Some("v1"), Some(false), true)]
    );

    // One by one it is the same.
    let (mut marker, mut pages) = (None, 0);
    loop {
        let page = bench
            .iam
            .get_account_authorization_details(&root, ask(&own, marker, Some(1)))
            .await;
        let page = page.expect("a page");
        pages += 1;
        if page.is_truncated == Some(false) {
            break;
        }
        marker = page.marker;
    }
    assert_eq!(pages, 4);
    let everybodys = ask(&[EntityType::AwsManagedPolicy], None, None);
    let everybodys = bench
        .iam
        .get_account_authorization_details(&root, everybodys)
        .await
        .expect("a list");
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    assert!(
        everybodys
            .policies
            .expect("policies")
            .iter()
            .any(|policy| policy.arn.as_deref() == Some(admin))
    );
    assert_eq!(everybodys.user_detail_list, Some(Vec::new()));
}
