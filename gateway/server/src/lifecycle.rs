//! Where the server stands between its start and its end; every part that must know watches this.
//! Does not end anything itself.

use tokio::sync::watch;

/// The stations, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Serving.
    Running,
    /// Asked to end: not ready any more, still serving (`--shutdown-delay-duration`).
    ShuttingDown,
    /// No new connections; watches end, other requests finish.
    Draining,
}

/// A handle on the stage; clones see the same.
#[derive(Clone, Debug)]
pub struct Lifecycle(watch::Sender<Stage>);

impl Default for Lifecycle {
    fn default() -> Self {
        Self(watch::channel(Stage::Running).0)
    }
}

impl Lifecycle {
    /// The stage now.
    pub fn stage(&self) -> Stage {
        *self.0.borrow()
    }

    /// Goes on to a stage; never back.
    pub fn advance(&self, to: Stage) {
        self.0.send_if_modified(|stage| {
            let later = to > *stage;
            *stage = to.max(*stage);
            later
        });
    }

    /// Waits until the stage is reached. Watches await `Draining` and end their streams then.
    pub async fn reached(&self, stage: Stage) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|now| *now >= stage).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn goes_forward_only() {
        let lifecycle = Lifecycle::default();
        let waiting = tokio::spawn({
            let lifecycle = lifecycle.clone();
            async move { lifecycle.reached(Stage::ShuttingDown).await }
        });
        lifecycle.advance(Stage::Draining);
        lifecycle.advance(Stage::ShuttingDown);
        waiting.await.unwrap();
        assert_eq!(lifecycle.stage(), Stage::Draining);
    }
}
