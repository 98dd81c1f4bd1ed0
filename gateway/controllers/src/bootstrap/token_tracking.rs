//! Since when the use of service-account Secrets' tokens is noted, as a ConfigMap: who cleans up unused ones
//! (`legacy-serviceaccount-token-cleaner-controller`) takes none for unused before. Does not note it (`server`).
//! Follows `pkg/controlplane/controller/legacytokentracking`.

use model::json::json;
use model::{GroupVersionResource, Value, World, meta};

use crate::feed::Change;
use crate::runtime::{Error, step};

const NAMESPACE: &str = "kube-system";
const NAME: &str = "kube-apiserver-legacy-service-account-token-tracking";
const SINCE: &str = "since";
const DATE: &str = "%Y-%m-%d";

/// Whether a change is one of the map.
pub(super) fn concerns(change: &Change<'_>) -> bool {
    (meta::namespace(change.object), meta::name(change.object)) == (NAMESPACE, NAME)
}

/// Makes the map where it is missing, and gives it today's date where it has none. Whoever else wrote it meanwhile did so too.
pub(super) async fn ensure(world: &dyn World, now: jiff::Timestamp) -> Result<(), Error> {
    let maps = GroupVersionResource::new("", "v1", "configmaps");
    let today = now.strftime(DATE).to_string();
    let written = match world.get(&maps, NAMESPACE, NAME).await {
        Ok(map) if has_date(&map) => return Ok(()),
        Ok(mut map) => {
            map["data"][SINCE] = today.into();
            world.update(&maps, "", map).await
        }
        Err(status) if status.code == 404 => {
            let metadata = json!({"name": NAME, "namespace": NAMESPACE});
            let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {SINCE: today}});
            world.create(&maps, NAMESPACE, map).await
        }
        Err(status) => return Err(step("read config map")(status)),
    };
    match written {
        Err(status) if !matches!(status.code, 404 | 409) => Err(step("write config map")(status)),
        _ => Ok(()),
    }
}

fn has_date(map: &Value) -> bool {
    map["data"][SINCE].as_str().is_some_and(|text| jiff::civil::Date::strptime(DATE, text).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::context;
    use crate::world::Fake;

    #[tokio::test]
    async fn the_first_day_is_kept_and_what_is_no_day_is_replaced() {
        let (context, world) = context(Fake::new(&[]));
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let since = || world.peek("v1/configmaps", NAMESPACE, NAME).unwrap()["data"][SINCE].clone();
        for _ in 0..2 {
            ensure(&*context.world, at("2026-11-28T23:59:59Z")).await.unwrap();
            assert_eq!(since(), "2026-11-28");
        }
        ensure(&*context.world, at("2026-11-30T00:00:00Z")).await.unwrap();
        assert_eq!(since(), "2026-11-28");
        for spoilt in [json!({SINCE: "yesterday"}), Value::Null] {
            let mut map = world.peek("v1/configmaps", NAMESPACE, NAME).unwrap();
            map["data"] = spoilt;
            world.seed("v1/configmaps", map);
            ensure(&*context.world, at("2026-12-01T00:00:00Z")).await.unwrap();
            assert_eq!(since(), "2026-12-01");
        }
    }
}
