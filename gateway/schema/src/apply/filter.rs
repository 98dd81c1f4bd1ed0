//! Fields that a write through a resource or subresource never sets, because its strategy resets them: nobody comes to own
//! them by it. Follows `fieldpath.Filter`.

use super::Set;

/// Which fields count.
#[derive(Clone, Debug, Default)]
pub enum Filter {
    /// All.
    #[default]
    All,
    /// All but these and what is below them.
    Except(Set),
}

impl Filter {
    /// All but these paths of fields, spelt `metadata.labels`.
    pub fn except<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let set = paths.into_iter().fold(Set::default(), |all, path| all.union(Set::of_fields(path)));
        if set.is_empty() { Self::All } else { Self::Except(set) }
    }

    /// What counts of a set.
    pub(super) fn apply(&self, set: Set) -> Set {
        match self {
            Self::All => set,
            Self::Except(fields) => set.recursive_difference(fields),
        }
    }
}
