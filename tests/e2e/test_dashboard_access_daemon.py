"""Who may use the dashboard, through the life of a daemon: from a damaged file to links, sessions and tokens."""

import json
import pathlib
import typing

import pytest

from tests.support import daemon as daemon_support

pytestmark = pytest.mark.nginx

Run = daemon_support.Daemon


def show(daemon: Run, *words: str) -> dict[str, typing.Any]:
    found: dict[str, typing.Any] = json.loads(daemon.cli_good(*words, "--json"))
    return found


def problems(daemon: Run) -> str:
    return json.dumps(daemon.look()["problems"])


def test_from_a_damaged_file_to_the_last_token(daemon: Run) -> None:
    folder = pathlib.Path(daemon.state, "store", "dashboard")
    folder.mkdir(parents=True, mode=0o700)
    for name in ("tokens.json", "sessions.json", "link.json"):
        (folder / name).write_text("{")
    daemon.write("sites: {a.test: {routes: {/: {redirect: https://b.test/}}}}")
    daemon.up("https://a.test/")
    daemon.wait(lambda: "tokens.json" in problems(daemon) and "sessions.json" in problems(daemon), "both are reported")
    refused = daemon.cli("dashboard", "tokens", "add", "deploy", "--role", "look")
    assert refused.returncode == 1 and "tokens.json is damaged" in refused.stderr
    (folder / "tokens.json").unlink()
    made = show(daemon, "dashboard", "tokens", "add", "deploy", "--role", "change", "--from", "192.0.2.0/24")
    first, second = show(daemon, "dashboard")["url"], show(daemon, "dashboard")["url"]
    assert first.startswith("https://daemun.localhost") and "/enter#" in first and first != second
    assert show(daemon, "dashboard", "sessions") == {"sessions": []}
    daemon.wait(lambda: "tokens.json" not in problems(daemon), "the report of the tokens is over")
    # It is kept while the daemon is away, and no secret is.
    daemon.kill()
    daemon.start()
    daemon.wait_ready()
    (listed,) = show(daemon, "dashboard", "tokens")["tokens"]
    assert (listed["name"], listed["role"], listed["networks"]) == ("deploy", "change", ["192.0.2.0/24"])
    daemon.cli_good("dashboard", "tokens", "rm", "deploy")
    noted = [(one["summary"], one["target"]) for one in show(daemon, "audit")["entries"]]
    assert noted == [
        ("Withdraw a token of the API", "deploy"),
        ("Make a link to the dashboard", ""),
        ("Make a link to the dashboard", ""),
        ("Make a token of the API", "deploy"),
    ]
    kept = [path for path in pathlib.Path(daemon.state).rglob("*") if path.is_file()]
    everything = daemon.log_text() + "".join(path.read_text(errors="replace") for path in kept)
    secrets = [made["token"], first.partition("#")[2], second.partition("#")[2]]
    assert not any(one in everything for one in secrets)
    written = (folder / "tokens.json", folder / "link.json", pathlib.Path(daemon.state, "logs/audit.log"))
    assert {path.stat().st_mode & 0o77 for path in written} == {0}
