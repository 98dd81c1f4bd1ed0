// Lines for the server's log. Needs the grant `log`; lines past the host's limit are dropped.

import log from "gatehouse:policy/log@1.0.0";

export const debug = (message) => log.write("debug", message);
export const info = (message) => log.write("info", message);
export const warn = (message) => log.write("warn", message);
export const error = (message) => log.write("error", message);
