"""Which errors of the file `daemun why` names for a URL: those of its site, one cause each. And streams, and names of
this machine."""

import dataclasses

import pytest

from daemun.core import model
from daemun.core.options import access_option, catalogue
from daemun.core.rounds import merge
from daemun.core.why import (
    condition_match,
    logged_errors,
    requested_url,
    route_walk,
    site_choice,
    stream_story,
    url_causes,
    url_facts,
    why_story,
)
from daemun.sources import yaml_file
from tests.unit import test_why_causes

FACTS = test_why_causes.FACTS

FILE = """
sites:
  good.localhost: http://127.0.0.1:3000
  bad.localhost: "ftp://x"
  worse.localhost: {routes: {/: {to: "http://x:99999"}}, nonsense: 1}
"""
STREAM = "streams: {dead: {listen: 23501, to: 'tcp://127.0.0.1:4'}, names: {listen: 53, to: 'udp://127.0.0.1:5'}}\n"


def read(text: str) -> model.Desired:
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    return merge.merge_snapshots([snapshot], validated=snapshot.source)


def look(desired: model.Desired | None, host: str, error: str | None = None) -> url_facts.UrlFacts:
    """What a gate that answers well has of the host, by this file."""
    choice = site_choice.SiteChoice() if desired is None else site_choice.choose(desired, host)
    walk = None if choice.site is None else route_walk.walk(choice.site, "/", condition_match.SentRequest())
    url = requested_url.parse(f"https://{host}/")
    return dataclasses.replace(FACTS, url=url, desired=desired, config_error=error, choice=choice, walk=walk)


def test_a_healthy_site_beside_faulty_ones() -> None:
    story = why_story.make_story(look(read(FILE), "good.localhost"))
    assert story.causes == ()
    (remark,) = [one for one in story.steps if one.topic == "file"]
    assert (remark.weight, "3 errors apart from this site, which" in remark.message) == (model.Weight.WARNS, True)
    assert story.missing == ()


@pytest.mark.parametrize(
    ("host", "parts"),
    [("bad.localhost", ['scheme "ftp"']), ("worse.localhost", ["http://x:99999", 'unknown key "nonsense"'])],
)
def test_a_faulty_site_has_its_own_errors_one_cause_each(host: str, parts: list[str]) -> None:
    story = why_story.make_story(look(read(FILE), host))
    assert [one.kind for one in story.causes] == ["site-faulty"] * len(parts)
    for cause, part in zip(story.causes, parts, strict=True):
        assert part in cause.cause
        assert cause.cure == "correct the file; `daemun check` shows the place"
    assert not any("no route" in one.message or "no site takes" in one.message for one in story.steps)


def test_an_error_of_the_whole_file_is_named_where_no_site_has_the_name() -> None:
    desired = read("nonsense: 1\n" + FILE)
    assert url_causes.find_causes(look(desired, "good.localhost")) == ()
    kinds = [one.kind for one in url_causes.find_causes(look(desired, "other.localhost"))]
    assert kinds == ["no-site", "configuration"]


def test_a_file_of_which_nothing_can_be_used() -> None:
    error = "daemun.yaml:2:3: this line does not fit those above it; check the indentation and the quotes"
    (cause,) = url_causes.find_causes(look(None, "app.test", error))
    assert (cause.kind, "daemun.yaml:2:3" in cause.cause) == ("configuration", True)
    served = dataclasses.replace(look(None, "app.example.com", error), choice=FACTS.choice)
    story = why_story.make_story(served)
    assert story.causes == ()
    assert [one.weight for one in story.steps if one.topic == "file"] == [model.Weight.WARNS]


# --- the address of --from --------------------------------------------------------------------------------------


def claimed(address: str, status: int = 403) -> url_facts.UrlFacts:
    options = catalogue.values(access_option.OPTION.set(access_option.Access(allow=("10.9.9.9",))))
    site = model.Site(host="app.example.com", routes=(test_why_causes.ROUTE,), options=options)
    return dataclasses.replace(
        FACTS,
        is_claimed=True,
        request=condition_match.SentRequest(address=address),
        choice=dataclasses.replace(FACTS.choice, site=site),
        visits=test_why_causes.visits(url_facts.HttpAnswer(status=status)),
        error_lines=(
            "2026/01/02 03:04:05 [error] 7#7: *5 access forbidden by rule, client: 127.0.0.1, server: app.example.com, "
            'request: "GET /x HTTP/1.1", host: "app.example.com"',
        ),
    )


def test_the_refusal_of_this_machine_is_no_cause_for_an_address_that_may_come_in() -> None:
    story = why_story.make_story(claimed("10.9.9.9"))
    assert story.causes == ()
    assert story.steps[-1].weight is model.Weight.WARNS
    assert [one.kind for one in why_story.make_story(claimed("10.9.9.8")).causes] == ["access-allow"]
    assert [one.kind for one in why_story.make_story(claimed("10.9.9.9", 500)).causes] != []


# --- names of this machine --------------------------------------------------------------------------------------


def test_a_name_below_localhost_is_good() -> None:
    names = url_facts.NameLook(addresses=("127.0.0.1",), own=("127.0.0.1",), reached=("127.0.0.1",), is_implied=True)
    story = why_story.make_story(dataclasses.replace(FACTS, names=names))
    assert story.causes == ()
    assert {one.weight for one in story.steps if one.topic == "dns"} == {model.Weight.GOOD}
    assert any("127.0.0.1 app.example.com" in one.message for one in story.steps)


# --- streams ----------------------------------------------------------------------------------------------------


def test_a_stream_by_its_name_and_by_its_port() -> None:
    desired = read(STREAM)
    named = stream_story.find_by_name(desired, "dead")
    assert named is not None
    assert stream_story.find_by_port(desired.globals, "127.0.0.1", 23501) == named
    assert stream_story.find_by_port(desired.globals, "127.0.0.1", 53) is None
    assert stream_story.find_by_port(desired.globals, "127.0.0.1", 443) is None
    live = stream_story.make_story(named, {"state": "live"}, runs=True)
    assert (live.causes, "tcp://127.0.0.1:4" in live.steps[0].message) == ((), True)
    held = stream_story.make_story(
        named, {"state": "quarantined", "reason": "nginx refuses it", "cure": "x"}, runs=True
    )
    assert [(one.kind, one.cause, one.cure) for one in held.causes] == [("stream-state", "nginx refuses it", "x")]
    assert [one.kind for one in stream_story.make_story(named, None, runs=True).causes] == ["stream-state"]
    assert stream_story.make_story(named, None, runs=False).missing


# --- words ------------------------------------------------------------------------------------------------------


def test_a_websocket_is_named_as_it_was_written() -> None:
    facts = dataclasses.replace(FACTS, url=requested_url.parse("wss://app.example.com/ws"))
    assert why_story.make_story(facts).subject == "GET wss://app.example.com/ws"


def test_a_host_of_another_site() -> None:
    request = condition_match.SentRequest(headers=(("Host", "other.example.com"),), address="127.0.0.1")
    answer = test_why_causes.visits(url_facts.HttpAnswer(status=421))
    (cause,) = url_causes.find_causes(dataclasses.replace(FACTS, request=request, visits=answer))
    assert (cause.kind, '"other.example.com"' in cause.cause) == ("other-name", True)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"/var/lib/daemun/cache/a/bc/{'0a' * 16}", "kept-forbidden"),
        (f"/var/lib/daemun/cache/a/bc/{'0a' * 16}.0000000001", "kept-forbidden"),
        ("/srv/www/cache/logo.png", "file-forbidden"),
    ],
)
def test_files_of_the_cache_are_not_made_readable(path: str, kind: str) -> None:
    line = f'2026/01/02 03:04:05 [crit] 7#7: *5 open() "{path}" failed (13: Permission denied), client: 127.0.0.1, '
    line += 'server: app.example.com, request: "GET / HTTP/1.1", host: "app.example.com"'
    found = logged_errors.explain((line,))
    assert found is not None
    assert (found.kind, "chmod" in (found.cure or "")) == (kind, kind == "file-forbidden")
