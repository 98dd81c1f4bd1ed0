// For those who write admission policies for Gatehouse in JavaScript: `validator` and `mutator` make a policy of an object
// with functions. The modules `cluster`, `authorizer` and `log` are abilities, each to be granted in binding.yaml.

export { mutator, validator } from "./guest.js";
export { Patch } from "./patch.js";
export { Verdict } from "./verdict.js";
