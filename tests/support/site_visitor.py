"""What a visitor of a site's page gets: server-sent events."""

import collections.abc
import contextlib
import json
import typing

from tests.support import dashboard_visitor


@contextlib.contextmanager
def events(
    visitor: dashboard_visitor.DashboardVisitor, path: str
) -> collections.abc.Iterator[collections.abc.Iterator[tuple[str, typing.Any]]]:
    """Server-sent ones, with their names."""
    kept = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    with visitor.client.stream("GET", f"{visitor.base}{path}", headers={"Cookie": kept}) as answer:
        assert answer.status_code == 200, answer.read()
        yield _events(answer.iter_lines())


def _events(lines: collections.abc.Iterator[str]) -> collections.abc.Iterator[tuple[str, typing.Any]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])
