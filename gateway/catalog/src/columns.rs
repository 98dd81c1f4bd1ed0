//! The cells that `kubectl get` shows: one function a kind, one file a family. Names, types and priorities of the columns
//! are data (`data/columns.txt`); only the values are computed here. Does not build the Table (`codec`).
//!
//! A file has `pub(super) const ALL: Rows = &[("", "Pod", pod), …]` and one line in [`FAMILIES`].

use std::sync::LazyLock;

use codec::partial::Fields;
use jiff::Timestamp;
use model::Value;

mod access;
mod autoscaling;
mod cell;
mod core;
mod device;
mod extension;
mod network;
mod pod;
mod policy;
mod storage;
mod workload;

pub(crate) use cell::since;

/// Computes the cells of one object, one per column of the kind in order. `now` is what ages are counted from.
pub type Cells = fn(&Value, now: Timestamp) -> Vec<Value>;

/// Group, kind, cells.
pub type Rows = &'static [(&'static str, &'static str, Cells)];

static FAMILIES: &[Rows] = &[
    access::ALL,
    autoscaling::ALL,
    core::ALL,
    device::ALL,
    extension::ALL,
    network::ALL,
    pod::ALL,
    policy::ALL,
    storage::ALL,
    workload::ALL,
];

/// Says of a row that its object is done, so that clients may leave it out; null where there is nothing to say.
pub type Conditions = fn(&Value) -> Value;

/// The conditions of a kind's rows; only pods have some.
pub fn conditions(group: &str, kind: &str) -> Option<Conditions> {
    (group.is_empty() && kind == "Pod").then_some(pod::conditions)
}

/// What the cells and conditions of a kind are made of, where its objects hold far more than that.
static READS: LazyLock<[(&str, &str, Fields); 2]> =
    LazyLock::new(|| [("", "Node", Fields::new(core::NODE_READS)), ("", "Pod", Fields::new(pod::READS))]);

/// What must be read of an object for its cells and conditions: of most kinds everything.
pub fn reads(group: &str, kind: &str) -> &'static Fields {
    static ALL: Fields = Fields::ALL;
    READS.iter().find(|(g, k, _)| *g == group && *k == kind).map_or(&ALL, |(_, _, fields)| fields)
}

/// Of the objects of a list, the name of the one whose name is shown with a mark.
pub type Mark = fn(&[Value]) -> Option<String>;

/// Which object of a list is marked as the default; only storage classes have one.
pub fn mark(group: &str, kind: &str) -> Option<Mark> {
    (group == "storage.k8s.io" && kind == "StorageClass").then_some(storage::effective_default)
}

/// The cells of a kind, where it has columns of its own; the others show Name and Created At.
pub fn of(group: &str, kind: &str) -> Option<Cells> {
    FAMILIES.iter().flat_map(|rows| rows.iter()).find(|(g, k, _)| *g == group && *k == kind).map(|(_, _, cells)| *cells)
}

#[cfg(test)]
mod tests {
    use crate::upstream;

    use super::*;

    #[test]
    fn cells_are_the_same_of_what_is_read_for_them() {
        let now = Timestamp::UNIX_EPOCH;
        for (group, kind, fields) in &*READS {
            let cells = of(group, kind).unwrap();
            let json = std::fs::read(upstream::round_trip_data().join(format!("core.v1.{kind}.json"))).unwrap();
            let whole: Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(cells(&fields.read(&json).unwrap(), now), cells(&whole, now), "{group}/{kind}");
        }
    }
}
