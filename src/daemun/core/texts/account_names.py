"""The names of groups, and of users and groups of identity providers. Pure."""

import re

_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
"""Servers receive groups with commas between them."""
_OF_PROVIDER = re.compile(r"(?P<key>[a-z0-9](?:[a-z0-9.-]{0,253}[a-z0-9])?):[\x21-\x2b\x2d-\x7e]{1,765}\Z")


def check_group(name: str) -> str | None:
    """Why a text cannot be the name of a group; None: it can."""
    return None if _GROUP.match(name) else "is no name of a group; expected letters, digits, dots, dashes, underscores"


def find_provider(name: str) -> str | None:
    """Which identity provider a user or a group is of (`login_providers`), by its key; None: the gate itself."""
    match = _OF_PROVIDER.match(name)
    return None if match is None else match["key"]
