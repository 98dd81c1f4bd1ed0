//! All plugins of a server in their order. Knows none of them.
//! Follows `k8s.io/apiserver/pkg/admission/chain.go` and `plugin/webhook/generic`'s reinvocation.

use model::{Status, Value};

use crate::{Notes, Plugin, Review};

/// The plugins in the order in which they run.
#[derive(Default)]
pub struct Chain {
    plugins: Vec<Box<dyn Plugin>>,
}

impl Chain {
    /// A chain of these plugins, in this order.
    pub fn new(plugins: Vec<Box<dyn Plugin>>) -> Self {
        Self { plugins }
    }

    /// The names of the plugins in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.plugins.iter().map(|plugin| plugin.name())
    }

    /// Lets every plugin change the object; the first refusal ends it. When a late plugin asked for it, the earlier
    /// ones look once more, and only once.
    pub async fn mutate(&self, review: &Review<'_>, object: &mut Value, notes: &mut Notes) -> Result<(), Status> {
        notes.begin();
        for plugin in self.of(review) {
            plugin.mutate(review, object, notes).await?;
        }
        if std::mem::take(&mut notes.reinvoke) {
            notes.round += 1;
            for plugin in self.of(review).filter(|plugin| plugin.reinvocable()) {
                plugin.mutate(review, object, notes).await?;
            }
            notes.reinvoke = false;
        }
        Ok(())
    }

    /// Asks every plugin whether something may go, those that mutate first; the first refusal ends it.
    pub async fn release(&self, review: &Review<'_>, notes: &mut Notes) -> Result<(), Status> {
        notes.begin();
        for plugin in self.of(review) {
            plugin.precede(review, notes).await?;
        }
        self.validate(review, None, notes).await
    }

    /// Asks every plugin whether the object may be stored; the first refusal ends it.
    pub async fn validate(&self, review: &Review<'_>, object: Option<&Value>, notes: &mut Notes) -> Result<(), Status> {
        for plugin in self.of(review) {
            plugin.validate(review, object, notes).await?;
        }
        Ok(())
    }

    fn of<'a>(&'a self, review: &'a Review<'_>) -> impl Iterator<Item = &'a dyn Plugin> {
        self.plugins
            .iter()
            .filter(|plugin| plugin.handles(review.operation, review.resource, review.subresource))
            .map(|plugin| &**plugin)
    }
}
