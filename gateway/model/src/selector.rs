//! Label and field selectors: parse, match, print.
//! Follows `k8s.io/apimachinery/pkg/labels` and `pkg/fields`. Does not know which fields a kind lets one select.

pub mod field;
pub mod label;
