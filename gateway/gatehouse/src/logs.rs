//! Where the log goes: to standard error, as lines or as JSON. Decides no wording.

use tracing_subscriber::EnvFilter;

/// Libraries that speak of every frame; silent until everything is asked for.
const CHATTY: &str =
    "h2=warn,hyper=warn,hyper_util=warn,rustls=warn,tokio_rustls=warn,wasmtime=warn,cranelift_codegen=warn,mio=warn";

/// Starts the log with the verbosity of `-v`; the environment's `RUST_LOG` overrides it.
pub(crate) fn start(verbosity: u8, json: bool) {
    let level = match verbosity {
        0..=3 => "info",
        4..=5 => "debug",
        _ => "trace",
    };
    let own = if verbosity >= 9 { level.to_owned() } else { format!("{level},{CHATTY}") };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(own));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        log.json().init();
    } else {
        log.with_ansi(false).init();
    }
}
