//! Takes replaced certificates into use while serving. A file that cannot be used leaves the old content in force.

use std::path::PathBuf;
use std::time::Duration;

use server::files::Watched;
use server::tls;

/// How often files are looked at: a look costs microseconds, and nobody waits for a certificate longer than this.
const EVERY: Duration = Duration::from_secs(5);

type Action = Box<dyn Fn() -> Result<(), tls::Error> + Send>;

/// What to do when which files change.
#[derive(Default)]
pub(crate) struct Reloads(Vec<(Watched, Action)>);

impl Reloads {
    /// Does this when one of the files changes.
    pub(crate) fn add(&mut self, paths: Vec<PathBuf>, action: impl Fn() -> Result<(), tls::Error> + Send + 'static) {
        self.0.push((Watched::new(paths), Box::new(action)));
    }

    /// Watches until the task is ended.
    pub(crate) async fn run(mut self) {
        loop {
            tokio::time::sleep(EVERY).await;
            for (watched, action) in &mut self.0 {
                if !watched.changed() {
                    continue;
                }
                match action() {
                    Ok(()) => tracing::info!("certificates replaced"),
                    Err(error) => {
                        tracing::error!(error = %crate::chain(&error), "replaced certificates cannot be used; the old ones stay")
                    }
                }
            }
        }
    }
}
