// The changes a mutator wants. Keeps a copy of the object up to date, so that what is right already is left alone and maps
// that are missing above a field are made.

export class Patch {
  operations = [];
  warnings = [];

  constructor(object) {
    this.object = structured(object);
  }

  /**
   * Sets a field given by its segments, such as `["spec", "containers", "0", "image"]`. Does nothing when the field has
   * that value already, or lies below something that is no map.
   */
  set(path, value) {
    let at = this.object;
    let depth = 0;
    while (depth < path.length && has(at, path[depth])) at = at[path[depth++]];
    if (depth === path.length) {
      if (!equal(at, value)) this.#put("replace", path, value);
      return this;
    }
    if (!isMap(at)) return this;
    const nested = path.slice(depth + 1).reduceRight((inner, name) => ({ [name]: inner }), value);
    this.#put("add", path.slice(0, depth + 1), nested);
    return this;
  }

  /** Removes a field, if it is there. */
  remove(path) {
    const [above, name] = this.#above(path);
    if (!has(above, name)) return this;
    if (Array.isArray(above)) above.splice(Number(name), 1);
    else delete above[name];
    this.operations.push({ op: "remove", path: pointer(path) });
    return this;
  }

  /** Tells the caller something. */
  warning(message) {
    this.warnings.push(message);
    return this;
  }

  #above(path) {
    const above = path.slice(0, -1).reduce((at, name) => (has(at, name) ? at[name] : null), this.object);
    return [above, path[path.length - 1]];
  }

  #put(op, path, value) {
    const [above, name] = this.#above(path);
    this.operations.push({ op, path: pointer(path), value: structured(value) });
    above[name] = structured(value);
  }
}

function isMap(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function has(at, name) {
  if (Array.isArray(at)) return /^\d+$/.test(name) && Number(name) < at.length;
  return isMap(at) && Object.hasOwn(at, name);
}

function equal(one, other) {
  if (one === other) return true;
  if (Array.isArray(one)) {
    return Array.isArray(other) && one.length === other.length && one.every((item, n) => equal(item, other[n]));
  }
  if (!isMap(one) || !isMap(other)) return false;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => has(other, name) && equal(one[name], other[name]));
}

/** A copy that shares nothing. */
function structured(value) {
  return value === undefined ? null : JSON.parse(JSON.stringify(value));
}

function pointer(path) {
  return path.map((name) => "/" + String(name).replaceAll("~", "~0").replaceAll("/", "~1")).join("");
}
