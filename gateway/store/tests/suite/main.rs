//! What every engine must do. One list of cases, run on each engine; a new engine is one line here.
//! Knows nothing of how an engine works inside.

mod bed;
mod write;

/// Runs every case on one engine.
macro_rules! suite {
    ($engine:ident: $($module:ident::$case:ident),* $(,)?) => {
        mod $engine {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::$module::$case(crate::bed::Bed::$engine()).await;
            })*
        }
    };
}

/// Every case.
macro_rules! on {
    ($engine:ident) => {
        suite!($engine:
            write::created_once,
            write::reads_its_own_writes,
        );
    };
}

on!(memory);
