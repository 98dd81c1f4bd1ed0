//! `gatehouse policy rollback`: takes a candidate back, or the last promotion.

use serde_json::{Value, json};

use super::Outcome;
use super::arguments::Arguments;
use super::live::Live;
use super::rollout::replaced;

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let live = Live::read(arguments)?;
    if !live.spec("candidate").is_null() {
        live.change(&json!({"candidate": null}), live.previous().as_ref())?;
        println!("{}: the candidate is taken back; what was in force stays", live.name());
        return Ok(());
    }
    let none = || format!("{} has no candidate, and no promotion by gatehouse policy rollout to take back", live.name());
    let previous = live.previous().ok_or_else(none)?;
    let now = json!({"module": live.spec("module"), "settings": live.spec("settings")});
    let spec = json!({
        "module": previous["module"],
        "settings": match &previous["settings"] {
            Value::Null => Value::Null,
            settings => replaced(live.spec("settings"), settings),
        },
    });
    let changed = live.change(&spec, Some(&now))?;
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    println!(
        "{}: {} is in force again, revision {}",
        live.name(),
        text(&previous["module"]),
        text(&changed["status"]["revision"])
    );
    Ok(())
}
