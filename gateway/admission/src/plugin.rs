//! The shape of an admission plugin: built-in rules, wasm policies, webhooks and CEL policies are all of it.

use model::{GroupVersionResource, Status, Value};

use crate::{Notes, Operation, Review};

/// One link of the chain. A plugin that only validates leaves `mutate` alone, and the other way round.
#[async_trait::async_trait]
pub trait Plugin: Send + Sync {
    /// The name that `--enable-admission-plugins` knows.
    fn name(&self) -> &'static str;

    /// Whether the plugin wants to see such a write at all; cheap, asked for every write.
    fn handles(&self, operation: Operation, resource: &GroupVersionResource, subresource: &str) -> bool;

    /// Whether `mutate` runs once more when a later plugin changed the object. It must then be idempotent.
    fn reinvocable(&self) -> bool {
        true
    }

    /// Changes the object, or refuses it with the `Status` that the caller gets. Never runs for a delete. What a plugin writes
    /// itself is in normal form; what somebody outside made of the object goes through [`Notes::replace`].
    async fn mutate(&self, _review: &Review<'_>, _object: &mut Value, _notes: &mut Notes) -> Result<(), Status> {
        Ok(())
    }

    /// Has its say where mutation would be about what brings no object: a delete is put before mutating plugins too, which
    /// may refuse it.
    async fn precede(&self, _review: &Review<'_>, _notes: &mut Notes) -> Result<(), Status> {
        Ok(())
    }

    /// Judges exactly the object that will be stored, or refuses with the `Status` that the caller gets.
    /// There is no object on a delete: `review.old` is what goes.
    async fn validate(&self, _review: &Review<'_>, _object: Option<&Value>, _notes: &mut Notes) -> Result<(), Status> {
        Ok(())
    }
}
