//! What one call costs: `cargo run --release -p wasm --example call -- MODULE.wasm SETTINGS_JSON OBJECT.json`.
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let bytes = std::fs::read(&arguments[1])?;
    let component =
        if bytes[4] == 1 { wit_component::ComponentEncoder::default().module(&bytes)?.validate(true).encode()? } else { bytes };
    let object = std::fs::read(&arguments[3])?;
    let runtime = wasm::Runtime::start(&wasm::Options::default())?;
    let started = Instant::now();
    let module = runtime.load(&component)?;
    println!(
        "{} {:?} {} bytes, compiled in {:?}, imports {:?}",
        module.metadata.name,
        module.world,
        module.bytes,
        started.elapsed(),
        module.imports
    );
    println!("{}", module.metadata.settings_schema);
    let started = Instant::now();
    let policy = module.bind(wasm::Binding {
        settings: arguments[2].clone().into(),
        grants: vec![],
        deadline: Duration::from_millis(25),
    })?;
    println!("bound in {:?}", started.elapsed());
    let request = wasm::Request {
        uid: "1234".into(),
        time: wasm::Timestamp { seconds: 0, nanoseconds: 0 },
        user: Some(wasm::User {
            name: "alice".into(),
            uid: String::new(),
            groups: vec!["system:authenticated".into()],
            extra: vec![],
        }),
        operation: wasm::Operation::Create,
        kind: wasm::GroupVersionKind { group: String::new(), version: "v1".into(), kind: "Pod".into() },
        resource: wasm::GroupVersionResource { group: String::new(), version: "v1".into(), resource: "pods".into() },
        subresource: String::new(),
        namespace: "default".into(),
        name: "web".into(),
        dry_run: false,
        options: b"{}".to_vec(),
    };
    match module.world {
        wasm::World::Validator => println!("{:?}", policy.validate(&request, Some(&object), None)),
        wasm::World::Mutator => println!("{:?}", policy.mutate(&request, &object, None)),
    }
    for _ in 0..3 {
        let (processor, wall) = (cpu_time::ProcessTime::now(), Instant::now());
        const CALLS: u32 = 20_000;
        for _ in 0..CALLS {
            match module.world {
                wasm::World::Validator => assert!(policy.validate(&request, Some(&object), None).outcome.is_ok()),
                wasm::World::Mutator => assert!(policy.mutate(&request, &object, None).outcome.is_ok()),
            }
        }
        println!("{:?} processor time a call, {:?} wall", processor.elapsed() / CALLS, wall.elapsed() / CALLS);
    }
    Ok(())
}
