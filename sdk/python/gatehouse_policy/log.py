"""Lines for the server's log. Needs the grant `log`; lines past the host's limit are dropped."""

try:
    from wit_world.imports import log
except ModuleNotFoundError:  # Outside of a component.
    from ._native import log


def debug(message):
    log.write(log.Level.DEBUG, message)


def info(message):
    log.write(log.Level.INFO, message)


def warn(message):
    log.write(log.Level.WARN, message)


def error(message):
    log.write(log.Level.ERROR, message)
