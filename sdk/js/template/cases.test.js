// Runs cases/ without wasm, so that a debugger can look at the policy: `npm test`.

import { cases } from "@gatehouse/policy/cases";

await cases(() => import("../src/WORLD.js"));
