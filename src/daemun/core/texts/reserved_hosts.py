"""Hosts that no container may claim. Pure."""

import collections.abc

from daemun.core.texts import names, patterns


def find_reservation(host: str, reserved: collections.abc.Iterable[str]) -> str | None:
    """The reserved host that forbids this one: itself, a pattern that covers it, or one that a wildcard would catch.

    A regular expression, or a wildcard at the end, might catch any name under a reserved wildcard.
    """
    return next((name for name in reserved if covers(name, host) or covers(host, name)), None)


def covers(pattern: str, host: str) -> bool:
    """Whether a site called `pattern` would serve `host`, or a host that the pattern `host` covers."""
    if names.is_pattern(pattern):
        could = host.startswith("*.") or (patterns.matches(pattern[1:], host) if pattern[0] == "~" else False)
        return pattern == host or could or (pattern.endswith(".*") and host.startswith(pattern[:-1]))
    return pattern == host or (pattern.startswith("*.") and host.removeprefix("*").endswith(pattern[1:]))
