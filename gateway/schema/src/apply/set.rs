//! A set of paths: a tree of sorted steps, each of which may be a member, have members below it, or both.
//! Follows `fieldpath/set.go`, which keeps members and children apart; nothing here differs by that. A step that is neither
//! is never kept.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::slice::Iter;

use super::Element;

/// A set of paths into an object; the object itself is never a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    pub(super) steps: Vec<Step>,
}

/// One step of a [`Set`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it leads.
    pub element: Element,
    /// Whether the path that ends here belongs to the set.
    pub member: bool,
    /// What belongs to it below.
    pub below: Set,
}

impl Step {
    fn is_needed(&self) -> bool {
        self.member || !self.below.is_empty()
    }
}

static NOTHING: Set = Set { steps: Vec::new() };

impl Set {
    /// The set of one path of fields: `metadata.name`.
    pub fn of_fields(path: &str) -> Self {
        let mut set = Self::default();
        let path: Vec<Element> = path.split('.').map(Element::field).collect();
        set.insert(&path);
        set
    }

    /// Whether nothing belongs to it.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Adds a path, not what leads to it.
    pub fn insert(&mut self, path: &[Element]) {
        let Some((last, way)) = path.split_last() else { return };
        let mut at = self;
        for element in way {
            at = &mut at.step(element).below;
        }
        at.step(last).member = true;
    }

    /// The step to an element, made when it is not there.
    pub(super) fn step(&mut self, element: &Element) -> &mut Step {
        let at = match self.find(element) {
            Ok(at) => at,
            Err(at) => {
                self.steps.insert(at, Step { element: element.clone(), member: false, below: Self::default() });
                at
            }
        };
        &mut self.steps[at]
    }

    /// Adds a step that comes after all others, or leads to where the last one does.
    fn put_last(&mut self, step: Step) {
        match self.steps.last_mut() {
            Some(last) if last.element == step.element => {
                last.member |= step.member;
                last.below = std::mem::take(&mut last.below).union(step.below);
            }
            _ => self.steps.push(step),
        }
    }

    fn find(&self, element: &Element) -> Result<usize, usize> {
        self.steps.binary_search_by(|step| step.element.cmp(element))
    }

    /// The step to an element, if there is one.
    pub(super) fn get(&self, element: &Element) -> Option<&Step> {
        self.find(element).ok().map(|at| &self.steps[at])
    }

    /// Whether a path belongs to it.
    pub fn has(&self, path: &[Element]) -> bool {
        let Some((last, way)) = path.split_last() else { return false };
        let end = way.iter().try_fold(self, |set, element| set.get(element).map(|step| &step.below));
        end.is_some_and(|set| set.is_member(last))
    }

    /// Whether the path of one element belongs to it.
    pub(super) fn is_member(&self, element: &Element) -> bool {
        self.get(element).is_some_and(|step| step.member)
    }

    /// What belongs to it below an element.
    pub(super) fn below(&self, element: &Element) -> &Set {
        self.get(element).map_or(&NOTHING, |step| &step.below)
    }

    /// How many paths belong to it.
    pub fn len(&self) -> usize {
        self.steps.iter().map(|step| usize::from(step.member) + step.below.len()).sum()
    }

    /// What belongs to either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        if self.is_empty() || other.is_empty() {
            return if self.is_empty() { other } else { self };
        }
        let mut steps = Vec::with_capacity(self.steps.len() + other.steps.len());
        let (mut left, mut right) = (self.steps.into_iter().peekable(), other.steps.into_iter().peekable());
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            match a.element.cmp(&b.element) {
                Ordering::Less => steps.extend(left.next()),
                Ordering::Greater => steps.extend(right.next()),
                Ordering::Equal => steps.extend(left.next().zip(right.next()).map(|(a, b)| Step {
                    element: a.element,
                    member: a.member || b.member,
                    below: a.below.union(b.below),
                })),
            }
        }
        steps.extend(left);
        steps.extend(right);
        Self { steps }
    }

    /// What belongs to both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut other = other.steps.iter().peekable();
        let common = self.steps.iter().filter_map(|left| {
            let right = advance(&mut other, &left.element)?;
            let (member, below) = (left.member && right.member, left.below.intersection(&right.below));
            Some(Step { element: left.element.clone(), member, below })
        });
        Self { steps: common.filter(Step::is_needed).collect() }
    }

    /// What belongs to it but not to the other. A parent in the other takes no child away.
    #[must_use]
    pub fn difference(mut self, other: &Self) -> Self {
        self.reduce(other, |left, right| {
            left.member &= !right.member;
            left.below = std::mem::take(&mut left.below).difference(&right.below);
        });
        self
    }

    /// What belongs to it but not to the other, nor lies below a member of the other.
    #[must_use]
    pub fn recursive_difference(mut self, other: &Self) -> Self {
        self.reduce(other, |left, right| {
            let below = std::mem::take(&mut left.below);
            left.member &= !right.member;
            if !right.member {
                left.below = below.recursive_difference(&right.below);
            }
        });
        self
    }

    /// Whether nothing belongs to it that does not belong to the other.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let mut other = other.steps.iter().peekable();
        self.steps.iter().all(|left| {
            advance(&mut other, &left.element)
                .is_some_and(|right| (right.member || !left.member) && left.below.is_within(&right.below))
        })
    }

    /// Changes the steps that the other has too, and drops those of which nothing is left.
    fn reduce(&mut self, other: &Self, change: impl Fn(&mut Step, &Step)) {
        let mut other = other.steps.iter().peekable();
        self.steps.retain_mut(|left| {
            if let Some(right) = advance(&mut other, &left.element) {
                change(left, right);
            }
            left.is_needed()
        });
    }

    /// Whether anything belongs to both.
    pub fn intersects(&self, other: &Self) -> bool {
        let mut other = other.steps.iter().peekable();
        self.steps.iter().any(|left| {
            advance(&mut other, &left.element)
                .is_some_and(|right| left.member && right.member || left.below.intersects(&right.below))
        })
    }

    /// Calls with every path that belongs to it: the members of a level before those below.
    pub fn each(&self, call: &mut impl FnMut(&[Element])) {
        self.each_under(&mut Vec::new(), call);
    }

    fn each_under(&self, way: &mut Vec<Element>, call: &mut impl FnMut(&[Element])) {
        for step in self.steps.iter().filter(|step| step.member) {
            way.push(step.element.clone());
            call(way);
            way.pop();
        }
        for step in self.steps.iter().filter(|step| !step.below.is_empty()) {
            way.push(step.element.clone());
            step.below.each_under(way, call);
            way.pop();
        }
    }
}

impl FromIterator<Step> for Set {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        let mut steps: Vec<Step> = steps.into_iter().filter(Step::is_needed).collect();
        // A client's order may be any: each step put in its place would move all behind it.
        if !steps.is_sorted_by(|a, b| a.element < b.element) {
            steps.sort_by(|a, b| a.element.cmp(&b.element));
            let mut set = Self { steps: Vec::with_capacity(steps.len()) };
            steps.into_iter().for_each(|step| set.put_last(step));
            return set;
        }
        Self { steps }
    }
}

/// The step of a sorted row to an element that comes after those asked for before.
fn advance<'a>(steps: &mut Peekable<Iter<'a, Step>>, element: &Element) -> Option<&'a Step> {
    loop {
        match steps.peek()?.element.cmp(element) {
            Ordering::Less => drop(steps.next()),
            Ordering::Equal => return steps.next(),
            Ordering::Greater => return None,
        }
    }
}

/// A path for people: `.spec.containers[name="a"].image`.
pub(super) fn path_text(path: &[Element]) -> String {
    path.iter().map(ToString::to_string).collect()
}
