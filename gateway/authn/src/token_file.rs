//! Tokens from a file: `token,user,uid[,"group1,group2"]` in each line.
//! Follows `k8s.io/apiserver/pkg/authentication/token/tokenfile`. The file is read once, as upstream does.

use std::collections::HashMap;

use model::User;
use sha2::{Digest, Sha256};

/// A line cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too few columns.
    #[error("token file must have at least 3 columns (token, user name, user uid), found {columns} in record {record}")]
    Columns {
        /// How many there are.
        columns: usize,
        /// Which record, from 1.
        record: usize,
    },
    /// A quote that opens in the middle of a field or never closes.
    #[error("record {record} of the token file has a misplaced quote")]
    Quote {
        /// Which record, from 1.
        record: usize,
    },
}

/// The tokens, kept by their digest: a lookup tells nothing of a token by the time it takes.
#[derive(Debug, Default)]
pub struct Tokens(HashMap<[u8; 32], User>);

impl Tokens {
    /// Reads the file's text. Fails on the first record that cannot be used; empty tokens are skipped with a warning.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut tokens = HashMap::new();
        let lines = text.lines().map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty());
        for (index, line) in lines.enumerate() {
            let record = index + 1;
            let fields = fields(line).ok_or(Error::Quote { record })?;
            let [token, name, uid, rest @ ..] = fields.as_slice() else {
                return Err(Error::Columns { columns: fields.len(), record });
            };
            if token.is_empty() {
                tracing::warn!(record, "empty token in the token file skipped");
                continue;
            }
            let groups = rest.first().map(|list| list.split(',').map(str::to_owned).collect()).unwrap_or_default();
            let user = User { name: name.clone(), uid: uid.clone(), groups, ..User::default() };
            if tokens.insert(digest(token), user).is_some() {
                tracing::warn!(record, "duplicate token in the token file: the later record holds");
            }
        }
        Ok(Self(tokens))
    }

    /// Whose token this is.
    pub fn find(&self, token: &str) -> Option<&User> {
        self.0.get(&digest(token))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// One record of comma-separated values; a quoted field holds commas, and doubled quotes.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let field = &rest[..end];
                (!field.contains('"')).then(|| (field.to_owned(), &rest[end..]))?
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(fields),
        }
    }
}

fn quoted_field(mut rest: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    loop {
        let end = rest.find('"')?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => return Some((field, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_users_and_their_groups() {
        let tokens = Tokens::parse("t1,alice,u1,\"dev,ops\"\r\nt2,bob,u2\n\n,nobody,u3\n").unwrap();
        assert_eq!(tokens.find("t1").unwrap().groups, ["dev", "ops"]);
        assert_eq!(tokens.find("t2").unwrap().name, "bob");
        assert!(tokens.find("t2").unwrap().groups.is_empty());
        assert!(tokens.find("").is_none() && tokens.find("t").is_none());
    }

    #[test]
    fn says_which_record_is_wrong() {
        assert_eq!(Tokens::parse("t1,a,b\nx,y").unwrap_err(), Error::Columns { columns: 2, record: 2 });
        assert_eq!(Tokens::parse("t1,a,b,\"c").unwrap_err(), Error::Quote { record: 1 });
        assert_eq!(Tokens::parse("t\"1,a,b").unwrap_err(), Error::Quote { record: 1 });
    }
}
