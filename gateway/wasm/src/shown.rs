//! What a module is shown of a request: where the write goes, and what it says that it reads. The host withholds the rest, so
//! that it knows of two calls whether the module can tell one from the other. Keeps no answers (`admission`).

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use crate::bindings::validator::gatehouse::policy::types::{Metadata, Origin, Request, RequestPart, Timestamp};
use crate::imports::Grant;
use crate::policy::Call;

impl RequestPart {
    /// The word in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::Time => "time",
            Self::User => "user",
            Self::Origin => "origin",
            Self::Name => "name",
            Self::DryRun => "dry-run",
            Self::Options => "options",
        }
    }
}

/// What a module is shown of requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    uid: bool,
    time: bool,
    user: bool,
    origin: bool,
    name: bool,
    dry_run: bool,
    options: bool,
    /// It may hear of more than of the request.
    asks: bool,
}

impl Shown {
    /// By what the module says of itself and imports.
    pub(crate) fn of(metadata: &Metadata, imports: &[String]) -> Self {
        let reads = |part| metadata.reads_request.contains(&part);
        Self {
            uid: reads(RequestPart::Uid),
            time: reads(RequestPart::Time),
            user: reads(RequestPart::User),
            origin: reads(RequestPart::Origin),
            name: reads(RequestPart::Name),
            dry_run: reads(RequestPart::DryRun),
            options: reads(RequestPart::Options),
            asks: Grant::ALL.iter().any(|grant| grant.is_needed(imports)),
        }
    }

    fn is_all(self) -> bool {
        self.uid && self.time && self.user && self.origin && self.name && self.dry_run && self.options
    }

    /// Whether it could tell any two calls apart, or hears of what does not stand in the call.
    pub(crate) fn each_differs(self) -> bool {
        self.uid || self.time || self.asks
    }

    /// The request as the module sees it.
    pub(crate) fn request<'a>(self, request: &'a Request) -> Cow<'a, Request> {
        if self.is_all() {
            return Cow::Borrowed(request);
        }
        let text = |is_shown: bool, text: &String| if is_shown { text.clone() } else { String::new() };
        Cow::Owned(Request {
            uid: text(self.uid, &request.uid),
            time: if self.time { request.time } else { Timestamp { seconds: 0, nanoseconds: 0 } },
            user: request.user.as_ref().filter(|_| self.user).cloned(),
            operation: request.operation,
            origin: if self.origin { request.origin } else { Origin::Write },
            kind: request.kind.clone(),
            resource: request.resource.clone(),
            subresource: request.subresource.clone(),
            namespace: request.namespace.clone(),
            name: text(self.name, &request.name),
            dry_run: self.dry_run && request.dry_run,
            options: if self.options { request.options.clone() } else { b"null".to_vec() },
        })
    }

    /// Takes in everything that the module could tell this call by. False when [each differs](Self::each_differs).
    pub(crate) fn tell(self, call: &Call<'_>, state: &mut impl Hasher) -> bool {
        if self.each_differs() {
            return false;
        }
        let request = call.request;
        (request.operation as u8).hash(state);
        let (kind, resource) = (&request.kind, &request.resource);
        for text in [&kind.group, &kind.version, &kind.kind, &resource.group, &resource.version, &resource.resource] {
            text.hash(state);
        }
        request.subresource.hash(state);
        request.namespace.hash(state);
        let user = request.user.as_ref().filter(|_| self.user);
        user.map(|user| (&user.name, &user.uid, &user.groups, &user.extra)).hash(state);
        self.origin.then_some(request.origin as u8).hash(state);
        self.name.then_some(&request.name).hash(state);
        self.dry_run.then_some(request.dry_run).hash(state);
        self.options.then_some(&request.options).hash(state);
        (call.object, call.old, call.params).hash(state);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use super::*;
    use crate::*;

    fn request() -> Request {
        Request {
            uid: "0b5f".into(),
            time: Timestamp { seconds: 7, nanoseconds: 1 },
            user: Some(User { name: "alice".into(), uid: String::new(), groups: vec!["a".into()], extra: vec![] }),
            operation: Operation::Update,
            origin: Origin::Scan,
            kind: GroupVersionKind { group: String::new(), version: "v1".into(), kind: "Pod".into() },
            resource: GroupVersionResource { group: String::new(), version: "v1".into(), resource: "pods".into() },
            subresource: "status".into(),
            namespace: "default".into(),
            name: "web".into(),
            dry_run: true,
            options: b"{}".to_vec(),
        }
    }

    fn shown(parts: &[RequestPart], imports: &[&str]) -> Shown {
        let metadata = Metadata {
            name: String::new(),
            version: String::new(),
            description: String::new(),
            settings_schema: String::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            rules: Vec::new(),
            reads_request: parts.to_vec(),
            needs_user: false,
        };
        Shown::of(&metadata, &imports.iter().map(|import| (*import).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_not_read_is_not_shown() {
        let request = request();
        let seen = shown(&[], &[]).request(&request).into_owned();
        assert_eq!((&*seen.uid, seen.time.seconds, seen.user.is_some(), &*seen.name), ("", 0, false, ""));
        assert_eq!((seen.origin, seen.dry_run, &*seen.options), (Origin::Write, false, &b"null"[..]));
        assert_eq!((seen.operation, &*seen.namespace, &*seen.subresource), (Operation::Update, "default", "status"));
        let seen = shown(&[RequestPart::User, RequestPart::DryRun], &[]).request(&request).into_owned();
        assert_eq!((seen.user.map(|user| user.name).as_deref(), seen.dry_run, &*seen.uid), (Some("alice"), true, ""));
    }

    #[test]
    fn calls_differ_by_what_is_shown_alone() {
        type Change = fn(&mut Request);
        let changes: [(RequestPart, Change); 5] = [
            (RequestPart::User, |request| request.user = None),
            (RequestPart::Origin, |request| request.origin = Origin::Write),
            (RequestPart::Name, |request| request.name.clear()),
            (RequestPart::DryRun, |request| request.dry_run = false),
            (RequestPart::Options, |request| request.options.clear()),
        ];
        let told = |shown: Shown, request: &Request, object: &str| {
            let mut state = DefaultHasher::new();
            shown.tell(&Call::of(request, Some(&object.as_bytes().to_vec())), &mut state).then(|| state.finish())
        };
        for (part, change) in changes {
            let (before, mut after) = (request(), request());
            change(&mut after);
            assert_eq!(told(shown(&[], &[]), &before, "{}"), told(shown(&[], &[]), &after, "{}"), "{part:?} is not read");
            assert_ne!(told(shown(&[part], &[]), &before, "{}"), told(shown(&[part], &[]), &after, "{}"), "{part:?} is read");
        }
        let always: [Change; 5] = [
            |request| request.operation = Operation::Create,
            |request| request.namespace.push('x'),
            |request| request.subresource.clear(),
            |request| request.kind.version.push('x'),
            |request| request.resource.resource.push('x'),
        ];
        for change in always {
            let mut after = request();
            change(&mut after);
            assert_ne!(told(shown(&[], &[]), &request(), "{}"), told(shown(&[], &[]), &after, "{}"));
        }
        assert_ne!(told(shown(&[], &[]), &request(), "{}"), told(shown(&[], &[]), &request(), "{ }"));
    }

    #[test]
    fn who_could_tell_any_two_calls_apart_is_never_told_to_be_alike() {
        let tells = |shown: Shown| shown.tell(&Call::of(&request(), None), &mut DefaultHasher::new());
        assert!(tells(shown(&[], &["wasi:clocks/wall-clock@0.2.0"])), "its clock stands at a time that it is not shown");
        for part in [RequestPart::Uid, RequestPart::Time] {
            assert!(!tells(shown(&[part], &[])));
        }
        for ability in ["authorizer", "cluster", "log"] {
            assert!(!tells(shown(&[], &[&format!("gatehouse:policy/{ability}@1.0.0")])));
        }
    }
}
