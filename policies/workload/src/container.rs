//! The three lists of containers of a Pod. Knows nothing of what is in one.

use std::fmt;

use gatehouse_policy::serde::Deserialize;

use crate::nullable;

/// A Pod's containers; `C` is the part of one that a policy reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", crate = "gatehouse_policy::serde", bound = "C: Deserialize<'de>")]
pub struct Containers<C> {
    /// Those that run first.
    #[serde(default, deserialize_with = "nullable")]
    pub init_containers: Vec<C>,
    /// Those that run.
    #[serde(default, deserialize_with = "nullable")]
    pub containers: Vec<C>,
    /// Those that somebody added to look inside.
    #[serde(default, deserialize_with = "nullable")]
    pub ephemeral_containers: Vec<C>,
}

/// Which container: `containers[0]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The list's field.
    pub list: &'static str,
    /// Its place there.
    pub index: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.list, self.index)
    }
}

impl<C> Containers<C> {
    /// Every container with its place: first those that run first.
    pub fn each(&self) -> impl Iterator<Item = (Place, &C)> {
        each(&self.init_containers, &self.containers, &self.ephemeral_containers)
    }
}

/// Every container of three lists with its place, for who has the lists in a structure of its own.
pub fn each<'a, C>(init: &'a [C], containers: &'a [C], ephemeral: &'a [C]) -> impl Iterator<Item = (Place, &'a C)> {
    let lists = [("initContainers", init), ("containers", containers), ("ephemeralContainers", ephemeral)];
    lists.into_iter().flat_map(|(list, items)| items.iter().enumerate().map(move |(index, item)| (Place { list, index }, item)))
}
