//! Room on the stack: what nests deeper than usual runs on a thread with a larger one. The parser bounds how deep texts nest,
//! but not low enough for the stack of any thread that a caller may be on.

use std::thread::{Builder, scope};

/// Enough for the deepest text that the parser takes, in a build without optimization.
const STACK_BYTES: usize = 64 << 20;
/// Brackets inside of brackets up to here need no other stack.
const BRACKETS_USUAL: usize = 24;

/// Whether a text nests deeper than usual. Brackets in strings count, too; that only costs a thread.
pub(crate) fn is_deep(text: &str) -> bool {
    let mut depth = 0usize;
    let mut deepest = 0;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest > BRACKETS_USUAL
}

/// Does work on a large stack where it is deep, and here where it is not or no thread can be had.
pub(crate) fn with_room<T: Send>(deep: bool, work: impl FnOnce() -> T + Send) -> T {
    if !deep {
        return work();
    }
    let mut work = Some(work);
    let mut result = None;
    let spawned = scope(|scope| {
        let (work, result) = (&mut work, &mut result);
        let thread = Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, move || {
            *result = work.take().map(|work| work());
        });
        thread.map(|thread| thread.join())
    });
    if let Ok(Err(panic)) = spawned {
        std::panic::resume_unwind(panic);
    }
    match (result, work) {
        (Some(result), _) => result,
        (None, Some(work)) => work(),
        (None, None) => unreachable!("a thread that ended has done the work"),
    }
}
