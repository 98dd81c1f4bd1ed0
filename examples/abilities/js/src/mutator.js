// Every ability that a binding can grant, in JavaScript: what the policy is told becomes annotations.

import { mutator } from "@gatehouse/policy";
import { check } from "@gatehouse/policy/authorizer";
import { get, list } from "@gatehouse/policy/cluster";
import { info } from "@gatehouse/policy/log";

const CONFIG_MAPS = { group: "", version: "v1", resource: "configmaps" };
const SECRETS = { group: "", version: "v1", resource: "secrets" };

export const mutation = mutator({
  name: "abilities",
  version: "0.1.0",
  description: "Writes down what it is told of the cluster.",
  reads: ["metadata"],
  writes: ["metadata.annotations"],
  mutate(settings, { request }, patch) {
    info("asking");
    const owner = get(CONFIG_MAPS, "owner", { namespace: request.namespace });
    if (owner === null) throw new Error("no owner");
    const names = list(CONFIG_MAPS, { fields: ["metadata.name"] }).map((one) => one.metadata.name);
    const account = check({ verb: "get", resource: "secrets" }, { namespace: request.namespace, name: "web" });
    const requester = check({ verb: "get", resource: "secrets" });
    const missing = get(CONFIG_MAPS, "no", { namespace: request.namespace });
    const annotate = (name, value) => patch.set(["metadata", "annotations", name], value);
    annotate("owner", owner.data.team);
    annotate("others", `${names.length} ${names.join(",")}`);
    annotate("may", `${account.allowed} ${requester.allowed}`);
    annotate("missing", missing === null ? "none" : "some");
    annotate("who", `${request.user.name} ${request.user.groups} ${request.operation} ${request.time.getUTCFullYear()}`);
    try {
      list(SECRETS);
    } catch (why) {
      patch.warning(why.message);
    }
  },
});
