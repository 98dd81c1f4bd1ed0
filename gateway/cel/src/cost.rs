//! Costs: what an expression can cost, known before it runs, and what it did cost.
//! The unit is cel-go's: about the time of one simple operation. Both sides follow upstream's numbers exactly, because limits
//! are part of the API: what one server accepts, the other must.

pub(crate) mod actual;
pub(crate) mod estimate;
mod library;
mod size;

/// What going through a text costs, by its length.
const TEXT: f64 = 0.1;
/// What a regular expression costs for each character of the text, by its own length.
const REGEX: f64 = 0.25;
/// What making a list costs.
const LIST: u64 = 10;
/// What making a map costs.
const MAP: u64 = 30;
/// What making a message costs.
const MESSAGE: u64 = 40;
/// What one check of the authorizer costs: two are possible in an expression.
const AUTHORIZATION: u64 = 350_000;

/// The product, rounded up, at most what 64 bits hold.
fn scaled(size: u64, factor: f64) -> u64 {
    let product = (size as f64 * factor).ceil();
    if product >= 2f64.powi(64) { u64::MAX } else { product as u64 }
}
