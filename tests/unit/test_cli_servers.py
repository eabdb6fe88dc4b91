"""What `status` shows of a site's servers."""

import datetime
import typing

import pytest

from daemun.cli.commands import status

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)

Json = dict[str, typing.Any]


def _server(state: str, ago_s: int) -> Json:
    at = NOW - datetime.timedelta(seconds=ago_s)
    return {"state": state, "at": at.strftime("%Y-%m-%dT%H:%M:%SZ")}


@pytest.mark.parametrize(
    ("servers", "shown"),
    [
        ([], ""),
        ([("answers", 1)], "1 answers"),
        ([("answers", 1), ("answers", 90)], "2 answer"),
        ([("answers", 1), ("refused", 1)], "1 of 2 answers"),
        ([("answers", 3 * 3600)], "1 answers, seen 3 hours ago"),
        ([("answers", 5), ("answers", 600)], "2 answer, seen 10 minutes ago"),
        ([("answers", -5)], "1 answers"),
    ],
)
def test_what_is_known_of_servers_is_shown_with_its_age(servers: list[tuple[str, int]], shown: str) -> None:
    site = {"routes": [{"servers": [_server(*one)]} for one in servers]}
    assert status.servers_of(site, NOW) == shown
