"""What there is to know of an entry of `streams`, which has no URL: its name or its port was given. Pure."""

import collections.abc

from daemun.core import model
from daemun.core.options import streams_option
from daemun.core.texts import words
from daemun.core.why import url_facts

_SEE = "`daemun status` shows its state, and how its servers are"


def find_by_name(desired: model.Desired, text: str) -> streams_option.NamedStream | None:
    """None: no stream has the name, or a site has it, too."""
    if any(text in site.names for site in desired.sites):
        return None
    return next((one for one in streams_option.OPTION.of(desired.globals) if one.name == text), None)


def find_faulty(desired: model.Desired, text: str) -> url_facts.Story | None:
    """Of a stream of this name that has an error in the file. None: there is none."""
    causes = tuple(
        url_facts.Cause(
            kind="stream-faulty",
            cause=model.located(str(one.origin), one.reason),
            cure=one.cure or "correct the file; `daemun check` shows the place",
        )
        for one in desired.problems
        if one.severity is model.Severity.ERROR and streams_option.find_name(one) == text
    )
    return url_facts.Story(subject=f"stream {text}", causes=causes, steps=()) if causes else None


def find_by_port(settings: model.Globals, host: str, port: int) -> streams_option.NamedStream | None:
    """The stream that takes connections at the port of a URL. A port that sites have, too, is a stream's for the names
    that it takes alone."""
    is_of_sites = any(one.port == port for one in (*settings.listen.http, *settings.listen.https))
    for named in streams_option.OPTION.of(settings):
        if named.stream.is_udp or not any(one.port == port for one in named.stream.listen):
            continue
        if host in named.hosts_passed if is_of_sites else True:
            return named
    return None


def make_story(
    named: streams_option.NamedStream, entry: collections.abc.Mapping[str, object] | None, *, runs: bool
) -> url_facts.Story:
    """entry: as the running daemon reports the stream; None: it has none of this name. runs: whether one runs."""
    name, stream, state = named.name, named.stream, _text(entry, "state")
    listed = ", ".join(map(str, stream.listen))
    to = ", ".join(str(server.url) for server in stream.to[:4])
    steps = [
        url_facts.ChainLink(
            topic="stream",
            weight=model.Weight.GOOD,
            message=f"{words.quoted(name)} passes {stream.protocol.value} at {listed} on to {to}, and answers no URL",
        )
    ]
    causes: tuple[url_facts.Cause, ...] = ()
    if state is not None:
        weight = model.Weight.GOOD if state in {"live", "disabled"} else model.Weight.BLOCKS
        steps.append(url_facts.ChainLink(topic="stream", weight=weight, message=f"daemun has it as {state}; {_SEE}"))
    if not stream.enabled:
        cause = f"the stream {words.quoted(name)} is switched off (`enabled: false`)"
        causes = (url_facts.Cause(kind="stream-disabled", cause=cause, cure="take `enabled: false` out of it"),)
    elif state not in {None, "live"}:
        cause = _text(entry, "reason") or f"the stream {words.quoted(name)} is not live: it is {state}"
        causes = (url_facts.Cause(kind="stream-state", cause=cause, cure=_text(entry, "cure") or _SEE),)
    elif runs and entry is None:
        cause = f"the stream {words.quoted(name)} is in the file, and the running daemun does not have it"
        causes = (url_facts.Cause(kind="stream-state", cause=cause, cure="`daemun apply` applies the file"),)
    missing = () if runs else ("no daemon runs here, so the state of the stream is not known",)
    return url_facts.Story(subject=f"stream {name}", causes=causes, steps=tuple(steps), missing=missing)


def _text(entry: collections.abc.Mapping[str, object] | None, key: str) -> str | None:
    value = None if entry is None else entry.get(key)
    return value if isinstance(value, str) else None
