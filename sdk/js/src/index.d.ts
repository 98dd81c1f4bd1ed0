// The types of the SDK, for editors and for policies that are checked by TypeScript.

export interface About<Settings> {
  /** In lower case with dashes. */
  name: string;
  version: string;
  /** A sentence or two for people. */
  description: string;
  /** A JSON schema of the settings; none may be set without it. */
  settings?: object;
  /** The fields that it reads, such as `spec.containers[*].image`; the server hands over nothing else. */
  reads?: string[];
  /** Its rules by name, each with what it demands. */
  rules?: Record<string, string>;
  /**
   * What it reads of the request beyond where the write goes; the server leaves the rest empty. All of it when left out. A policy
   * that reads neither `uid` nor `time` and asks for no ability is not called again when it is shown the same.
   */
  readsRequest?: RequestPart[];
  /** Without a user there is nothing to judge: a scan of what is stored then says so and does not ask. */
  needsUser?: boolean;
  /** Adds what a schema cannot say of settings; `field` is relative to the settings. */
  check?(settings: Settings, problems: Verdict): void;
}

export interface Validator<Settings, Object> extends About<Settings> {
  /** Adds whatever is wrong. What it throws says that it could not judge, which is the binding's failurePolicy. */
  validate(settings: Settings, review: Review<Object>, verdict: Verdict): void;
}

export interface Mutator<Settings, Object> extends About<Settings> {
  /** The fields that it may change. */
  writes: string[];
  /** Adds whatever is to change, and nothing when it is asked about its own work. */
  mutate(settings: Settings, review: Review<Object>, patch: Patch): void;
}

export interface Review<Object> {
  request: Request;
  /** As it would be stored; null on a delete. */
  object: Object | null;
  /** As it is stored now; null on a create. */
  old: Object | null;
  /** The object that the binding names under paramRef. */
  params: unknown;
}

export type RequestPart = "uid" | "time" | "user" | "origin" | "name" | "dry-run" | "options";

export interface Request {
  uid: string;
  time: Date;
  /** Null in a scan. */
  user: { name: string; uid: string; groups: string[]; extra: Record<string, string[]> } | null;
  operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  origin: "write" | "scan";
  kind: { group: string; version: string; kind: string };
  resource: { group: string; version: string; resource: string };
  subresource: string;
  namespace: string;
  name: string;
  dryRun: boolean;
  options: unknown;
}

export class Verdict {
  violation(rule: string, field: string, message: string, code?: string): this;
  warning(message: string): this;
}

export class Patch {
  constructor(object: unknown);
  readonly object: unknown;
  readonly operations: object[];
  set(path: string[], value: unknown): this;
  remove(path: string[]): this;
  warning(message: string): this;
}

export function validator<Settings = any, Object = any>(policy: Validator<Settings, Object>): object;
export function mutator<Settings = any, Object = any>(policy: Mutator<Settings, Object>): object;
