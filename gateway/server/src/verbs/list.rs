//! Reads many objects from one snapshot, piece by piece: the list is never whole in memory.
//! Follows `k8s.io/apiserver/pkg/storage` for revisions, limits and continue tokens.

use std::borrow::Cow;
use std::iter;
use std::sync::Arc;

use codec::shape::ListMeta;
use jiff::Timestamp;
use model::{Revision, Status};
use schema::proto;
use schema::types::Types;
use store::{Entry, ResourceCache, Snapshot};

use crate::answer::{Answer, Content};
use crate::call::Call;
use crate::continuation::{self, Continuation};
use crate::conversion;
use crate::gate::Gate;
use crate::options::list::{ListOptions, Match};
use crate::options::parse_revision;
use crate::respond::{Part, Shape};
use crate::row::Row;
use crate::select::Selection;
use crate::unread;

/// Objects taken from the snapshot at once.
const PAGE_ENTRIES: usize = 256;

/// The type of a list's metadata.
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

/// The objects to show and what is said of them.
pub struct Listing {
    row: Row,
    meta: ListMeta,
    source: Source,
}

enum Source {
    /// A page that was limited, or a set chosen otherwise.
    Chosen(std::vec::IntoIter<Arc<Entry>>),
    /// Everything selected in a snapshot.
    Snapshot {
        snapshot: Snapshot,
        selection: Selection,
        page: std::vec::IntoIter<Arc<Entry>>,
        after: Option<String>,
        start: String,
    },
}

/// Serves a list.
pub(super) async fn run(gate: &Arc<Gate>, call: &Call, row: &Row) -> Result<Answer, Status> {
    let mut options = ListOptions::parse(&call.query, &call.info)?;
    let selection = Selection::new(row, &call.info.namespace, &mut options)?;
    let resource = gate.store_of(row).resource(row.prefix());
    let start = start(gate, row, &resource, &selection, &options).await?;
    let whole = is_whole(&options);
    if start.snapshot.unread().next().is_some() {
        start.refuse_unread(row, &selection, &options, whole)?;
    }
    let listing = if whole {
        start.all(row, selection)
    } else {
        let (meta, page) = start.page(row, &selection, &options, &resource);
        Listing { row: row.clone(), meta, source: Source::Chosen(page.into_iter()) }
    };
    Ok(Answer::new(200, Content::List(Box::new(listing))))
}

/// The objects that a delete of many is about, and the answer that shows them: upstream lists, and deletes what it has seen.
pub(super) async fn chosen(
    gate: &Gate,
    row: &Row,
    selection: &Selection,
    options: &ListOptions,
) -> Result<(Vec<Arc<Entry>>, Listing), Status> {
    let resource = gate.store_of(row).resource(row.prefix());
    let start = start(gate, row, &resource, selection, options).await?;
    unread::refuse_page(&row.group_resource(), start.snapshot.range("", &selection.under))?;
    let options = ListOptions { limit: if is_whole(options) { usize::MAX } else { options.limit }, ..options.clone() };
    let (meta, page) = start.page(row, selection, &options, &resource);
    Ok((page.clone(), Listing { row: row.clone(), meta, source: Source::Chosen(page.into_iter()) }))
}

/// Whether everything is shown at once. A list from any revision is served from memory, which upstream's cache does not cut into
/// pages.
fn is_whole(options: &ListOptions) -> bool {
    options.limit == 0 || options.resource_version == "0" && options.continue_token.is_empty()
}

/// From where a list is read.
struct Start {
    snapshot: Snapshot,
    /// First key to show; empty means the first there is.
    key: String,
    /// The revision that the next page's token names; `None` means whatever is latest then.
    pinned: Option<Revision>,
}

async fn start(
    gate: &Gate,
    row: &Row,
    resource: &ResourceCache,
    selection: &Selection,
    options: &ListOptions,
) -> Result<Start, Status> {
    if !options.continue_token.is_empty() {
        return resume(gate, row, resource, selection, options).await;
    }
    if !is_exact(options) {
        super::arrival(gate, resource, parse_revision(&options.resource_version)?).await;
    }
    let wanted = parse_revision(&options.resource_version)?;
    if is_exact(options) {
        told(gate, row, resource, wanted).await?;
    }
    let latest = resource.snapshot();
    if wanted > latest.revision() {
        return Err(Status::too_large_revision(wanted, latest.revision()));
    }
    // A zero that is spelt otherwise passes for a revision, and names none.
    let snapshot = if is_exact(options) && wanted > 0 {
        let expired = || Status::expired("The resourceVersion for the provided list is too old.");
        past(gate, row, resource, wanted).await?.ok_or_else(expired)?
    } else {
        latest
    };
    let pinned = Some(snapshot.revision());
    Ok(Start { snapshot, key: String::new(), pinned })
}

/// That a revision is one that somebody can have been told: by another server perhaps, on the same storage.
async fn told(gate: &Gate, row: &Row, resource: &ResourceCache, wanted: Revision) -> Result<(), Status> {
    if wanted > resource.revision() {
        let failed = |error| gate.store_failed(&row.group_resource(), "list", &error);
        gate.store_of(row).fresh(resource.prefix()).await.map_err(failed)?;
    }
    let latest = resource.revision();
    if wanted > latest { Err(Status::too_large_revision(wanted, latest)) } else { Ok(()) }
}

/// Whether the list is wanted as it was at one revision. Before `resourceVersionMatch` a limited list with a revision meant that.
fn is_exact(options: &ListOptions) -> bool {
    let names_one = !matches!(options.resource_version.as_str(), "" | "0");
    options.resource_version_match == Some(Match::Exact)
        || options.resource_version_match.is_none() && options.limit > 0 && names_one
}

/// The resource as it was, if anybody still knows.
async fn past(gate: &Gate, row: &Row, resource: &ResourceCache, revision: Revision) -> Result<Option<Snapshot>, Status> {
    let found = gate.store_of(row).snapshot_at(resource, revision).await;
    found.map_err(|error| gate.store_failed(&row.group_resource(), "list", &error))
}

async fn resume(
    gate: &Gate,
    row: &Row,
    resource: &ResourceCache,
    selection: &Selection,
    options: &ListOptions,
) -> Result<Start, Status> {
    let continuation = continuation::decode(&options.continue_token, &selection.under)?;
    if !matches!(options.resource_version.as_str(), "" | "0") {
        return Err(Status::bad_request("specifying resource version is not allowed when using continue"));
    }
    let snapshot = match continuation.revision {
        None => resource.snapshot(),
        Some(revision) => {
            told(gate, row, resource, revision).await?;
            let expired = || continuation::expired(&continuation, &selection.under);
            past(gate, row, resource, revision).await?.ok_or_else(expired)?
        }
    };
    let Continuation { revision: pinned, key } = continuation;
    Ok(Start { snapshot, key, pinned })
}

impl Start {
    fn all(self, row: &Row, selection: Selection) -> Listing {
        let meta = ListMeta { resource_version: self.snapshot.revision().to_string(), ..ListMeta::default() };
        let source =
            Source::Snapshot { snapshot: self.snapshot, selection, page: Vec::new().into_iter(), after: None, start: self.key };
        Listing { row: row.clone(), meta, source }
    }

    /// Upstream reads pages from etcd where its cache cannot, and fails those that would hold what cannot be read; all else it
    /// refuses.
    fn refuse_unread(&self, row: &Row, selection: &Selection, options: &ListOptions, whole: bool) -> Result<(), Status> {
        let of_etcd = !options.continue_token.is_empty() || selection.everything && !whole;
        if !of_etcd {
            return unread::refuse(&row.group_resource(), &self.snapshot);
        }
        let mut left = options.limit;
        let page = self.snapshot.range(&self.key, &selection.under).take_while(|entry| {
            let wanted = left > 0 || options.limit == 0;
            left -= usize::from(wanted && left > 0 && entry.unread().is_none() && selection.matches(entry));
            wanted
        });
        unread::refuse_page(&row.group_resource(), page)
    }

    /// A page and what is said of it.
    fn page(
        self,
        row: &Row,
        selection: &Selection,
        options: &ListOptions,
        resource: &ResourceCache,
    ) -> (ListMeta, Vec<Arc<Entry>>) {
        let mut rest = self.snapshot.range(&self.key, &selection.under);
        let chosen: Vec<Arc<Entry>> =
            rest.by_ref().filter(|entry| selection.matches(entry)).take(options.limit).cloned().collect();
        let mut meta = ListMeta { resource_version: self.snapshot.revision().to_string(), ..ListMeta::default() };
        // As upstream: a full page goes on when anything follows, whether it is selected or not.
        // A list of one name is a read of its key, after which nothing comes.
        let single = options.fields.exact("metadata.name").is_some() && (!row.is_namespaced() || selection.under != row.prefix());
        let full = chosen.last().filter(|_| chosen.len() == options.limit && !single);
        if let (Some(last), Some(_)) = (full, rest.next()) {
            meta.continue_token = continuation::after(last.key.as_str(), &selection.under, self.pinned);
            // One more was taken to see whether there is more; only without selectors is the rest known without judging it.
            meta.remaining = selection.everything.then(|| 1 + rest.count() as i64);
            resource.pin(&self.snapshot);
        }
        (meta, chosen)
    }
}

impl Listing {
    /// The same with objects in the version of the request, where somebody must be asked to convert them.
    pub(crate) async fn converted(mut self, gate: &Gate) -> Result<Self, Status> {
        if !self.row.asks_converter() {
            return Ok(self);
        }
        let entries = iter::from_fn(|| self.source.next()).collect();
        let converted = conversion::entries(gate, &self.row, entries).await?;
        Ok(Self { row: self.row.of_converted(), meta: self.meta, source: Source::Chosen(converted.into_iter()) })
    }

    /// What is listed.
    pub(crate) fn row(&self) -> &Row {
        &self.row
    }

    /// The answer in its parts.
    pub(crate) fn parts(self, shape: Shape, now: Timestamp) -> impl Iterator<Item = Part> + Send {
        let Self { row, meta, mut source } = self;
        let mut marked = None;
        if matches!(shape, Shape::Table(..)) && row.marks() {
            let entries: Vec<Arc<Entry>> = iter::from_fn(|| source.next()).collect();
            marked = row.marked(&entries);
            source = Source::Chosen(entries.into_iter());
        }
        let mut head = shape.list_head(&row, &meta);
        let first = source.next();
        if first.is_none() {
            shape.close_empty(&row, &meta, &mut head);
        }
        let tail = first.is_some().then(|| text(shape.list_tail(&row, &meta)));
        let form = row.rendered_form().compressed();
        let entries = first.into_iter().chain(iter::from_fn(move || source.next()));
        let objects = entries.map(move |entry| match shape {
            Shape::Plain => Part::Object(row.body(&entry), entry, form),
            _ => {
                let mut out = Vec::new();
                shape.item(&row, &entry, now, marked.as_deref(), &mut out);
                text(out)
            }
        });
        let separated = objects.enumerate().flat_map(|(n, object)| {
            let comma = (n > 0).then_some(Part::Text(Cow::Borrowed(b",")));
            comma.into_iter().chain([object])
        });
        iter::once(text(head)).chain(separated).chain(tail)
    }

    /// The answer as protobuf in its parts, plain or as partial metadata. Its head tells how long all of it is, so every item is
    /// rendered before the first byte goes out; the renderings are those that the cache keeps.
    pub(crate) fn messages(self, types: &Types, shape: &Shape) -> impl Iterator<Item = Part> + Send + use<> {
        let Self { row, meta, mut source } = self;
        let is_partial = matches!(shape, Shape::Partial(_));
        let message = if is_partial { Row::metadata_message } else { Row::message };
        let items: Vec<_> = iter::from_fn(|| source.next()).map(|entry| (message(&row, &entry), entry)).collect();
        let items_bytes = items.iter().map(|(message, _)| proto::item_bytes(message.len())).sum();
        let meta = types.by_name(LIST_META).map(|ty| proto::message(types, ty, &meta.to_value())).unwrap_or_default();
        let (api_version, kind) = shape.list_type(&row);
        let head = proto::list_head(&api_version, kind, &meta, items_bytes);
        let form = row.protobuf_form().compressed();
        let items = items.into_iter().flat_map(move |(message, entry)| {
            let head = text(proto::item_head(message.len()));
            [head, if is_partial { text(message.into()) } else { Part::Object(message, entry, form) }]
        });
        iter::once(text(head)).chain(items).chain([Part::Text(Cow::Borrowed(proto::LIST_TAIL))])
    }
}

fn text(bytes: Vec<u8>) -> Part {
    Part::Text(Cow::Owned(bytes))
}

impl Source {
    fn next(&mut self) -> Option<Arc<Entry>> {
        match self {
            Self::Chosen(entries) => entries.next(),
            Self::Snapshot { snapshot, selection, page, after, start } => loop {
                for entry in page.by_ref() {
                    if selection.matches(&entry) {
                        return Some(entry);
                    }
                }
                let next = match after.as_deref() {
                    None => snapshot.range(start, &selection.under).take(PAGE_ENTRIES).cloned().collect(),
                    Some(after) => snapshot.page(Some(after), &selection.under, PAGE_ENTRIES),
                };
                *after = Some(next.last()?.key.as_str().to_owned());
                *page = next.into_iter();
            },
        }
    }
}
