//! `cargo x up`: a newcomer's first command. Builds, starts, and says what to try.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime};

use crate::run::{self, Failed, root, target};

/// How long a server may take to start before something must be wrong.
const START_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Builds the policies and the server and runs it until it is stopped; further arguments are the server's flags.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failed> {
    crate::policies::build()?;
    let data_dir = data_dir(arguments);
    let kubeconfig = data_dir.join("admin.kubeconfig");
    let before = SystemTime::now();
    let mut server = Command::new(target().join("release/gatehouse"))
        .arg("serve")
        // As kubeadm and kind have it; what is said after it wins.
        .arg("--allow-privileged")
        .args(arguments)
        .arg(format!("--data-dir={}", data_dir.display()))
        .current_dir(root())
        .spawn()
        .map_err(|error| Failed(format!("start the server: {error}")))?;
    wait_until_written(&mut server, &kubeconfig, before)?;
    println!("{}", next_steps(&kubeconfig));
    let status = server.wait().map_err(|error| Failed(format!("wait for the server: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failed(format!("the server ended ({status})"))) }
}

fn data_dir(arguments: &[String]) -> PathBuf {
    let mut given = None;
    for (index, argument) in arguments.iter().enumerate() {
        match argument.strip_prefix("--data-dir") {
            Some("") => given = arguments.get(index + 1).cloned(),
            Some(value) => given = value.strip_prefix('=').map(str::to_owned),
            None => {}
        }
    }
    root().join(given.unwrap_or_else(|| "gatehouse-data".to_owned()))
}

/// The kubeconfig is written when the port is open.
fn wait_until_written(server: &mut Child, kubeconfig: &Path, since: SystemTime) -> Result<(), Failed> {
    let start = Instant::now();
    while start.elapsed() < START_MAX {
        let written = std::fs::metadata(kubeconfig).and_then(|found| found.modified()).is_ok_and(|at| at >= since);
        if written {
            return Ok(());
        }
        if let Ok(Some(status)) = server.try_wait() {
            return Err(Failed(format!("the server did not start ({status}); what it said stands above")));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Err(Failed(format!("the server wrote no {} in {} seconds", kubeconfig.display(), START_MAX.as_secs())))
}

fn next_steps(kubeconfig: &Path) -> String {
    format!(
        "\nGatehouse is up. In another terminal:\n\n    \
         export KUBECONFIG={}\n    \
         kubectl get namespaces\n    \
         kubectl create configmap hello --from-literal=from=gatehouse\n    \
         kubectl get configmap hello -o yaml\n    \
         kubectl auth can-i --list --as jane\n\n\
         The policies that ship were built to {}; README.md shows how to bind one and how to write your own.\n\
         Ctrl-C ends the server; what it keeps stays in its data directory.\n",
        kubeconfig.display(),
        run::policies_folder().display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_data_directory_in_the_servers_flags() {
        let of = |arguments: &[&str]| data_dir(&arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["--v=2"]), root().join("gatehouse-data"));
        assert_eq!(of(&["--data-dir=x", "--data-dir", "/tmp/y"]), PathBuf::from("/tmp/y"));
    }
}
