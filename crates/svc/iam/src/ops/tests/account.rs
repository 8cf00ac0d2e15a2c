//! The account as a whole.

use roadstead_api_iam::{Iam as _, *};

use crate::testing::{Bench, fails};

#[tokio::test]
async fn an_account_has_one_alias_that_no_other_has() {
    let bench = Bench::new().await;
    let (root, mut other) = (bench.root(), bench.root());
    other.account = "999999999999".parse().expect("an account");
    let alias = |name: &str| CreateAccountAliasRequest {
        account_alias: name.into(),
    };
    bench
        .iam
        .create_account_alias(&root, alias("harbour"))
        .await
        .expect("made");
    bench
        .iam
        .create_account_alias(&root, alias("roads"))
        .await
        .expect("replaced");
    fails(
        bench.iam.create_account_alias(&other, alias("roads")).await,
        "EntityAlreadyExists",
        "already exists",
    );
    let list = bench
        .iam
        .list_account_aliases(&root, ListAccountAliasesRequest::default())
        .await;
    assert_eq!(list.expect("a list").account_aliases, ["roads"]);
    let delete = DeleteAccountAliasRequest {
        account_alias: "roads".into(),
    };
    bench
        .iam
        .delete_account_alias(&root, delete.clone())
        .await
        .expect("deleted");
    fails(
        bench.iam.delete_account_alias(&root, delete).await,
        "NoSuchEntity",
        "roads",
    );
    bench.user("ann").await;
    let summary = bench
        .iam
        .get_account_summary(&root, ())
        .await
        .expect("a summary")
        .summary_map;
    let summary = summary.expect("a map");
    assert_eq!(
        (summary["Users"], summary["UsersQuota"], summary["Roles"]),
        (1, 5000, 0)
    );
}
