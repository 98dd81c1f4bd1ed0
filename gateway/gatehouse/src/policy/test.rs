//! `gatehouse policy test`: every case of every policy of a folder, in wasm.

use super::arguments::Arguments;
use super::{Outcome, build, cases, manifest};

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let runtime = build::runtime()?;
    let (mut count, mut failed) = (0, 0);
    for built in build::all(&runtime, &arguments.folder())? {
        println!("\n{} ({})", built.name, built.module.world.as_str());
        let granted = manifest::grants(&built.folder)?;
        for case in cases::read(&built.folder)? {
            count += 1;
            match cases::judge(&case, &built.module, &granted) {
                Ok(()) => println!("  ok      {}", case.name),
                Err(why) => {
                    failed += 1;
                    println!("  FAILED  {} ({})\n      {why}", case.name, case.file);
                }
            }
        }
    }
    println!("\n{} of {count} cases passed", count - failed);
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of {count} cases failed")) }
}
