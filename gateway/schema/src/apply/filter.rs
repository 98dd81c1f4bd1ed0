//! Fields that a write through a resource or subresource never sets, because its strategy resets them: nobody comes to own
//! them by it. Follows `fieldpath.Filter`.

use super::{Element, Set};

/// Which fields count.
#[derive(Clone, Debug, Default)]
pub enum Filter {
    /// All.
    #[default]
    All,
    /// All but these and what is below them.
    Except(Set),
    /// These and what is below them only.
    Only(Vec<Vec<Step>>),
}

/// A step of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// This element.
    Is(Element),
    /// Any element.
    Any,
}

impl Filter {
    /// All but these paths of fields, spelt `metadata.labels`.
    pub fn except<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let set = paths.into_iter().fold(Set::default(), |all, path| all.union(Set::of_fields(path)));
        if set.is_empty() { Self::All } else { Self::Except(set) }
    }

    /// Only what is at or below these paths, spelt `spec.containers.*.resources`.
    pub fn only(paths: &[&str]) -> Self {
        let step = |word| if word == "*" { Step::Any } else { Step::Is(Element::field(word)) };
        Self::Only(paths.iter().map(|path| path.split('.').map(step).collect()).collect())
    }

    /// What counts of a set.
    pub(super) fn apply(&self, set: Set) -> Set {
        match self {
            Self::All => set,
            Self::Except(fields) => set.recursive_difference(fields),
            Self::Only(patterns) => {
                let patterns: Vec<&[Step]> = patterns.iter().map(Vec::as_slice).collect();
                only(&set, &patterns)
            }
        }
    }
}

/// A path that leads to a pattern's end but no further counts too, as upstream has it: `spec` of `spec.containers`.
fn only(set: &Set, patterns: &[&[Step]]) -> Set {
    let kept = set.steps.iter().filter_map(|step| {
        let fits = |pattern: &&&[Step]| match pattern.first() {
            Some(Step::Any) => true,
            Some(Step::Is(element)) => *element == step.element,
            None => false,
        };
        let matching: Vec<&[Step]> = patterns.iter().filter(fits).map(|pattern| &pattern[1..]).collect();
        if matching.is_empty() {
            return None;
        }
        let whole = matching.iter().any(|rest| rest.is_empty());
        let below = if whole { step.below.clone() } else { only(&step.below, &matching) };
        Some(super::Step { element: step.element.clone(), member: step.member, below })
    });
    kept.collect()
}
