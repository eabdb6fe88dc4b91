"""`daemun fleet`."""

from daemun.cli import command_groups

group = command_groups.make_group("fleet", about="Several machines with one front, which share a database.")
