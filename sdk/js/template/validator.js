// Containers must name the version of their image: the tags that a binding lists are refused.

import { validator } from "@gatehouse/policy";

export const validation = validator({
  name: "NAME",
  version: "0.1.0",
  description: "Images must be named with a tag that says which version they are.",
  reads: ["spec.containers[*].image"],
  // Of a request: where it goes, and what stands here, such as "user". The rest is empty.
  readsRequest: [],
  rules: { "tag-forbidden": "The image's tag must not be one of those that the binding forbids." },
  settings: {
    type: "object",
    properties: {
      forbiddenTags: { type: "array", items: { type: "string" }, description: "Tags that no image may have." },
    },
    required: ["forbiddenTags"],
    additionalProperties: false,
  },
  validate({ forbiddenTags }, { object }, verdict) {
    (object?.spec.containers ?? []).forEach(({ image = "" }, n) => {
      if (forbiddenTags.includes(tag(image))) {
        const message = `the image "${image}" has the tag "${tag(image)}"; name the version you mean`;
        verdict.violation("tag-forbidden", `spec.containers[${n}].image`, message);
      }
    });
  },
});

/** An image without a tag is `latest`; one with a digest needs no tag. */
function tag(image) {
  const name = image.slice(image.lastIndexOf("/") + 1);
  if (name.includes("@")) return "";
  return name.includes(":") ? name.slice(name.indexOf(":") + 1) : "latest";
}
