//! Passwords: login profiles, a user's own change, and the account's policy.

use roadstead_api_iam::{
    ChangePasswordRequest, CreateLoginProfileRequest, CreateLoginProfileResponse, DeleteLoginProfileRequest,
    GetAccountPasswordPolicyResponse, GetLoginProfileRequest, GetLoginProfileResponse, LoginProfile,
    PasswordPolicy, UpdateAccountPasswordPolicyRequest, UpdateLoginProfileRequest,
};
use roadstead_base::{Caller, Ctx};
use roadstead_protocol::ApiError;

use crate::error::{Result, already, denied, no_login, no_password_policy, none, not_a_user, validation};
use crate::ops::users::no_user_here;
use crate::password::{LEAST, LoginRecord, PasswordPolicyRecord, conforms, hash, is_new};
use crate::realm::Kind;
use crate::records::{Record, UserRecord};
use crate::service::Iam;
use crate::show::whole_second;

/// The named user, or the one who asks.
fn whose(ctx: &Ctx, named: Option<String>) -> Result<String> {
    match (named, &ctx.caller) {
        (Some(name), _) => Ok(name),
        (None, Caller::User(user)) => Ok(user.name.clone()),
        (None, _) => Err(no_user_here()),
    }
}

fn login_of(user: &UserRecord) -> Result<&LoginRecord> {
    user.login.as_ref().ok_or_else(|| no_login(&user.name))
}

fn shown(user: &UserRecord, login: &LoginRecord) -> LoginProfile {
    LoginProfile {
        user_name: user.name.clone(),
        create_date: whole_second(login.created),
        password_reset_required: Some(login.reset),
    }
}

pub(crate) async fn create(
    iam: &Iam,
    ctx: &Ctx,
    input: CreateLoginProfileRequest,
) -> Result<CreateLoginProfileResponse> {
    let CreateLoginProfileRequest {
        user_name,
        password,
        password_reset_required,
    } = input;
    let name = whose(ctx, user_name)?;
    // Only sessions of AssumeRoot leave it out, which there are none of.
    let password = password.ok_or_else(|| {
        validation(
            "1 validation error detected: Value null at 'password' failed to satisfy constraint: Member must not be \
             null",
        )
    })?;
    let salt = roadstead_base::random_uuid();
    let login = LoginRecord {
        created: iam.clock.now(),
        hash: hash(&iam.secret, &salt, &password),
        salt,
        before: Vec::new(),
        reset: password_reset_required == Some(true),
    };
    iam.change(ctx, |realm, plan| {
        let mut user = realm.user(&name)?.clone();
        if user.login.is_some() {
            return Err(already(format!(
                "Login Profile for user {} already exists.",
                user.name
            )));
        }
        conforms(realm.account().password_policy.as_ref(), &password)?;
        user.login = Some(login.clone());
        let login_profile = shown(&user, &login);
        plan.put(Kind::User, &user.name.clone(), Record::User(user));
        Ok(CreateLoginProfileResponse { login_profile })
    })
    .await
}

pub(crate) async fn get(
    iam: &Iam,
    ctx: &Ctx,
    input: GetLoginProfileRequest,
) -> Result<GetLoginProfileResponse> {
    let GetLoginProfileRequest { user_name } = input;
    let name = whose(ctx, user_name)?;
    iam.read(ctx, |realm| {
        let user = realm.user(&name)?;
        Ok(GetLoginProfileResponse {
            login_profile: shown(user, login_of(user)?),
        })
    })
    .await
}

/// The salt is the user's as long as the login profile is, so that the hash is made once, and not in every try.
async fn hashed(iam: &Iam, ctx: &Ctx, name: &str, password: &str) -> Result<String> {
    let salt = iam
        .read(ctx, |realm| Ok(login_of(realm.user(name)?)?.salt.clone()))
        .await?;
    Ok(hash(&iam.secret, &salt, password))
}

pub(crate) async fn update(iam: &Iam, ctx: &Ctx, input: UpdateLoginProfileRequest) -> Result<()> {
    let UpdateLoginProfileRequest {
        user_name,
        password,
        password_reset_required,
    } = input;
    let new = match &password {
        Some(password) => Some((password, hashed(iam, ctx, &user_name, password).await?)),
        None => None,
    };
    iam.change(ctx, |realm, plan| {
        let mut user = realm.user(&user_name)?.clone();
        let mut login = login_of(&user)?.clone();
        if let Some((password, hash)) = &new {
            let account = realm.account();
            conforms(account.password_policy.as_ref(), password)?;
            is_new(account.password_policy.as_ref(), &login, hash)?;
            login.change(hash.clone());
        }
        if let Some(reset) = password_reset_required {
            login.reset = reset;
        }
        if user.login.as_ref() != Some(&login) {
            user.login = Some(login);
            plan.put(Kind::User, &user.name.clone(), Record::User(user));
        }
        Ok(())
    })
    .await
}

pub(crate) async fn delete(iam: &Iam, ctx: &Ctx, input: DeleteLoginProfileRequest) -> Result<()> {
    let DeleteLoginProfileRequest { user_name } = input;
    let name = whose(ctx, user_name)?;
    iam.change(ctx, |realm, plan| {
        let mut user = realm.user(&name)?.clone();
        login_of(&user)?;
        user.login = None;
        plan.put(Kind::User, &user.name.clone(), Record::User(user));
        Ok(())
    })
    .await
}

/// Of the caller itself, whoever knows the old one.
pub(crate) async fn change(iam: &Iam, ctx: &Ctx, input: ChangePasswordRequest) -> Result<()> {
    let ChangePasswordRequest {
        old_password,
        new_password,
    } = input;
    let Caller::User(caller) = &ctx.caller else {
        return Err(not_a_user("Only IAM users can change their own passwords."));
    };
    let old = hashed(iam, ctx, &caller.name, &old_password).await?;
    let new = hashed(iam, ctx, &caller.name, &new_password).await?;
    iam.change(ctx, |realm, plan| {
        let mut user = realm.user(&caller.name)?.clone();
        let mut login = login_of(&user)?.clone();
        if !login.is(&old) {
            return Err(denied("The old password was incorrect."));
        }
        let account = realm.account();
        conforms(account.password_policy.as_ref(), &new_password)?;
        is_new(account.password_policy.as_ref(), &login, &new)?;
        login.change(new.clone());
        login.reset = false;
        user.login = Some(login);
        plan.put(Kind::User, &user.name.clone(), Record::User(user));
        Ok(())
    })
    .await
}

/// What is not said becomes its default again.
pub(crate) async fn update_policy(
    iam: &Iam,
    ctx: &Ctx,
    input: UpdateAccountPasswordPolicyRequest,
) -> Result<()> {
    let UpdateAccountPasswordPolicyRequest {
        allow_users_to_change_password,
        hard_expiry,
        max_password_age,
        minimum_password_length,
        password_reuse_prevention,
        require_lowercase_characters,
        require_numbers,
        require_symbols,
        require_uppercase_characters,
    } = input;
    let policy = PasswordPolicyRecord {
        least: minimum_password_length.unwrap_or(LEAST),
        symbols: require_symbols == Some(true),
        numbers: require_numbers == Some(true),
        upper: require_uppercase_characters == Some(true),
        lower: require_lowercase_characters == Some(true),
        users_change: allow_users_to_change_password == Some(true),
        max_age: max_password_age,
        reuse: password_reuse_prevention,
        hard_expiry,
    };
    iam.change(ctx, |realm, plan| {
        let mut account = realm.account();
        if account.password_policy.as_ref() != Some(&policy) {
            account.password_policy = Some(policy.clone());
            plan.put_account(account);
        }
        Ok(())
    })
    .await
}

pub(crate) async fn get_policy(
    iam: &Iam,
    ctx: &Ctx,
    _nothing: (),
) -> Result<GetAccountPasswordPolicyResponse> {
    iam.read(ctx, |realm| {
        let policy = realm.account().password_policy;
        let missing = || -> ApiError { no_password_policy(&ctx.account) };
        let PasswordPolicyRecord {
            least,
            symbols,
            numbers,
            upper,
            lower,
            users_change,
            max_age,
            reuse,
            hard_expiry,
        } = policy.ok_or_else(missing)?;
        Ok(GetAccountPasswordPolicyResponse {
            password_policy: PasswordPolicy {
                minimum_password_length: Some(least),
                require_symbols: Some(symbols),
                require_numbers: Some(numbers),
                require_uppercase_characters: Some(upper),
                require_lowercase_characters: Some(lower),
                allow_users_to_change_password: Some(users_change),
                expire_passwords: Some(max_age.is_some()),
                max_password_age: max_age,
                password_reuse_prevention: reuse,
                hard_expiry,
            },
        })
    })
    .await
}

pub(crate) async fn delete_policy(iam: &Iam, ctx: &Ctx, _nothing: ()) -> Result<()> {
    iam.change(ctx, |realm, plan| {
        let mut account = realm.account();
        if account.password_policy.take().is_none() {
            return Err(none("account policy", "PasswordPolicy"));
        }
        plan.put_account(account);
        Ok(())
    })
    .await
}
