"""What `daemun why` reads without a gate: a file with errors, streams, and names of this machine."""

import asyncio
import dataclasses
import datetime
import pathlib
import typing

import pytest

from daemun import settings
from daemun.cli.commands import why
from daemun.core import layout
from daemun.core.options import access_option
from daemun.core.why import condition_match, requested_url, url_facts, why_story
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


OVER = """
sites:
  chat.test:
    from: docker
    access: {deny: [203.0.113.66]}
    routes:
      /admin/: {access: {allow: [203.0.113.0/24]}}
      /off/: {respond: 503}
"""


def report_of(*servers: str, over: str | None = "container chat-1") -> dict[str, object]:
    def route(path: str, kind: str, *to: str) -> dict[str, object]:
        return {"path": path, "entry": None, "kind": kind, "to": to}

    routes = [route(path, "proxy", *servers) for path in ("/", "/admin/", "/admin/x/")]
    waiting = [route("/", "respond", "503"), route("/admin/", "respond", "503")]
    site = {"host": "chat.test", "aliases": [], "tls": "local", "http": "serve", "source": "file", "enabled": True}
    more = {"origin": "daemun.yaml:3:3", "over": over, "state": "waiting" if over is None else "live"}
    return {
        "sites": [
            {**site, **more, "routes": [*(waiting if over is None else routes), route("/off/", "respond", "503")]}
        ]
    }


def tell(tmp_path: pathlib.Path, path: str, report: dict[str, object] | None) -> url_facts.UrlFacts:
    chosen = choose(tmp_path, OVER)
    url = requested_url.parse(f"https://chat.test{path}")
    question = why_url.WhyRequest(url=url, request=condition_match.SentRequest(), report=report, visits=False)
    look = why_url.Look(chosen, question, *why_url.read_file(chosen))
    facts = asyncio.run(look.run_without_servers())
    visit = url_facts.GateVisit(url=url, at="127.0.0.1:443", answer=url_facts.HttpAnswer(status=503))
    return dataclasses.replace(facts, visits=(visit,))


def test_a_site_over_containers_has_their_routes(tmp_path: pathlib.Path) -> None:
    """It was taken for one that waits, whatever the daemon had."""
    for path, name, is_guarded in (
        ("/x", "/", False),
        ("/admin/y", "/admin/", True),
        ("/admin/x/y", "/admin/x/", True),
    ):
        facts = tell(tmp_path, path, report_of("http://10.0.0.2:80"))
        assert facts.site is not None and facts.route is not None
        assert (facts.route.name, facts.site.place) == (name, f"{facts.site.origin} over container chat-1")
        assert [str(one) for one in facts.route.action.targets] == ["http://10.0.0.2"]  # type: ignore[union-attr]
        assert bool(access_option.OPTION.of(facts.route)) is is_guarded
        told = why_story.make_story(facts)
        assert "waits-for-container" not in {one.kind for one in told.causes}
        steps = [one.message for one in told.steps]
        assert any("daemun.yaml:3:3 over container chat-1" in one for one in steps)
        assert any("to http://10.0.0.2" in one for one in steps)
    off = tell(tmp_path, "/off/", report_of("http://10.0.0.2:80"))
    assert {one.kind for one in why_story.make_story(off).causes} >= {"fixed-answer"}


def test_options_that_labels_set_have_the_container_as_their_place(tmp_path: pathlib.Path) -> None:
    report = report_of("http://10.0.0.2:80")
    entry: dict[str, typing.Any] = report["sites"][0]  # type: ignore[index]
    entry["routes"][0] |= {"labels": ["access", "robots"], "origin": "container chat-1"}
    facts = tell(tmp_path, "/x", report)
    said = [one.message for one in why_story.make_story(facts).steps]
    assert "labels of container chat-1 set `daemun.access`, `daemun.robots` there" in said
    assert "the label `daemun.access` of container chat-1 says who may come in" in said
    assert "open to everybody" not in said
    refused = url_facts.GateVisit(url=facts.url, at="127.0.0.1:443", answer=url_facts.HttpAnswer(status=403))
    causes = why_story.make_story(dataclasses.replace(facts, visits=(refused,))).causes
    assert "access-label" in {one.kind for one in causes}
    other = tell(tmp_path, "/admin/x/y", report)
    assert not [one for one in why_story.make_story(other).steps if "labels of" in one.message]


def test_a_site_over_containers_whose_servers_are_gone(tmp_path: pathlib.Path) -> None:
    told = why_story.make_story(tell(tmp_path, "/", report_of()))
    assert any("to no server that is known" in one.message for one in told.steps)
    assert not {"waits-for-container", "no-route"} & {one.kind for one in told.causes}


def test_a_site_that_waits_for_a_container(tmp_path: pathlib.Path) -> None:
    for report in (report_of(over=None), None):
        told = why_story.make_story(tell(tmp_path, "/", report))
        assert "waits-for-container" in {one.kind for one in told.causes}


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
