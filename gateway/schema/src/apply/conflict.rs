//! What an apply patch would take from others, and how they are told. Follows `merge/conflict.go` and
//! `managedfields/internal/conflict.go`.

use model::Status;
use model::field::quote;
use model::status::{Cause, Details};

use super::managers::{Manager, Operation};
use super::set::path_text;
use super::{Element, Set};

/// A field that somebody else owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Who.
    pub manager: Manager,
    /// The field.
    pub path: Vec<Element>,
}

/// All of them, those of one owner together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflicts(pub Vec<Conflict>);

impl Conflicts {
    /// Of the fields that each owner would lose.
    pub(super) fn of(mut lost: Vec<(Manager, Set)>) -> Self {
        lost.sort_by(|a, b| a.0.order(&b.0));
        let mut all = Vec::new();
        for (manager, set) in lost {
            set.each(&mut |path| all.push(Conflict { manager: manager.clone(), path: path.to_vec() }));
        }
        Self(all)
    }

    /// Those about fields that are not in a set.
    pub(super) fn outside(self, set: &Set) -> Self {
        Self(self.0.into_iter().filter(|conflict| !set.has(&conflict.path)).collect())
    }

    /// The refusal.
    pub fn to_status(&self) -> Status {
        let cause = |conflict: &Conflict| Cause {
            reason: "FieldManagerConflict".to_owned(),
            message: format!("conflict with {}", who(&conflict.manager)),
            field: path_text(&conflict.path),
        };
        let causes = self.0.iter().map(cause).collect();
        Status::new(409, "Conflict", self.message()).with_details(Details { causes, ..Details::default() })
    }

    fn message(&self) -> String {
        if let [one] = &self.0[..] {
            return format!("Apply failed with 1 conflict: conflict with {}: {}", who(&one.manager), path_text(&one.path));
        }
        let mut lines = Vec::new();
        let mut last = None;
        for conflict in &self.0 {
            if last != Some(&conflict.manager) {
                lines.push(format!("conflicts with {}:", who(&conflict.manager)));
            }
            lines.push(format!("- {}", path_text(&conflict.path)));
            last = Some(&conflict.manager);
        }
        format!("Apply failed with {} conflicts: {}", self.0.len(), lines.join("\n"))
    }
}

fn who(manager: &Manager) -> String {
    let mut text = quote(&manager.name);
    if !manager.subresource.is_empty() {
        text.push_str(&format!(" with subresource {}", quote(&manager.subresource)));
    }
    if manager.operation == Operation::Update {
        text.push_str(&format!(" using {}", manager.api_version));
    }
    text
}
