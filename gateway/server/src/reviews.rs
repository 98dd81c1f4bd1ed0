//! Reviews: resources that are only asked and answered, never stored. A table; each file below is one of them.

use crate::row::Row;
use crate::subresources::Serve;

/// Group, plural, how it is served.
static ALL: &[(&str, &str, Serve)] = &[];

/// The function that serves a review.
pub fn of(row: &Row) -> Option<Serve> {
    let gvr = row.gvr();
    ALL.iter().find(|(group, plural, _)| *group == &*gvr.group && *plural == &*gvr.resource).map(|(.., serve)| *serve)
}
