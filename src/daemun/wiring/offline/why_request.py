"""What the logs, and the file, have of one request that was, for `daemun why`. Changes nothing, and needs no daemon."""

import contextlib
import dataclasses
import datetime
import pathlib
import time

from daemun import settings
from daemun.core import layout
from daemun.core.logged import error_line, logged_request
from daemun.core.why import condition_match, request_facts, requested_url
from daemun.nginx import log_files, request_log
from daemun.wiring import clock
from daemun.wiring.offline import configuration, run_async, why_url

FLUSHED_S = 2.5
"""nginx writes lines of the access log within a second."""
_POLL_S = 0.25
_AROUND = datetime.timedelta(seconds=5)
_MOST_ERRORS = 20


def look(
    chosen: settings.Settings,
    wanted: str,
    *,
    report: why_url.Json | None,
    bans: tuple[tuple[str, str], ...] = (),
    past_access: bool = True,
) -> request_facts.RequestFacts | None:
    """wanted: an id, good as of `request_facts.check_id`. report, bans, past_access: as of `why_url.WhyRequest`. None:
    no log has it. Blocking, seconds when the line was not written yet. Raises: OSError when a log cannot be read."""
    waited_until = time.monotonic() + FLUSHED_S
    facts, is_complete = _search(chosen.layout, wanted)
    while not is_complete and time.monotonic() < waited_until and pathlib.Path(chosen.layout.logs).is_dir():
        time.sleep(_POLL_S)
        facts, is_complete = _search(chosen.layout, wanted)
    if facts is None and (whole := _complete(chosen.layout, wanted)) is not None:
        facts, _ = _search(chosen.layout, whole)
    if facts is None:
        return None
    desired, config_error = why_url.read_file(chosen)
    missing = (
        []
        if config_error is None
        else [f"what the file has of it, for it cannot be used: {config_error.splitlines()[0]}"]
    )
    if report is None:
        missing.append("no daemon runs here, so its state, bans and containers are not known")
        missing += [str(one) for one in configuration.unseen(chosen, desired)] if desired is not None else []
    facts = dataclasses.replace(
        facts, desired=desired, hold_socket=chosen.layout.hold_socket, missing=(*facts.missing, *missing)
    )
    return run_async.run(_with_today(chosen, facts, report, bans, past_access))


def _search(paths: layout.Layout, wanted: str) -> tuple[request_facts.RequestFacts | None, bool]:
    """What is there, and whether that is all: of a page, the lines of both logs, which nginx writes apart."""
    line: logged_request.LoggedRequest | None = None
    with contextlib.suppress(FileNotFoundError):
        line = request_log.find_by_id(paths, wanted)
    mark = _find_mark(paths, wanted, line)
    if line is None and mark is None:
        return None, False
    has_connection = request_facts.is_connection_id(wanted)
    is_complete = line is not None and (has_connection or mark is not None or line.status is None or line.status < 400)
    connection = wanted.partition("-")[0] if has_connection else None
    missing: tuple[str, ...] = ()
    if mark is not None:
        connection = mark.connection
    if line is None and mark is not None:
        missing = ("the access log does not have it: it is off, or was rotated away",)
        answered = request_facts.MARK.match(mark.words)
        line = dataclasses.replace(
            mark.request, status=int(answered[1]) if answered else None, upstream=_none(mark.upstream)
        )
    assert line is not None
    errors = _find_errors(paths, connection, line)
    facts = request_facts.RequestFacts(
        id=wanted, now=clock.SystemClock().now(), line=line, errors=errors, missing=missing
    )
    return facts, is_complete


def _complete(paths: layout.Layout, beginning: str) -> str | None:
    """The one id of a page that begins so. None: there is none, or more than one."""
    if request_facts.BEGINNING.match(beginning) is None:
        return None
    with contextlib.suppress(FileNotFoundError):
        return request_log.complete_id(paths, beginning)
    return None


def _none(text: str | None) -> str | None:
    return None if text == "-" else text


def _find_mark(
    paths: layout.Layout, wanted: str, line: logged_request.LoggedRequest | None
) -> error_line.RequestErrorLine | None:
    """daemun's own line in the error log, which has the id of a page and the number of its connection. One that a
    server may have written counts where it states what the access log has of the request: PHP reports something in the
    log, and the gate's page comes right after it."""
    holds = f"request_id: {wanted},".encode()
    path = pathlib.Path(paths.logs, "error.log")
    with contextlib.suppress(FileNotFoundError), log_files.LogFiles(path) as files:
        for is_own in (True,) if line is None else (True, False):
            lines = error_line.find_own(files.backwards(), holds) if is_own else files.backwards()
            for text in lines:
                if holds not in text or (found := error_line.read(text)) is None:
                    continue
                if found.request.request_id == wanted and (is_own or _is_same(found.request, line)):
                    return found
    return None


def _is_same(one: logged_request.LoggedRequest, other: logged_request.LoggedRequest | None) -> bool:
    """By who sent it, and what."""
    return other is not None and all(
        getattr(one, name) == getattr(other, name) for name in ("client", "host", "method", "uri")
    )


def _find_errors(paths: layout.Layout, connection: str | None, line: logged_request.LoggedRequest) -> tuple[str, ...]:
    """Lines of nginx's own of the same connection, about the same request, at that time: numbers of connections begin
    anew when nginx starts, and one connection has many requests."""
    if connection is None:
        return ()
    holds = f" *{connection} ".encode()
    begun = None if line.at is None else line.at - datetime.timedelta(seconds=line.request_s or 0) - _AROUND
    found: list[str] = []
    with contextlib.suppress(FileNotFoundError), log_files.LogFiles(pathlib.Path(paths.logs, "error.log")) as files:
        for text in error_line.find_own(files.backwards(), holds):
            if (read := error_line.read(text)) is None or read.connection != connection:
                continue
            at = read.request.at
            if begun is not None and at is not None and at < begun:
                break
            is_later = line.at is not None and at is not None and at > line.at + _AROUND
            is_same = (read.request.method, read.request.uri) == (line.method, line.uri)
            if is_same and not is_later and request_facts.MARK.match(read.words) is None:
                found.append(text.decode("utf-8", "replace"))
            if len(found) >= _MOST_ERRORS:
                break
    return tuple(reversed(found))


async def _with_today(
    chosen: settings.Settings,
    facts: request_facts.RequestFacts,
    report: why_url.Json | None,
    bans: tuple[tuple[str, str], ...],
    past_access: bool,
) -> request_facts.RequestFacts:
    """With what the URL finds today: the site, the route, and its servers where one of them was at fault."""
    line = facts.line
    url = _url_of(line) if line is not None else None
    if line is None or url is None:
        return facts
    request = condition_match.SentRequest(method=line.method or "GET", query=url.query)
    question = why_url.WhyRequest(
        url=url, request=request, address=line.client, report=report, bans=bans, visits=False, past_access=past_access
    )
    look_ = why_url.Look(chosen, question, facts.desired)
    is_of_server = line.status is None or line.status >= 500
    today = await (look_.run() if is_of_server else look_.run_without_servers())
    return dataclasses.replace(facts, choice=today.choice, walk=today.walk, today=today)


def _url_of(line: logged_request.LoggedRequest) -> requested_url.RequestedUrl | None:
    scheme = "https" if line.tls is not None else "http"
    uri = line.uri or "/"
    try:
        return requested_url.parse(f"{scheme}://{line.host}{uri if uri.startswith('/') else '/'}")
    except ValueError:
        return None
