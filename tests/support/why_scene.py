"""A gate that is asked why its URLs answer as they do, as the command asks, in the process of the test."""

import contextlib
import dataclasses
import re

from daemun import errors, settings
from daemun.cli import why_lines
from daemun.cli.commands import why
from daemun.core.why import url_facts
from tests.support import daemon as daemon_support


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """gate: that runs. chosen: as its commands have it."""

    gate: daemon_support.Daemon
    chosen: settings.Settings

    def tell(self, subject: str, *headers: str, method: str = "GET", address: str | None = None) -> url_facts.Story:
        """subject: {https} and {http} are the gate's ports."""
        written = subject.format(https=self.gate.https, http=self.gate.http)
        return why.tell(self.chosen, written, method=method, headers=list(headers), address=address)

    def wait_told(self, request: str, kind: str) -> url_facts.Story:
        """The story of a request, once nginx has written all of its lines."""
        seen: list[url_facts.Story] = []

        def look() -> bool:
            with contextlib.suppress(errors.DaemunError):
                seen.append(self.tell(request))
            return bool(seen and seen[-1].causes) and first(seen[-1]).kind == kind

        self.gate.wait(look, f"{kind} of the request {request}")
        return seen[-1]


def first(story: url_facts.Story) -> url_facts.Cause:
    assert story.causes, why_lines.lines_of(story)
    return story.causes[0]


def page_id(text: str) -> str:
    """Of an error page of the gate."""
    found = re.search(r"[Rr]equest ([0-9a-f]{32})", text)
    assert found is not None, text
    return found[1]
