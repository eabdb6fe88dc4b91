"""The SQL of requests.sql, by name."""

import functools
import re

from daemun import package_data


@functools.cache
def _all() -> dict[str, str]:
    text = package_data.read_bytes("store/postgresql/requests.sql").decode()
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))


def names() -> frozenset[str]:
    return frozenset(_all())


def read(name: str) -> str:
    """Raises: KeyError."""
    return _all()[name]
