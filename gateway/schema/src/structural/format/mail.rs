//! What Go's `mail.ParseAddress` accepts, as far as addresses are written in practice: an address alone, or a name and an
//! address in angle brackets. Comments and folding are left out.

/// `IsEmail`.
pub(super) fn is_address(value: &str) -> bool {
    let value = value.trim_matches([' ', '\t']);
    let Some(inner) = value.strip_suffix('>') else { return is_spec(value) };
    let Some(open) = inner.rfind('<') else { return false };
    is_display_name(inner[..open].trim_matches([' ', '\t'])) && is_spec(inner[open + 1..].trim_matches([' ', '\t']))
}

/// `local@domain`.
fn is_spec(value: &str) -> bool {
    let Some((local, domain)) = value.rsplit_once('@') else { return false };
    let local_fits = match local.strip_prefix('"') {
        Some(_) => is_quoted(local),
        None => is_dotted_atom(local),
    };
    let literal = domain.strip_prefix('[').and_then(|d| d.strip_suffix(']'));
    local_fits && literal.map_or_else(|| is_dotted_atom(domain), |address| address.parse::<std::net::IpAddr>().is_ok())
}

fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii()
}

fn is_dotted_atom(value: &str) -> bool {
    value.split('.').all(|part| !part.is_empty() && part.chars().all(is_atom))
}

fn is_quoted(value: &str) -> bool {
    let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else { return false };
    let mut chars = inner.chars();
    let mut any = false;
    while let Some(c) = chars.next() {
        any = true;
        let fits = match c {
            '"' => false,
            '\\' => chars.next().is_some_and(|escaped| !escaped.is_control()),
            c => c == '\t' || !c.is_control(),
        };
        if !fits {
            return false;
        }
    }
    any
}

/// Words of atoms and quoted texts; points may stand in them.
fn is_display_name(value: &str) -> bool {
    value.is_empty() || is_quoted(value) || value.split([' ', '\t']).all(|word| word.chars().all(|c| is_atom(c) || c == '.'))
}
