//! `gatehouse policy rollback`: takes a candidate back, or the last promotion.

use model::json::{Value, json};

use super::arguments::Arguments;
use super::live::Live;
use super::{Outcome, rollout};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let live = Live::read(arguments)?;
    if !live.spec("candidate").is_null() {
        live.change(&[("candidate", Value::Null)], live.previous().as_ref())?;
        println!("{}: the candidate is taken back; what was in force stays", live.name());
        return Ok(());
    }
    let none = || format!("{} has no candidate, and no promotion by gatehouse policy rollout to take back", live.name());
    let previous = live.previous().ok_or_else(none)?;
    let now = json!({"module": live.spec("module"), "settings": live.spec("settings")});
    let fields = [("module", previous["module"].clone()), ("settings", previous["settings"].clone())];
    let changed = live.change(&fields, Some(&now))?;
    println!("{}: {}", live.name(), rollout::told(&changed, "in force again"));
    Ok(())
}
