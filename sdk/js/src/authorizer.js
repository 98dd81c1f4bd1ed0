// Asks what somebody may do, as a SubjectAccessReview does. Needs the grant `authorizer`.

import authorizer from "gatehouse:policy/authorizer@1.0.0";

/**
 * Whether somebody may do something (`{verb, group, resource, subresource, namespace, name}`; what is left out is open):
 * `{allowed, reason}`. About a service account when `{namespace, name}` of one is given, about the requester otherwise.
 */
export function check(what, serviceAccount = null) {
  const who = serviceAccount
    ? { tag: "service-account", val: [serviceAccount.namespace, serviceAccount.name] }
    : { tag: "requester" };
  const open = { verb: "", group: "", resource: "", subresource: "", namespace: "", name: "" };
  try {
    return authorizer.check(who, { ...open, ...what });
  } catch (error) {
    // The engine throws an Error that carries what the host said.
    throw new Error(error.payload ?? error);
  }
}
