// Reads from the server's cache. Needs the grant `cluster`, and reads only what the binding names under `clusterReads`; for
// a namespaced binding only in its namespace, and only what its author may read. Name the fields that you need: what a
// question costs is mostly the parsing of its answer.

import cluster from "gatehouse:policy/cluster@1.0.0";
import { decode } from "./json.js";

/** One object of a resource (`{group, version, resource}`); null when there is none. Throws when there is no answer. */
export function get(resource, name, { namespace = "", fields = [] } = {}) {
  return decode(asked(resource, () => cluster.get(resource, namespace, name, fields)));
}

/** The objects of a namespace, or of all, that fit a label selector, by namespace and name. Throws when there is no answer. */
export function list(resource, { namespace = "", selector = "", fields = [] } = {}) {
  return asked(resource, () => cluster.list(resource, namespace, selector, fields)).map(decode);
}

function asked(resource, ask) {
  try {
    return ask();
  } catch (error) {
    // The engine throws an Error that carries what the host said.
    const why = error.payload ?? error;
    const said = why.val === undefined ? "" : `: ${why.val}`;
    throw new Error(`read ${resource.resource}: ${why.tag ?? why}${said}`);
  }
}
