//! Asks a credential helper: a program `docker-credential-NAME` on the path, which is told a registry on its input and answers
//! with JSON. Protocol: <https://github.com/docker/docker-credential-helpers>.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use model::Value;

use super::Credentials;

/// How long a helper may take; some ask a cloud.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How often it is looked at meanwhile.
const PAUSE: Duration = Duration::from_millis(20);
/// What is read of its answer.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// The name that stands for "this is a token, and no password".
const TOKEN: &str = "<token>";
/// How every helper says that it knows nothing of a registry.
const UNKNOWN: &str = "credentials not found";

/// What a helper knows of a registry. Blocks until it answers.
pub(super) fn ask(name: &str, registry: &str) -> Result<Option<Credentials>, String> {
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        return Err(format!("{name:?} is no name of a credential helper"));
    }
    let program = format!("docker-credential-{name}");
    let failed = |why: &dyn std::fmt::Display| format!("{program}: {why}");
    let mut command = Command::new(&program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    let (is_success, said) = talk(&mut child, registry).map_err(|error| failed(&error))?;
    match is_success {
        true => credentials(&said).map(Some).ok_or_else(|| failed(&"its answer has no Username and Secret")),
        false if said.contains(UNKNOWN) => Ok(None),
        false => Err(failed(&said.trim())),
    }
}

/// Tells a helper the registry; whether it succeeded, and what it said. One that is late is ended.
fn talk(child: &mut Child, registry: &str) -> io::Result<(bool, String)> {
    let (input, output) = (child.stdin.take(), child.stdout.take());
    std::thread::scope(|scope| {
        let said = scope.spawn(move || {
            let mut said = String::new();
            output.map_or(Ok(0), |output| output.take(ANSWER_BYTES_MAX).read_to_string(&mut said)).map(|_| said)
        });
        // Who ends without reading says why in its answer.
        let _ = input.map(|mut input| input.write_all(registry.as_bytes()));
        let until = Instant::now() + WAIT_MAX;
        let status = loop {
            match child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() < until => std::thread::sleep(PAUSE),
                None => {
                    child.kill()?;
                    child.wait()?;
                    return Err(io::Error::other(format!("it did not answer within {} s", WAIT_MAX.as_secs())));
                }
            }
        };
        let said = said.join().unwrap_or_else(|_| Ok(String::new()))?;
        Ok((status.success(), said))
    })
}

fn credentials(said: &str) -> Option<Credentials> {
    let answer: Value = serde_json::from_str(said).ok()?;
    let text = |field: &str| answer.get(field).and_then(Value::as_str);
    match (text("Username")?, text("Secret")?) {
        (TOKEN, token) => Some(Credentials::Identity(token.to_owned())),
        (name, password) => Some(Credentials::password(name, password)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_password_or_a_token() {
        let password = Credentials::Password("eDp5".to_owned());
        assert_eq!(credentials(r#"{"ServerURL":"a.example","Username":"x","Secret":"y"}"#), Some(password));
        let token = Credentials::Identity("t".to_owned());
        assert_eq!(credentials(r#"{"Username":"<token>","Secret":"t"}"#), Some(token));
        assert_eq!(credentials("{}"), None);
    }

    #[test]
    fn a_helper_is_a_program_of_its_name_and_nothing_else() {
        assert!(ask("../../bin/sh", "a.example").unwrap_err().contains("is no name of a credential helper"));
        assert!(ask("nobody-has-this", "a.example").unwrap_err().starts_with("docker-credential-nobody-has-this: "));
    }

    #[test]
    fn a_helper_hears_the_registry() {
        let run = |script: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
            talk(&mut command.spawn().unwrap(), "a.example").unwrap()
        };
        assert_eq!(run("cat"), (true, "a.example".to_owned()));
        assert!(!run("echo credentials not found in native keychain; exit 1").0);
    }
}
