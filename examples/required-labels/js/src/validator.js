// Objects must carry certain labels, whose values may have to be on a list: policies/required-labels in JavaScript.

import { validator } from "@gatehouse/policy";

export const validation = validator({
  name: "required-labels",
  version: "0.1.0",
  description: "Objects must carry certain labels, with values from a list where one is given.",
  reads: ["metadata.labels"],
  readsRequest: [],
  rules: {
    "label-required": "The label must be there.",
    "label-value": "The label must have one of the values listed for it.",
  },
  settings: {
    type: "object",
    properties: {
      labels: {
        type: "array",
        description: "The labels that every object must carry.",
        minItems: 1,
        items: {
          type: "object",
          properties: {
            key: { type: "string", description: "The label's key, such as team." },
            values: { type: "array", items: { type: "string" }, description: "The values it may have; any when absent." },
          },
          required: ["key"],
          additionalProperties: false,
        },
      },
    },
    required: ["labels"],
    additionalProperties: false,
  },
  check({ labels }, problems) {
    labels.forEach(({ key, values }, n) => {
      if (key === "") problems.violation("settings", `labels[${n}].key`, "a label needs a key");
      if (values?.length === 0) {
        problems.violation("settings", `labels[${n}].values`, "an empty list allows no value at all; leave it out to allow any");
      }
    });
  },
  validate({ labels }, { object }, verdict) {
    if (object === null) return;
    const carried = object.metadata?.labels ?? {};
    for (const { key, values } of labels) {
      const field = `metadata.labels[${key}]`;
      if (!Object.hasOwn(carried, key)) {
        const choice = values ? `; set it to one of: ${values.join(", ")}` : "";
        verdict.violation("label-required", field, `the label "${key}" is required${choice}`);
      } else if (values && !values.includes(carried[key])) {
        verdict.violation("label-value", field, `the label "${key}" is "${carried[key]}", but must be one of: ${values.join(", ")}`);
      }
    }
  },
});
