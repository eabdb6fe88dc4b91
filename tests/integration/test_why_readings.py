"""What `daemun why` reads without a gate: a file with errors, streams, and names of this machine."""

import pathlib

import pytest

from daemun import settings
from daemun.cli.commands import why
from daemun.core import layout
from daemun.nginx import request_log
from daemun.probing import name_looks
from daemun.wiring.offline import why_url

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
