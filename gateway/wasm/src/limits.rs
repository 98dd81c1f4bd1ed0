//! Every bound that a guest meets. Numbers only.

use std::time::Duration;

/// Size of a module. A Rust policy has 50–200 KB, one in JavaScript 1.6 MB, one in Go 3 MB; one that carries CPython 18 MB.
pub const MODULE_BYTES_MAX: usize = 32 << 20;
/// Linear memory of one guest, all its memories together. Objects are at most 3 MiB of JSON; ten times that is room to parse them.
pub const MEMORY_BYTES_MAX: usize = 32 << 20;
/// Elements of all tables of one guest; tables hold function pointers, thousands even for interpreters.
pub const TABLE_ELEMENTS_MAX: usize = 20_000;
/// Core instances of one guest: the module, its adapters and shims; what was linked from libraries, as CPython is, has 38.
pub const CORE_INSTANCES_MAX: u32 = 64;
/// Tables of one guest: that of its functions, one for each adapter, one that joins them.
pub const TABLES_MAX: u32 = 4;
/// Handles of resources that a guest holds at once. They are kept by the host, in memory that is not the guest's; languages
/// hold a stream or two.
pub const HANDLES_MAX: usize = 1_024;
/// Memories of one guest: its own, and one of a page or none for each adapter that its language brings.
pub const MEMORIES_MAX: u32 = 3;
/// Stack of one guest. Deeper recursion traps; threads that run guests have more than this.
pub const STACK_BYTES_MAX: usize = 512 << 10;
/// Stack of a thread that runs guests: the guest's own and the host's frames below and above it.
pub const THREAD_STACK_BYTES: usize = STACK_BYTES_MAX + (1 << 20);
/// What a guest may hand to the host in one call: a verdict or a patch. Strings that overlap count each time.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Warnings of one answer; more are dropped, because a response has room for few.
pub const WARNINGS_MAX: usize = 64;
/// Bytes of one message of an answer: what is wrong, a warning, why it could not judge. The rest is cut. People read them, and
/// what is said of a stored object is kept as long as the object is.
pub const MESSAGE_BYTES_MAX: usize = 2 << 10;
/// Bytes of a rule's name, of a code and of a field's path, likewise.
pub const NAME_BYTES_MAX: usize = 512;
/// Guests that exist at once: those running, being described, and made ready ahead.
pub const GUESTS_MAX: u32 = 128;
/// Bytes of a guest's memory that keep their pages between calls. Covers the pages that a small policy touches; larger
/// guests give the rest back.
pub const MEMORY_KEEP_RESIDENT_BYTES: usize = 256 << 10;
/// How often the clock ticks while guests run. Shorter costs wake-ups, longer makes deadlines coarse.
pub const TICK: Duration = Duration::from_millis(1);
/// How often the clock looks whether one runs. Most calls are over before it does, and a deadline may be later by this.
pub const LOOK: Duration = Duration::from_millis(4);
/// What the calls of a request may take together to be made where the request is, by what they took lately: about what storing
/// a Pod takes. Those that take longer than they did are ended at the clock's second tick and made anew elsewhere.
pub const BRIEF: Duration = Duration::from_micros(500);
/// The guest's own running time when its binding does not say.
pub const DEADLINE_DEFAULT: Duration = Duration::from_millis(25);
/// The longest running time a binding may ask for: a request waits for it.
pub const DEADLINE_MAX: Duration = Duration::from_secs(5);
/// Wall time over running time: how long a guest may take on a machine that has no processor for it.
pub const WALL_FACTOR: u32 = 10;
/// Running time of `describe` and of checking settings, which nobody's request waits for.
pub const DESCRIBE_DEADLINE: Duration = Duration::from_millis(1_000);
/// Questions that one call may ask of the cluster and of the authorizer; a storm of them must not hold the thread.
pub const QUESTIONS_MAX: u32 = 64;
/// Bytes that one call may read from the cluster. They are copied into the guest, which parses them.
pub const READ_BYTES_MAX: usize = 8 << 20;
/// Lines that one call may log; a loop that logs must not fill the disk.
pub const LOG_LINES_MAX: usize = 32;
/// Bytes of one log line; the rest is cut.
pub const LOG_LINE_BYTES_MAX: usize = 1 << 10;
/// Calls that wait for a thread. Beyond it a call fails at once: the request's answer would come too late anyway.
pub const QUEUE_MAX: usize = 4_096;
