// Pods get the labels that a binding lists, unless they have them already.

import { mutator } from "@gatehouse/policy";

export const mutation = mutator({
  name: "NAME",
  version: "0.1.0",
  description: "Gives Pods the labels that the binding lists, unless they have them already.",
  reads: ["metadata.labels"],
  // Of a request: where it goes, and what stands here, such as "user". The rest is empty.
  readsRequest: [],
  writes: ["metadata.labels"],
  rules: { "label-default": "A Pod without the label gets it." },
  settings: {
    type: "object",
    properties: {
      labels: {
        type: "object",
        additionalProperties: { type: "string" },
        description: "The labels, with the values that Pods without them get.",
      },
    },
    required: ["labels"],
    additionalProperties: false,
  },
  // Changes nothing when it is asked about its own work: the server may ask again after other mutators.
  mutate({ labels }, { object }, patch) {
    if (object === null) return;
    for (const [key, value] of Object.entries(labels)) {
      if (!Object.hasOwn(object.metadata?.labels ?? {}, key)) patch.set(["metadata", "labels", key], value);
    }
  },
});
