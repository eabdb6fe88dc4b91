"""The command line that a page shows, with its filters."""

import shlex

import pytest

from daemun.dashboard import page_commands


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ({}, "daemun sites --numbers"),
        ({"q": "a b"}, "daemun sites --numbers --search 'a b'"),
        ({"state": "live"}, "daemun sites --numbers --only live"),
        ({"state": "held back,disabled"}, "daemun sites --numbers --only 'held back' --only disabled"),
        ({"origin": "docker", "kind": "site"}, "daemun sites --numbers --origin docker --kind site"),
        ({"group": "domain"}, "daemun sites --numbers --by-domain"),
        ({"q": "--json"}, "daemun sites --numbers --search=--json"),
    ],
)
def test_sites(query: dict[str, str], line: str) -> None:
    assert page_commands.of_sites(query) == line


def test_the_order_of_sites() -> None:
    assert page_commands.of_sites({}, sort="p95", descending=True) == "daemun sites --numbers --sort p95 --reverse"


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ({}, "daemun logs a.test -f"),
        ({"status": "5xx", "text": "a 'b'"}, "daemun logs a.test -f --status 5xx --grep 'a '\"'\"'b'\"'\"''"),
        ({"slow": "1s", "method": "GET,POST"}, "daemun logs a.test -f --slow 1s --method GET,POST"),
        ({"path": "/x"}, "daemun logs a.test/x -f"),
    ],
)
def test_logs(query: dict[str, str], line: str) -> None:
    assert page_commands.of_log("a.test", query) == line


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ({}, "daemun traffic a.test --since 24h"),
        ({"span": "90d", "route": "/api/"}, "daemun traffic a.test/api/ --since 90d"),
        ({"span": "odd", "route": "/"}, "daemun traffic a.test --since 24h"),
        ({"route": "~ ^/x"}, "daemun traffic a.test --since 24h"),
    ],
)
def test_traffic(query: dict[str, str], line: str) -> None:
    assert page_commands.of_traffic("a.test", query) == line


def test_certificates_and_sessions() -> None:
    assert page_commands.of_certificates(text="", lamp="", days=None) == "daemun certs"
    assert page_commands.of_certificates(text="", lamp="", days=90) == "daemun certs forecast --days 90"
    assert page_commands.of_certificates(text=" a ", lamp="bad", days=90) == "daemun certs list --search a --only bad"
    assert page_commands.of_sessions("") == "daemun dashboard sessions"
    assert page_commands.of_sessions("ann") == "daemun sessions list --user ann"


@pytest.mark.parametrize("value", ["$(id)", "`id`", "a;b", "'", '"', "\n", "-c", "a b", "*"])
def test_nothing_is_run_by_a_shell(value: str) -> None:
    words = shlex.split(page_commands.write("bans", search=value))
    assert words in (["daemun", "bans", "--search", value], ["daemun", "bans", f"--search={value}"])
