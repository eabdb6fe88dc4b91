"""The only place that builds concrete objects, for the daemon and (`offline`) for commands that work without one."""
