//! Passwords and the account's policy of them.

use roadstead_api_iam::{Iam as _, *};
use roadstead_base::{Caller, Ctx, User as CallingUser};

use crate::testing::{Bench, NOW, fails};

fn as_user(bench: &Bench, user: &User) -> Ctx {
    bench.ctx(Caller::User(std::sync::Arc::new(CallingUser {
        arn: user.arn.clone(),
        name: user.user_name.clone(),
        id: user.user_id.clone(),
    })))
}

fn create(user: &str, password: &str) -> CreateLoginProfileRequest {
    CreateLoginProfileRequest {
        user_name: Some(user.into()),
        password: Some(password.into()),
        password_reset_required: None,
    }
}

fn update(user: &str, password: Option<&str>, reset: Option<bool>) -> UpdateLoginProfileRequest {
    UpdateLoginProfileRequest {
        user_name: user.into(),
        password: password.map(str::to_owned),
        password_reset_required: reset,
    }
}

fn of(user: &str) -> GetLoginProfileRequest {
    GetLoginProfileRequest {
        user_name: Some(user.into()),
    }
}

fn change(old: &str, new: &str) -> ChangePasswordRequest {
    ChangePasswordRequest {
        old_password: old.into(),
        new_password: new.into(),
    }
}

#[tokio::test]
async fn a_user_has_one_password_until_it_is_deleted() {
    let mut bench = Bench::new().await;
    let root = bench.root();
    let ann = bench.user("ann").await;
    fails(
        bench.iam.get_login_profile(&root, of("ann")).await,
        "NoSuchEntity",
        "Login Profile for User ann cannot be found.",
    );
    fails(
        bench
            .iam
            .update_login_profile(&root, update("ann", None, None))
            .await,
        "NoSuchEntity",
        "Login Profile for User ann cannot be found.",
    );
    fails(
        bench
            .iam
            .create_login_profile(&root, create("bob", "secret"))
            .await,
        "NoSuchEntity",
        "The user with name bob cannot be found.",
    );
    let nothing = CreateLoginProfileRequest {
        password: None,
        ..create("ann", "")
    };
    fails(
        bench.iam.create_login_profile(&root, nothing).await,
        "ValidationError",
        "'password'",
    );
    let unnamed = GetLoginProfileRequest::default();
    fails(
        bench.iam.get_login_profile(&root, unnamed.clone()).await,
        "ValidationError",
        "Must specify userName",
    );
    let with_reset = CreateLoginProfileRequest {
        password_reset_required: Some(true),
        ..create("ANN", "secret")
    };
    let made = bench
        .iam
        .create_login_profile(&root, with_reset)
        .await
        .expect("made")
        .login_profile;
    assert_eq!(
        (
            made.user_name.as_str(),
            made.create_date,
            made.password_reset_required
        ),
        ("ann", NOW, Some(true))
    );
    fails(
        bench
            .iam
            .create_login_profile(&root, create("ann", "secret"))
            .await,
        "EntityAlreadyExists",
        "Login Profile for user ann already exists.",
    );
    bench
        .iam
        .update_login_profile(&root, update("ann", None, Some(false)))
        .await
        .expect("updated");
    bench.restart().await;
    let found = bench
        .iam
        .get_login_profile(&as_user(&bench, &ann), unnamed)
        .await
        .expect("found");
    assert_eq!(found.login_profile.password_reset_required, Some(false));
    let gone = DeleteUserRequest {
        user_name: "ann".into(),
    };
    fails(
        bench.iam.delete_user(&root, gone.clone()).await,
        "DeleteConflict",
        "Cannot delete entity, must delete login profile first.",
    );
    let delete = DeleteLoginProfileRequest {
        user_name: Some("ann".into()),
    };
    bench
        .iam
        .delete_login_profile(&root, delete.clone())
        .await
        .expect("deleted");
    fails(
        bench.iam.delete_login_profile(&root, delete).await,
        "NoSuchEntity",
        "Login Profile for User ann cannot be found.",
    );
    bench.iam.delete_user(&root, gone).await.expect("deleted");
}

#[tokio::test]
async fn users_change_their_own_passwords_as_the_policy_wants_them() {
    let bench = Bench::new().await;
    let root = bench.root();
    let ann = as_user(&bench, &bench.user("ann").await);
    fails(
        bench.iam.change_password(&root, change("a", "b")).await,
        "InvalidUserType",
        "Only IAM users",
    );
    fails(
        bench.iam.change_password(&ann, change("a", "b")).await,
        "NoSuchEntity",
        "Login Profile for User ann cannot be found.",
    );
    let first = CreateLoginProfileRequest {
        password_reset_required: Some(true),
        ..create("ann", "first")
    };
    bench.iam.create_login_profile(&root, first).await.expect("made");
    fails(
        bench.iam.change_password(&ann, change("other", "second")).await,
        "AccessDenied",
        "The old password was incorrect.",
    );
    bench
        .iam
        .change_password(&ann, change("first", "second"))
        .await
        .expect("changed");
    let found = bench
        .iam
        .get_login_profile(&root, of("ann"))
        .await
        .expect("found")
        .login_profile;
    assert_eq!(found.password_reset_required, Some(false));
    let policy = UpdateAccountPasswordPolicyRequest {
        minimum_password_length: Some(8),
        require_numbers: Some(true),
        password_reuse_prevention: Some(2),
        ..Default::default()
    };
    bench
        .iam
        .update_account_password_policy(&root, policy)
        .await
        .expect("updated");
    for new in ["short1", "no-number"] {
        let words = "does not conform to the account password policy";
        fails(
            bench.iam.change_password(&ann, change("second", new)).await,
            "PasswordPolicyViolation",
            words,
        );
        fails(
            bench
                .iam
                .update_login_profile(&root, update("ann", Some(new), None))
                .await,
            "PasswordPolicyViolation",
            words,
        );
    }
    bench
        .iam
        .change_password(&ann, change("second", "number-3"))
        .await
        .expect("changed");
    fails(
        bench
            .iam
            .change_password(&ann, change("number-3", "number-3"))
            .await,
        "PasswordPolicyViolation",
        "reuse",
    );
    bench
        .iam
        .update_login_profile(&root, update("ann", Some("number-4"), None))
        .await
        .expect("updated");
    fails(
        bench
            .iam
            .update_login_profile(&root, update("ann", Some("number-3"), None))
            .await,
        "PasswordPolicyViolation",
        "reuse",
    );
    // Another's is another's, and has a salt of its own.
    bench.user("bob").await;
    fails(
        bench
            .iam
            .create_login_profile(&root, create("bob", "short1"))
            .await,
        "PasswordPolicyViolation",
        "conform",
    );
    bench
        .iam
        .create_login_profile(&root, create("bob", "number-4"))
        .await
        .expect("made");
}

#[tokio::test]
async fn what_a_password_policy_leaves_out_becomes_its_default() {
    let mut bench = Bench::new().await;
    let root = bench.root();
    let missing = "The Password Policy with domain name 123456789012 cannot be found.";
    fails(
        bench.iam.get_account_password_policy(&root, ()).await,
        "NoSuchEntity",
        missing,
    );
    fails(
        bench.iam.delete_account_password_policy(&root, ()).await,
        "NoSuchEntity",
        "The account policy with name PasswordPolicy cannot be found.",
    );
    let whole = UpdateAccountPasswordPolicyRequest {
        allow_users_to_change_password: Some(true),
        hard_expiry: Some(true),
        max_password_age: Some(90),
        minimum_password_length: Some(14),
        password_reuse_prevention: Some(24),
        require_lowercase_characters: Some(true),
        require_numbers: Some(true),
        require_symbols: Some(true),
        require_uppercase_characters: Some(true),
    };
    bench
        .iam
        .update_account_password_policy(&root, whole)
        .await
        .expect("updated");
    bench.restart().await;
    let found = bench
        .iam
        .get_account_password_policy(&root, ())
        .await
        .expect("found");
    let expected = PasswordPolicy {
        allow_users_to_change_password: Some(true),
        expire_passwords: Some(true),
        hard_expiry: Some(true),
        max_password_age: Some(90),
        minimum_password_length: Some(14),
        password_reuse_prevention: Some(24),
        require_lowercase_characters: Some(true),
        require_numbers: Some(true),
        require_symbols: Some(true),
        require_uppercase_characters: Some(true),
    };
    assert_eq!(found.password_policy, expected);
    let nothing = UpdateAccountPasswordPolicyRequest::default();
    bench
        .iam
        .update_account_password_policy(&root, nothing)
        .await
        .expect("updated");
    let found = bench
        .iam
        .get_account_password_policy(&root, ())
        .await
        .expect("found");
    let expected = PasswordPolicy {
        allow_users_to_change_password: Some(false),
        expire_passwords: Some(false),
        hard_expiry: None,
        max_password_age: None,
        minimum_password_length: Some(6),
        password_reuse_prevention: None,
        require_lowercase_characters: Some(false),
        require_numbers: Some(false),
        require_symbols: Some(false),
        require_uppercase_characters: Some(false),
    };
    assert_eq!(found.password_policy, expected);
    bench
        .iam
        .delete_account_password_policy(&root, ())
        .await
        .expect("deleted");
    fails(
        bench.iam.get_account_password_policy(&root, ()).await,
        "NoSuchEntity",
        missing,
    );
}
