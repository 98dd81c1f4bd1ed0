//! `ListOptions`: of list, watch and deletecollection.
//! Follows `k8s.io/apimachinery/pkg/apis/meta/internalversion`. Does not read anything.

use std::time::Duration;

use model::field::{Errors, Path};
use model::selector::{field, label};
use model::time::seconds_in_nanos;
use model::{Query, RequestInfo, Status};

use super::refuse;

/// How `resourceVersion` binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Exactly that revision.
    Exact,
    /// That revision or a later one.
    NotOlderThan,
}

/// What to list or watch, and how.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Which labels.
    pub labels: label::Selector,
    /// Which fields, as the request spells them until [`ListOptions::convert_fields`].
    pub fields: field::Selector,
    /// Follow changes: as the query says it, which the older paths of watches need not do and are read as lists then.
    pub watch: bool,
    /// Bookmarks are welcome.
    pub allow_bookmarks: bool,
    /// As said; empty when unsaid.
    pub resource_version: String,
    /// How it binds.
    pub resource_version_match: Option<Match>,
    /// How long a watch may last.
    pub timeout: Option<Duration>,
    /// How many items at most; 0 means all.
    pub limit: usize,
    /// Where to go on; empty means from the start.
    pub continue_token: String,
    /// A watch begins with the present objects.
    pub send_initial_events: Option<bool>,
}

impl ListOptions {
    /// Reads and validates the query of a list or a watch. Fails with upstream's 400 and 422.
    pub fn parse(query: &Query, info: &RequestInfo) -> Result<Self, Status> {
        let timeout = query.number("timeoutSeconds").map_err(Status::bad_request)?;
        let limit = query.number("limit").map_err(Status::bad_request)?;
        let mut options = Self {
            labels: label::Selector::parse(query.text("labelSelector")).map_err(Status::bad_request)?,
            fields: field::Selector::parse(query.text("fieldSelector")).map_err(Status::bad_request)?,
            watch: query.flag("watch").unwrap_or(false),
            allow_bookmarks: query.flag("allowWatchBookmarks").unwrap_or(false),
            resource_version: query.text("resourceVersion").to_owned(),
            // What is over before it began ends at once.
            timeout: timeout
                .map(seconds_in_nanos)
                .filter(|nanos| *nanos != 0)
                .map(|nanos| Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))),
            limit: limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0),
            continue_token: query.text("continue").to_owned(),
            send_initial_events: query.flag("sendInitialEvents"),
            resource_version_match: None,
        };
        options.validate(query.text("resourceVersionMatch"))?;
        options.select_name(&info.name)?;
        Ok(options)
    }

    /// Rewrites each field of the selector to the name it is stored by. Fails with the words of `convert`.
    pub fn convert_fields(&mut self, convert: impl Fn(&str) -> Result<String, String>) -> Result<(), Status> {
        for term in &mut self.fields.requirements {
            term.field = convert(&term.field).map_err(Status::bad_request)?;
        }
        Ok(())
    }

    /// Whether the watch begins with the present objects and marks their end.
    pub fn is_watch_list(&self) -> bool {
        self.send_initial_events == Some(true) && self.allow_bookmarks
    }

    fn validate(&mut self, match_text: &str) -> Result<(), Status> {
        // A watch from "" or "0" begins with the present objects, as it did before WatchList had a parameter for it.
        let legacy = matches!(self.resource_version.as_str(), "" | "0");
        let mut match_text = match_text;
        if self.watch && legacy && self.send_initial_events.is_none() && match_text.is_empty() {
            self.send_initial_events = Some(true);
            match_text = "NotOlderThan";
        }
        self.resource_version_match = match match_text {
            "Exact" => Some(Match::Exact),
            "NotOlderThan" => Some(Match::NotOlderThan),
            _ => None,
        };
        let mut errors = Errors::new();
        if self.watch {
            self.validate_watch(match_text, &mut errors);
        } else {
            self.validate_list(match_text, &mut errors);
        }
        refuse("ListOptions", &errors)
    }

    fn validate_list(&self, match_text: &str, errors: &mut Errors) {
        let path = Path::new("resourceVersionMatch");
        if !match_text.is_empty() {
            if self.resource_version.is_empty() {
                errors.forbidden(&path, "resourceVersionMatch is forbidden unless resourceVersion is provided");
            }
            if !self.continue_token.is_empty() {
                errors.forbidden(&path, "resourceVersionMatch is forbidden when continue is provided");
            }
            if self.resource_version_match.is_none() {
                errors.not_supported(&path, match_text, &["Exact", "NotOlderThan", ""]);
            }
            if self.resource_version_match == Some(Match::Exact) && self.resource_version == "0" {
                errors.forbidden(&path, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
            }
        }
        if self.send_initial_events.is_some() {
            errors.forbidden(&Path::new("sendInitialEvents"), "sendInitialEvents is forbidden for list");
        }
    }

    fn validate_watch(&self, match_text: &str, errors: &mut Errors) {
        let path = Path::new("resourceVersionMatch");
        let not_older_than = self.resource_version_match == Some(Match::NotOlderThan);
        if self.send_initial_events.is_some() && !not_older_than {
            errors.forbidden(&path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        }
        if match_text.is_empty() {
            return;
        }
        if self.send_initial_events.is_none() {
            errors.forbidden(&path, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        }
        if !not_older_than {
            errors.not_supported(&path, match_text, &["NotOlderThan"]);
        }
        if !self.continue_token.is_empty() {
            errors.forbidden(&path, "resourceVersionMatch is forbidden when continue is provided");
        }
    }

    /// A name in the path (`/watch/pods/x`) is the same as one in the selector.
    fn select_name(&mut self, name: &str) -> Result<(), Status> {
        const FIELD: &str = "metadata.name";
        if name.is_empty() {
            return Ok(());
        }
        if self.fields.is_empty() {
            self.fields.requirements.push(field::Requirement { field: FIELD.to_owned(), equal: true, value: name.to_owned() });
        } else if self.fields.exact(FIELD) != Some(name) {
            return Err(Status::bad_request("fieldSelector metadata.name doesn't match requested name"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<ListOptions, Status> {
        ListOptions::parse(&Query::parse(query), &RequestInfo::default())
    }

    #[test]
    fn reads_a_list() {
        let options =
            parse("labelSelector=a%3Db&fieldSelector=metadata.name%3Dx&limit=5&resourceVersion=7&resourceVersionMatch=Exact")
                .unwrap();
        assert_eq!(options.labels.to_string(), "a=b");
        assert_eq!(options.fields.exact("metadata.name"), Some("x"));
        assert_eq!((options.limit, options.resource_version_match), (5, Some(Match::Exact)));
    }

    #[test]
    fn a_watch_from_nowhere_sends_what_is_there() {
        assert_eq!(parse("watch=1").unwrap().send_initial_events, Some(true));
        assert_eq!(parse("watch=1&resourceVersion=0").unwrap().send_initial_events, Some(true));
        assert_eq!(parse("watch=1&resourceVersion=9").unwrap().send_initial_events, None);
    }

    #[test]
    fn a_timeout_below_zero_is_over_and_zero_is_none() {
        let timeout = |seconds: i64| parse(&format!("watch=1&timeoutSeconds={seconds}")).unwrap().timeout;
        assert_eq!((timeout(7), timeout(0), timeout(-1)), (Some(Duration::from_secs(7)), None, Some(Duration::ZERO)));
        assert_eq!(timeout(i64::MAX), Some(Duration::ZERO), "as Go multiplies");
    }

    #[test]
    fn refuses_with_upstreams_words() {
        let message = |query: &str| parse(query).unwrap_err().message;
        let invalid = "ListOptions.meta.k8s.io \"\" is invalid: ";
        assert_eq!(
            message("resourceVersionMatch=Exact"),
            format!(
                "{invalid}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
            )
        );
        assert_eq!(
            message("resourceVersionMatch=Exact&resourceVersion=0"),
            format!(
                "{invalid}resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""
            )
        );
        assert_eq!(
            message("sendInitialEvents=true"),
            format!("{invalid}sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list")
        );
        assert_eq!(
            message("watch=true&sendInitialEvents=true"),
            format!(
                "{invalid}resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
        );
        assert_eq!(message("limit=x"), "strconv.ParseInt: parsing \"x\": invalid syntax");
        assert_eq!(message("fieldSelector=x"), "invalid selector: 'x'; can't understand 'x'");
    }

    #[test]
    fn a_name_in_the_path_selects() {
        let info = RequestInfo { name: "a".to_owned(), ..RequestInfo::default() };
        assert_eq!(ListOptions::parse(&Query::default(), &info).unwrap().fields.exact("metadata.name"), Some("a"));
        let error = ListOptions::parse(&Query::parse("fieldSelector=metadata.name%3Db"), &info).unwrap_err();
        assert_eq!(error.message, "fieldSelector metadata.name doesn't match requested name");
    }
}
