//! The small checks that several kinds share, in upstream's words: names in fields, labels, numbers, paths, addresses.
//! Knows no kind. Follows the helpers of `k8s.io/kubernetes/pkg/apis/core/validation` and `apimachinery/pkg/api/validation`.

pub(crate) mod admission;
pub(crate) mod bag;
pub(crate) mod cidr;
pub(crate) mod claim;
pub(crate) mod condition;
pub(crate) mod equal;
pub(crate) mod get;
pub(crate) mod internal;
pub(crate) mod ip;
pub(crate) mod labels;
pub(crate) mod number;
pub(crate) mod path;
pub(crate) mod pem;
pub(crate) mod percent;
pub(crate) mod resource;
pub(crate) mod signer;
pub(crate) mod text;
pub(crate) mod x509;
