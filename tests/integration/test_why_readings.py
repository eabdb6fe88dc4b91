"""What `daemun why` reads without a gate: a file with errors, streams, and names of this machine."""

import datetime
import pathlib

import pytest

from daemun import settings
from daemun.cli.commands import why
from daemun.core import layout
from daemun.nginx import request_log
from daemun.probing import name_looks
from daemun.wiring.offline import why_request, why_url

STREAM = "streams: {dead: {listen: 23501, to: 'tcp://127.0.0.1:4'}}\n"


def choose(tmp_path: pathlib.Path, text: str) -> settings.Settings:
    config = tmp_path / "daemun.yaml"
    config.write_text(text)
    return settings.Settings(config=config, state=tmp_path / "state")


def test_sites_beside_a_faulty_one_are_known(tmp_path: pathlib.Path) -> None:
    file = "sites: {good.test: 'http://127.0.0.1:3', bad.test: 'ftp://x'}\n"
    desired, error = why_url.read_file(choose(tmp_path, file))
    assert error is None
    assert desired is not None
    assert [site.host for site in desired.sites] == ["good.test"]
    assert [one.host for one in desired.problems] == ["bad.test"]


def test_a_file_of_which_nothing_can_be_used(tmp_path: pathlib.Path) -> None:
    desired, error = why_url.read_file(choose(tmp_path, "sites: {app.test: }\n  nonsense"))
    assert desired is None
    assert error is not None
    assert "daemun.yaml:2:3" in error


def test_the_command_finds_streams(tmp_path: pathlib.Path) -> None:
    chosen = choose(tmp_path, STREAM)
    for subject in ("dead", "127.0.0.1:23501", "tcp.example.com:23501"):
        assert why.tell(chosen, subject, headers=[]).subject == "stream dead"
    choose(tmp_path, "streams: {dead: {listen: 23501, to: 'nothing'}}\n")
    assert {one.kind for one in why.tell(chosen, "dead", headers=[]).causes} == {"stream-faulty"}


@pytest.mark.parametrize(
    ("host", "is_known"), [("app.localhost", True), ("localhost", True), ("alocalhost.test", False)]
)
async def test_names_below_localhost_lead_here_without_a_resolver(host: str, is_known: bool) -> None:
    async def resolve(_: str) -> tuple[tuple[str, ...], str | None]:
        return (), "name or service not known"

    async def answers_there(_: str) -> bool:
        return False

    found = await name_looks.look(host, 1, resolve=resolve, answers_there=answers_there)
    assert (found.failure is None, found.is_implied, found.own == ("127.0.0.1",)) == (is_known,) * 3


def test_the_beginning_of_an_id(tmp_path: pathlib.Path) -> None:
    paths = layout.Layout(str(tmp_path))
    log = request_log.path_of(paths)
    log.parent.mkdir(parents=True)
    line = (
        '127.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 502 5 "-" "x" host="a.test" upstream="-" '
        'upstream_status="-" request_time=0.000 upstream_response_time="-" tls="-" request_id=%s\n'
    )
    log.write_text(line % ("abcdef00" * 4) + line % ("abcdef11" * 4) + line % ("abcdef00" * 4))
    assert request_log.complete_id(paths, "abcdef0") == "abcdef00" * 4
    assert request_log.complete_id(paths, "abcdef") is None
    assert request_log.complete_id(paths, "123456") is None


ID, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
FAILED = "connect() failed (111: Connection refused) while connecting to upstream"
STDERR = 'FastCGI sent in stderr: "PHP message: oops'


def log_line(words: str, connection: int, uri: str = "/x") -> str:
    return (
        f"2026/11/30 09:00:01 [error] 7#7: *{connection} {words}, client: 192.0.2.1, server: app.test, "
        f'request: "GET {uri} HTTP/1.1", upstream: "http://127.0.0.1:3/", host: "app.test"\n'
    )


def find(tmp_path: pathlib.Path, wanted: str, *errors: str) -> tuple[str, ...] | None:
    """What the error log has of that request, which the access log has as a GET of /x at 09:00:01."""
    chosen = choose(tmp_path, "sites: {app.test: 'http://127.0.0.1:3'}\n")
    logs = pathlib.Path(chosen.layout.logs)
    logs.mkdir(parents=True, exist_ok=True)
    at = datetime.datetime(2026, 11, 30, 9, 0, 1).astimezone()
    (logs / "access.log").write_text(
        f'192.0.2.1 - - [{at:%d/%b/%Y:%H:%M:%S %z}] "GET /x HTTP/1.1" 404 9 "-" "-" host="app.test" upstream="-" '
        f'upstream_status="-" request_time=0.000 upstream_response_time="-" tls="-" request_id={ID}\n'
    )
    (logs / "error.log").write_text("".join(errors))
    facts = why_request.look(chosen, wanted, report=None)
    return None if facts is None else facts.errors


def test_errors_that_a_server_wrote_are_not_those_of_a_request(tmp_path: pathlib.Path) -> None:
    mark = log_line(f"answered 404, request_id: {ID}", 5)
    failed, forged = log_line(FAILED, 5), log_line("FORGED", 5)
    assert find(tmp_path, ID, failed, mark) == (failed.strip(),)
    assert find(tmp_path, ID, failed, log_line(STDERR, 8, "/of-another"), forged, mark) == (failed.strip(),)
    # Forged with an old time it does not end the search.
    assert find(tmp_path, ID, failed, log_line(STDERR, 8), forged.replace("2026/", "2020/"), mark) == (failed.strip(),)


def test_the_mark_of_a_page_right_after_what_php_reports(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts where the access log has the same."""
    monkeypatch.setattr(why_request, "FLUSHED_S", 0.0)
    reported = log_line(STDERR, 5)
    assert find(tmp_path, ID, reported, log_line(f"answered 404, request_id: {ID}", 5)) == (reported.strip(),)
    assert find(tmp_path, ID, reported, log_line(f"answered 404, request_id: {ID}", 5, "/other")) == ()
    assert find(tmp_path, OTHER, reported, log_line(f"answered 404, request_id: {OTHER}", 5)) is None
