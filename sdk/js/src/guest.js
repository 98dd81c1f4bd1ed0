// Makes of a policy what the contract calls: bytes to values and back. What a policy throws says that it could not judge.

import { decode, encode } from "./json.js";
import { Patch } from "./patch.js";
import { Verdict } from "./verdict.js";

/** The component of a policy that judges. Export it as `validation`. */
export function validator(policy) {
  const shared = common(policy);
  return {
    ...shared.exports,
    validate: (request, object, old, params) =>
      judged(() => {
        const verdict = new Verdict();
        policy.validate(shared.settings(), review(request, object, old, params), verdict);
        return { violations: verdict.violations, warnings: verdict.warnings };
      }),
  };
}

/** The component of a policy that changes. Export it as `mutation`. */
export function mutator(policy) {
  const shared = common(policy);
  return {
    ...shared.exports,
    mutate: (request, object, old, params) =>
      judged(() => {
        const asked = review(request, object, old, params);
        const patch = new Patch(asked.object);
        policy.mutate(shared.settings(), asked, patch);
        return { patch: patch.operations.length > 0 ? encode(patch.operations) : null, warnings: patch.warnings };
      }),
  };
}

function common(policy) {
  let settings = null;
  const exports = { describe: () => metadata(policy), configure };

  function configure(bytes) {
    settings = decode(bytes);
    const problems = new Verdict();
    policy.check?.(settings, problems);
    if (problems.violations.length > 0) throw problems.violations;
  }
  return { exports, settings: () => settings };
}

// What a policy reads of the request that does not say.
const EVERY_PART = ["uid", "time", "user", "origin", "name", "dry-run", "options"];

function metadata(policy) {
  const { name, version, description, settings, reads = [], writes = [], rules = {}, needsUser = false } = policy;
  return {
    name,
    version,
    description,
    settingsSchema: JSON.stringify(settings ?? { type: "object", additionalProperties: false }),
    reads,
    writes,
    rules: Object.entries(rules).map(([name, description]) => ({ name, description })),
    readsRequest: policy.readsRequest ?? EVERY_PART,
    needsUser,
  };
}

function review(request, object, old, params) {
  const { time, user, options, ...rest } = request;
  return {
    request: {
      ...rest,
      operation: request.operation.toUpperCase(),
      time: new Date(time.seconds * 1000 + Math.floor(time.nanoseconds / 1e6)),
      user: user ? { ...user, extra: Object.fromEntries(user.extra) } : null,
      get options() {
        return decode(options);
      },
    },
    object: decode(object),
    old: decode(old),
    params: decode(params),
  };
}

function judged(judge) {
  try {
    return judge();
  } catch (error) {
    throw error instanceof Error ? told(error) : String(error);
  }
}

/** What a policy threw; of what the engine found wrong with it, such as a TypeError, also where. */
function told(error) {
  const lines = error.name === "Error" ? [] : (error.stack ?? "").split("\n").map((line) => line.trim());
  const at = lines.find((line) => line.startsWith("at "));
  return `${error.name}: ${error.message}${at ? ` (${at})` : ""}`;
}
