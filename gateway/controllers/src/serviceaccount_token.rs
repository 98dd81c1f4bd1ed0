//! Secrets of type `kubernetes.io/service-account-token` get a token of the account that they name; those whose account is gone
//! go, and accounts do not list Secrets that are gone. Makes no Secret by itself.
//! Follows `pkg/controller/serviceaccount/tokens_controller.go`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use model::world::DeleteOptions;
use model::{GroupVersionResource, Status, Value, World, meta};

use crate::feed::{Change, Reads, What};
use crate::runtime::{Context, Controller, Error, Next, Watch, step};

/// The controller.
pub const CONTROLLER: Controller = Controller {
    name: "serviceaccount-token-controller",
    watches: &[
        Watch::new("", "v1", "secrets", tokens).reading(SECRETS),
        Watch::new("", "v1", "serviceaccounts", lost_accounts).reading(crate::feed::IDENTITY),
    ],
    workers: 2,
    reconcile,
};

const SECRETS: Reads = &["metadata.name", "metadata.namespace", "metadata.uid", "type"];
const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";
/// Between a namespace and the name of an account in keys; that of a Secret follows a single slash.
const ACCOUNT: &str = "//";

fn tokens(change: &Change<'_>) -> Vec<String> {
    let is_token = change.object.get("type").and_then(Value::as_str) == Some(TYPE);
    if is_token { vec![format!("{}/{}", meta::namespace(change.object), meta::name(change.object))] } else { Vec::new() }
}

fn lost_accounts(change: &Change<'_>) -> Vec<String> {
    let is_lost = change.what == What::Deleted;
    if is_lost { vec![format!("{}{ACCOUNT}{}", meta::namespace(change.object), meta::name(change.object))] } else { Vec::new() }
}

fn secrets() -> GroupVersionResource {
    GroupVersionResource::new("", "v1", "secrets")
}

fn accounts() -> GroupVersionResource {
    GroupVersionResource::new("", "v1", "serviceaccounts")
}

fn reconcile<'a>(context: &'a Context, key: &'a str) -> BoxFuture<'a, Result<Next, Error>> {
    Box::pin(async move {
        match (key.split_once(ACCOUNT), key.split_once('/')) {
            (Some((namespace, account)), _) => of_account(context, namespace, account).await?,
            (None, Some((namespace, name))) => {
                match found(context.world.get(&secrets(), namespace, name).await, "read secret")? {
                    Some(secret) => tend(context, secret).await?,
                    None => unlist(&*context.world, namespace, name).await?,
                }
            }
            (None, None) => {}
        }
        Ok(Next::Wait)
    })
}

fn found(read: Result<Value, Status>, what: &'static str) -> Result<Option<Value>, Error> {
    match read {
        Err(status) if status.code == 404 => Ok(None),
        read => read.map(Some).map_err(step(what)),
    }
}

/// Whoever was faster than a write has told of it.
fn settled(written: Result<Value, Status>, what: &'static str) -> Result<(), Error> {
    match written {
        Err(status) if matches!(status.code, 404 | 409) => Ok(()),
        written => written.map(drop).map_err(step(what)),
    }
}

/// Looks at each Secret of an account that is gone, or was made anew under another uid.
async fn of_account(context: &Context, namespace: &str, account: &str) -> Result<(), Error> {
    let (all, _) = context.world.list(&secrets(), namespace, "").await.map_err(step("list secrets"))?;
    let named = |secret: &Value| meta::annotation(secret, ACCOUNT_NAME) == Some(account);
    for secret in all.into_iter().filter(|secret| is_token(secret) && named(secret)) {
        tend(context, secret).await?;
    }
    Ok(())
}

fn is_token(secret: &Value) -> bool {
    secret.get("type").and_then(Value::as_str) == Some(TYPE)
}

/// What becomes of a Secret.
#[derive(Debug, PartialEq)]
enum Action {
    Delete,
    Fill(Value),
    Nothing,
}

/// Decides by the account that the Secret names, if it is there.
fn decide(
    secret: &Value,
    account: Option<&Value>,
    root_ca: &str,
    sign: impl FnOnce(&Value) -> Result<String, String>,
) -> Result<Action, String> {
    let wanted = meta::annotation(secret, ACCOUNT_UID).unwrap_or("");
    let Some(account) = account.filter(|account| wanted.is_empty() || meta::uid(account) == wanted) else {
        return Ok(Action::Delete);
    };
    let held = |key: &str| secret.pointer(&format!("/data/{key}")).and_then(Value::as_str).unwrap_or("");
    let authority = STANDARD.encode(root_ca);
    let mut fresh = Vec::new();
    if !root_ca.is_empty() && held("ca.crt") != authority {
        fresh.push(("ca.crt", authority));
    }
    if held("namespace").is_empty() {
        fresh.push(("namespace", STANDARD.encode(meta::namespace(secret))));
    }
    if held("token").is_empty() {
        fresh.push(("token", STANDARD.encode(sign(account)?)));
    }
    if fresh.is_empty() {
        return Ok(Action::Nothing);
    }
    let mut filled = secret.clone();
    for (key, value) in fresh {
        filled["data"][key] = value.into();
    }
    meta::annotate(&mut filled, ACCOUNT_NAME, meta::name(account));
    meta::annotate(&mut filled, ACCOUNT_UID, meta::uid(account));
    Ok(Action::Fill(filled))
}

async fn tend(context: &Context, secret: Value) -> Result<(), Error> {
    let (world, namespace, name) = (&*context.world, meta::namespace(&secret), meta::name(&secret));
    if !is_token(&secret) || meta::deletion_timestamp(&secret).is_some() {
        return Ok(());
    }
    let named = meta::annotation(&secret, ACCOUNT_NAME).unwrap_or("");
    let account = found(world.get(&accounts(), namespace, named).await, "read service account")?;
    let sign = |account: &Value| (context.sign)((namespace, meta::name(account), meta::uid(account)), name);
    match decide(&secret, account.as_ref(), &context.root_ca, sign).map_err(Error::Other)? {
        Action::Nothing => Ok(()),
        Action::Fill(filled) => settled(world.update(&secrets(), "", filled).await, "update secret"),
        Action::Delete => {
            let options = DeleteOptions { uid: Some(meta::uid(&secret).to_owned()), ..DeleteOptions::default() };
            match world.delete(&secrets(), namespace, name, options).await {
                Err(status) if !matches!(status.code, 404 | 409) => Err(step("delete secret")(status)),
                _ => Ok(()),
            }
        }
    }
}

/// Takes a Secret that is gone out of the lists of accounts.
async fn unlist(world: &dyn World, namespace: &str, name: &str) -> Result<(), Error> {
    let (all, _) = world.list(&accounts(), namespace, "").await.map_err(step("list service accounts"))?;
    for mut account in all {
        let Some(listed) = account.get_mut("secrets").and_then(Value::as_array_mut) else { continue };
        let before = listed.len();
        listed.retain(|one| one.get("name").and_then(Value::as_str) != Some(name));
        if listed.len() < before {
            settled(world.update(&accounts(), "", account).await, "update service account")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::json::json;

    use super::*;
    use crate::tests::context;
    use crate::world::Fake;

    fn secret(uid: &str) -> Value {
        let annotations = json!({(ACCOUNT_NAME): "builder", (ACCOUNT_UID): uid});
        json!({"metadata": {"namespace": "shop", "name": "t", "uid": "s-1", "annotations": annotations}, "type": TYPE})
    }

    #[tokio::test]
    async fn secrets_are_filled_once() {
        let (context, world) = context(Fake::new(&[]));
        world.seed("v1/serviceaccounts", json!({"metadata": {"namespace": "shop", "name": "builder", "uid": "u-1"}}));
        world.seed("v1/secrets", secret(""));
        reconcile(&context, "shop/t").await.unwrap();
        let filled = world.peek("v1/secrets", "shop", "t").unwrap();
        let text = |key: &str| String::from_utf8(STANDARD.decode(filled["data"][key].as_str().unwrap()).unwrap()).unwrap();
        assert_eq!([text("ca.crt"), text("namespace"), text("token")], ["ROOT", "shop", "shop builder u-1 t"]);
        assert_eq!(meta::annotation(&filled, ACCOUNT_UID), Some("u-1"));
        world.take_log();
        reconcile(&context, "shop/t").await.unwrap();
        assert!(world.take_log().is_empty());
    }

    #[tokio::test]
    async fn what_belongs_to_nobody_goes() {
        let (context, world) = context(Fake::new(&[]));
        world.seed("v1/serviceaccounts", json!({"metadata": {"namespace": "shop", "name": "builder", "uid": "u-2"}, "secrets": [{"name": "t"}, {"name": "other"}]}));
        world.seed("v1/secrets", secret("u-1"));
        world.seed("v1/secrets", json!({"metadata": {"namespace": "shop", "name": "opaque"}, "type": "Opaque"}));
        reconcile(&context, "shop//builder").await.unwrap();
        assert_eq!(world.take_log(), ["delete secrets shop/t"]);
        reconcile(&context, "shop/t").await.unwrap();
        assert_eq!(world.peek("v1/serviceaccounts", "shop", "builder").unwrap()["secrets"], json!([{"name": "other"}]));
    }
}
