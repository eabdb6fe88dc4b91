"""The story of a URL, a request or a stream, as `daemun why` prints it and a page shows it. Blocking."""

import collections.abc
import dataclasses
import re
import typing

from daemun import causes, errors, settings
from daemun.core import model
from daemun.core.texts import names, words
from daemun.core.why import (
    condition_match,
    request_causes,
    request_facts,
    requested_url,
    stream_story,
    url_facts,
    why_story,
)
from daemun.wiring.offline import why_request, why_url

Json = dict[str, typing.Any]

_ID = re.compile(r"[0-9a-f]{32}\Z|\d{1,20}-\d{1,20}\Z")
_HOST = re.compile(
    r"(?://)?(?:[A-Za-z0-9*_-]+(?:\.[A-Za-z0-9_-]+)+(?:[:/?]|\Z)|localhost(?:[:/?]|\Z)|\[[0-9a-fA-F:.]+\])"
)
_MOST_HEADERS = 50


class RunningDaemon(typing.Protocol):
    def report(self) -> Json | None:
        """`GET /status`; None: none runs, or it does not answer."""
        ...

    def bans(self) -> tuple[tuple[str, str], ...]:
        """Networks, each with why."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WhyQuestion:
    """subject: a URL, the id of a request, the name of a stream. address: of the visitor that is meant; None: this
    machine. check: raises where this URL may not be looked at. past_access: as of `WhyRequest`."""

    subject: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    address: str | None = None
    check: collections.abc.Callable[[requested_url.RequestedUrl, model.Desired | None], None] = lambda *_: None
    past_access: bool = True


def make_story(chosen: settings.Settings, daemon: RunningDaemon, question: WhyQuestion) -> url_facts.Story:
    """The whole story. chosen: with the file that the daemon reads. Raises: DaemunError."""
    subject = question.subject
    if _ID.match(subject) is not None:
        return _of_request(chosen, daemon, subject, past_access=question.past_access)
    file = why_url.read_file(chosen)
    story = _of_stream(file[0], daemon, subject)
    if story is not None:
        return story
    if "://" in subject or _HOST.match(subject) is not None:
        return _of_url(chosen, daemon, question, file)
    return _of_request(chosen, daemon, subject, past_access=question.past_access)


def _of_stream(desired: model.Desired | None, daemon: RunningDaemon, text: str) -> url_facts.Story | None:
    """Of the stream of this name, or at the port of this URL. None: there is none."""
    if desired is None:
        return None
    faulty = stream_story.find_faulty(desired, text)
    if faulty is not None:
        return faulty
    named = stream_story.find_by_name(desired, text)
    if named is None:
        try:
            url = requested_url.parse(text)
        except ValueError:
            return None
        named = stream_story.find_by_port(desired.globals, url.host, url.effective_port)
    if named is None:
        return None
    report = daemon.report()
    entries = () if report is None else report.get("streams") or ()
    entry = next((one for one in entries if isinstance(one, dict) and one.get("name") == named.name), None)
    return stream_story.make_story(named, entry, runs=report is not None)


def _of_url(
    chosen: settings.Settings,
    daemon: RunningDaemon,
    question: WhyQuestion,
    file: tuple[model.Desired | None, str | None],
) -> url_facts.Story:
    url = _parse(question.subject)
    request = _make_request(url, question.method, question.headers)
    if question.address is not None:
        _check_address(question.address)
    question.check(url, file[0])
    report = daemon.report()
    bans = daemon.bans() if report is not None and report.get("bans") else ()
    looked_for = why_url.WhyRequest(
        url=url,
        request=request,
        address=question.address,
        report=report,
        bans=bans,
        past_access=question.past_access,
    )
    return why_story.make_story(why_url.look(chosen, looked_for, file))


def _of_request(chosen: settings.Settings, daemon: RunningDaemon, wanted: str, *, past_access: bool) -> url_facts.Story:
    refused = request_facts.check_id(wanted)
    if refused is not None:
        raise errors.ConfigError(f"cannot look for {words.quoted(wanted)}: it {refused}")
    report = daemon.report()
    bans = daemon.bans() if report is not None and report.get("bans") else ()
    try:
        facts = why_request.look(chosen, wanted, report=report, bans=bans, past_access=past_access)
    except OSError as error:
        place = f"the logs in {chosen.layout.logs}"
        raise errors.EnvironmentProblemError(
            f"cannot read {place}: {causes.describe(error)}; run this as the owner of daemun"
        ) from error
    if facts is None:
        raise errors.NotFoundError(
            f"cannot find the request {words.quoted(wanted)}: no line in {chosen.layout.logs} has this id, or it is "
            "the beginning of more than one; write it as the error page shows it, or a URL with https:// to look at "
            "that; old logs are removed (`logs: {keep}`)"
        )
    return request_causes.make_story(facts)


def _parse(text: str) -> requested_url.RequestedUrl:
    try:
        return requested_url.parse(text)
    except ValueError as error:
        raise errors.ConfigError(f"cannot look at {words.quoted(text)}: it {error}") from error


def _make_request(
    url: requested_url.RequestedUrl, method: str, headers: tuple[tuple[str, str], ...]
) -> condition_match.SentRequest:
    if re.fullmatch(r"[A-Za-z][A-Za-z_-]{0,31}", method) is None:
        raise errors.ConfigError(
            f"cannot look with the method {words.quoted(method)}: expected one such as GET or POST"
        )
    if len(headers) > _MOST_HEADERS:
        raise errors.ConfigError(f"cannot look with {len(headers)} headers: at most {_MOST_HEADERS}")
    pairs = list(headers)
    is_given = any(name.lower() == "upgrade" for name, _ in pairs)
    if url.is_websocket and not is_given:
        pairs += [
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "ZGFlbXVuLXdoeS10cmllcw=="),
            ("Origin", f"{url.scheme}://{url.authority}"),
        ]
    return condition_match.SentRequest(method=method.upper(), query=url.query, headers=tuple(pairs))


def _check_address(text: str) -> None:
    if names.address_of(text) is None or "[" in text:
        raise errors.ConfigError(f"cannot judge {words.quoted(text)}: expected an address such as 203.0.113.7")
