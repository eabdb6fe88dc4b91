"""`daemun why` for a page (`control.site_port.StoryMaker`)."""

import typing

from daemun import settings
from daemun.control import site_port
from daemun.core import model
from daemun.core.texts import secret_forms, words
from daemun.core.why import requested_url, site_choice, story_json
from daemun.web import json_values
from daemun.wiring.offline import why_daemon, why_stories

Json = dict[str, typing.Any]


class SiteStories:
    """chosen: with the file that the daemon reads."""

    def __init__(self, chosen: settings.Settings) -> None:
        self._settings = chosen

    def make_story(self, subject: str, known: site_port.GateReport, *, is_owner: bool) -> Json:
        report = json_values.status_json(known.status, known.old)

        def check(url: requested_url.RequestedUrl, desired: model.Desired | None) -> None:
            if not is_owner:
                _check_own(url, desired, report)

        question = why_stories.WhyQuestion(subject=subject, check=check, past_access=is_owner)
        story = why_stories.make_story(self._settings, _KnownGate(report, known.bans), question)
        return story_json.to_json(story, story_json.on_one_line if is_owner else _hide)


def _hide(text: str) -> str:
    return secret_forms.hide(story_json.on_one_line(text))


class _KnownGate:
    def __init__(self, report: Json, bans: tuple[tuple[str, str], ...]) -> None:
        self._report = report
        self._bans = bans

    def report(self) -> Json | None:
        return self._report

    def bans(self) -> tuple[tuple[str, str], ...]:
        return self._bans


def _check_own(url: requested_url.RequestedUrl, desired: model.Desired | None, report: Json) -> None:
    """Whoever may look at the gate is not to look at the machine's network by it. Raises: ForeignUrlError."""
    is_of_file = desired is not None and site_choice.choose(desired, url.host).name is not None
    if not is_of_file and why_daemon.find_site(report, url.host) is None:
        raise site_port.ForeignUrlError(
            f"cannot look at {words.quoted(str(url))}: {words.quoted(url.host)} is no site of this gate, and only an "
            "owner of the dashboard may look at others; `daemun why` on the machine does"
        )
    if url.effective_port not in _find_ports(desired):
        raise site_port.ForeignUrlError(
            f"cannot look at {words.quoted(str(url))}: the gate does not listen on port {url.effective_port}, and only "
            "an owner of the dashboard may look at others; leave the port out"
        )


def _find_ports(desired: model.Desired | None) -> set[int]:
    if desired is None:
        return {80, 443}
    listen = desired.globals.listen
    own = {port for site in desired.enabled for port in (site.http_port, site.https_port) if port is not None}
    return {80, 443, *own, *(one.port for one in (*listen.http, *listen.https))}
