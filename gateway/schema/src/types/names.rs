//! Finds a struct's field by its JSON name: a table of places, made when the types are read. Names are looked up several times for
//! each field of each object that is written, by a sorted list a tenth of what such a write cost.

/// A slot without a field.
const EMPTY: u16 = u16::MAX;

/// Places of fields by name, at least half of the slots empty.
#[derive(Debug, Default)]
pub(super) struct Names(Box<[u16]>);

impl Names {
    /// Of the first of equal names, if there are any.
    pub(super) fn of(names: &[&str]) -> Self {
        let mut slots = vec![EMPTY; (names.len() * 2).next_power_of_two()].into_boxed_slice();
        for (at, name) in names.iter().enumerate() {
            let free = probe(slots.len(), name).find(|slot| slots[*slot] == EMPTY);
            // Half of the slots are free.
            slots[free.unwrap_or_default()] = at as u16;
        }
        Self(slots)
    }

    /// The place of a name; `name_at` tells the names that [`Names::of`] was given.
    pub(super) fn find<'a>(&self, name: &str, name_at: impl Fn(usize) -> &'a str) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        for slot in probe(self.0.len(), name) {
            match self.0[slot] {
                EMPTY => return None,
                at if name_at(usize::from(at)) == name => return Some(usize::from(at)),
                _ => {}
            }
        }
        None
    }
}

/// The slots in which a name may be, in order. Clients choose the names that are looked up, not those in the table, so nothing is
/// won by making them collide.
fn probe(slots: usize, name: &str) -> impl Iterator<Item = usize> {
    let bytes = name.as_bytes();
    let byte = |at: usize| bytes.get(at).map_or(0, |b| u32::from(*b));
    // Field names of one struct differ in their length or in one of these.
    let word = byte(0) | byte(bytes.len() / 2) << 8 | byte(bytes.len().wrapping_sub(1)) << 16 | byte(bytes.len() / 4) << 24;
    let start = (word ^ bytes.len() as u32).wrapping_mul(0x9e37_79b1) >> 16;
    (0..slots).map(move |step| (start as usize + step) & (slots - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        let names = ["a", "b", "ab", "ba", "name", "mane", "namespace", "metadata", "Name", ""];
        let index = Names::of(&names);
        for (at, name) in names.iter().enumerate() {
            assert_eq!(index.find(name, |at| names[at]), Some(at), "{name}");
        }
        for other in ["c", "names", "eman", "metadatA"] {
            assert_eq!(index.find(other, |at| names[at]), None, "{other}");
        }
        assert_eq!(Names::default().find("a", |_| ""), None);
        assert_eq!(Names::of(&[]).find("a", |_| ""), None);
    }
}
