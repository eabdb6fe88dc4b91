"""`daemun why`."""

import re
import typing

import typer

from daemun import causes, errors, settings
from daemun.cli import common_options, control_client, daemon_state, json_answer, why_lines

if typing.TYPE_CHECKING:
    from daemun.core import model
    from daemun.core.why import condition_match, requested_url, url_facts

Json = dict[str, typing.Any]

Subject = typing.Annotated[
    str,
    typer.Argument(
        metavar="URL|REQUEST",
        help="A URL (ws:// and wss:// try a WebSocket; a host alone is meant with https), the id of a request, which "
        "error pages and logs show, or as much of it as no other has, or the name of a stream. A path alone, or a name "
        "without a dot, is no URL: write https:// before it.",
    ),
]
Method = typing.Annotated[
    str,
    typer.Option("--method", "-X", metavar="METHOD", help="Only GET, HEAD and OPTIONS are sent."),
]
Headers = typing.Annotated[
    list[str] | None,
    typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="A header of the request; may be repeated."),
]
Address = typing.Annotated[
    str | None, typer.Option("--from", metavar="ADDRESS", help="Whom `access` and bans judge; default: this machine.")
]
_ID = re.compile(r"[0-9a-f]{32}\Z|\d{1,20}-\d{1,20}\Z")
_HOST = re.compile(r"[A-Za-z0-9*_-]+(?:\.[A-Za-z0-9_-]+)+(?:[:/?]|\Z)|localhost(?:[:/?]|\Z)|\[[0-9a-fA-F:.]+\]")
_MOST_HEADERS = 50


@common_options.with_settings
def why(  # noqa: PLR0917 - Typer's
    chosen: settings.Settings,
    subject: Subject,
    method: Method = "GET",
    header: Headers = None,
    address: Address = None,
    as_json: common_options.AsJson = False,
) -> None:
    """Why a URL answers as it does, or what happened to a request: the cause, what to do, and the chain from the name
    to the server.

    Asks DNS, the gate and the servers as a visitor would, and reads the logs. Changes nothing, and needs no running
    daemon. Exits with 1 when something is wrong.
    """
    story = tell(chosen, subject, method=method, headers=header or [], address=address)
    if as_json:
        json_answer.print_json(why_lines.json_of(story))
    else:
        why_lines.print_story(story)
    raise typer.Exit(1 if story.causes else 0)


def tell(
    chosen: settings.Settings, subject: str, *, method: str = "GET", headers: list[str], address: str | None = None
) -> "url_facts.Story":
    """The whole story. Raises: DaemunError."""
    chosen = daemon_state.with_daemons_file(chosen)
    daemon = _Daemon(chosen)
    if _ID.match(subject) is not None:
        return _of_request(chosen, daemon, subject)
    from daemun.wiring.offline import why_url

    file = why_url.read_file(chosen)
    story = _of_stream(file[0], daemon, subject)
    if story is not None:
        return story
    if "://" in subject or _HOST.match(subject) is not None:
        return _of_url(chosen, daemon, subject, method, headers, address, file)
    return _of_request(chosen, daemon, subject)


def _of_stream(desired: "model.Desired | None", daemon: "_Daemon", text: str) -> "url_facts.Story | None":
    """Of the stream of this name, or at the port of this URL. None: there is none."""
    from daemun.core.why import requested_url, stream_story

    if desired is None:
        return None
    faulty = stream_story.tell_faulty(desired, text)
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
    return stream_story.tell(named, entry, runs=report is not None)


class _Daemon:
    """What a running daemon reports; None: none runs, or it does not answer."""

    def __init__(self, chosen: settings.Settings) -> None:
        self._client = control_client.ControlClient(chosen)

    def report(self) -> Json | None:
        try:
            return self._client.status()
        except errors.DaemunError:
            return None

    def bans(self) -> tuple[tuple[str, str], ...]:
        try:
            found = self._client.bans()
        except errors.DaemunError:
            return ()
        return tuple((one["address"], one["note"] or one["reason"]) for one in found)


def _of_url(  # noqa: PLR0917 - what the command was given
    chosen: settings.Settings,
    daemon: _Daemon,
    text: str,
    method: str,
    headers: list[str],
    address: str | None,
    file: "tuple[model.Desired | None, str | None]",
) -> "url_facts.Story":
    from daemun.core.why import why_story
    from daemun.wiring.offline import why_url

    url = _parse(text)
    request = _make_request(url, method, headers)
    if address is not None:
        _check_address(address)
    report = daemon.report()
    bans = daemon.bans() if report is not None and report.get("bans") else ()
    question = why_url.WhyRequest(url=url, request=request, address=address, report=report, bans=bans)
    return why_story.tell(why_url.look(chosen, question, file))


def _of_request(chosen: settings.Settings, daemon: _Daemon, wanted: str) -> "url_facts.Story":
    from daemun.core.texts import words
    from daemun.core.why import request_causes, request_facts
    from daemun.wiring.offline import why_request

    refused = request_facts.check_id(wanted)
    if refused is not None:
        raise errors.ConfigError(f"cannot look for {words.quoted(wanted)}: it {refused}")
    report = daemon.report()
    bans = daemon.bans() if report is not None and report.get("bans") else ()
    try:
        facts = why_request.look(chosen, wanted, report=report, bans=bans)
    except OSError as error:
        place = f"the logs in {chosen.layout.logs}"
        raise errors.EnvironmentProblemError(
            f"cannot read {place}: {causes.describe(error)}; run this as the owner of daemun"
        ) from error
    if facts is None:
        raise errors.EnvironmentProblemError(
            f"cannot find the request {words.quoted(wanted)}: no line in {chosen.layout.logs} has this id, or it is "
            "the beginning of more than one; write it as the error page shows it, or a URL with https:// to look at "
            "that; old logs are removed (`logs: {keep}`)"
        )
    return request_causes.tell(facts)


def _parse(text: str) -> "requested_url.RequestedUrl":
    from daemun.core.texts import words
    from daemun.core.why import requested_url

    try:
        return requested_url.parse(text)
    except ValueError as error:
        raise errors.ConfigError(f"cannot look at {words.quoted(text)}: it {error}") from error


def _make_request(url: "requested_url.RequestedUrl", method: str, headers: list[str]) -> "condition_match.SentRequest":
    from daemun.core.texts import words
    from daemun.core.why import condition_match

    if re.fullmatch(r"[A-Za-z][A-Za-z_-]{0,31}", method) is None:
        raise errors.ConfigError(
            f"cannot look with the method {words.quoted(method)}: expected one such as GET or POST"
        )
    if len(headers) > _MOST_HEADERS:
        raise errors.ConfigError(f"cannot look with {len(headers)} headers: at most {_MOST_HEADERS}")
    pairs = []
    for text in headers:
        try:
            pairs.append(why_lines.split_header(text))
        except ValueError as error:
            raise errors.ConfigError(f"cannot look with the header {words.quoted(text)}: {error}") from error
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
    from daemun.core.texts import names, words

    if names.address_of(text) is None or "[" in text:
        raise errors.ConfigError(f"cannot judge {words.quoted(text)}: expected an address such as 203.0.113.7")
