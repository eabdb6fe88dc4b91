"""The only place that builds concrete objects, for the daemon and (`offline`) for commands that work without one."""

from daemun import log

log.configure_for_commands()
