"""What the API needs to know of those who use it, implemented in `operators`."""

import dataclasses
import typing

from daemun import errors
from daemun.core.access import dashboard_roles


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCredentials:
    """What came with a request, nothing of it believed yet.

    authorization: the header; "" without. login: the session of `login` on `host`, which is the dashboard's. address:
    the visitor's, as nginx knows it.
    """

    authorization: str = dataclasses.field(default="", repr=False)
    login: str = dataclasses.field(default="", repr=False)
    host: str = ""
    address: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotedRequest:
    """What the audit log gets of a request. summary: what it does, in words. target, before, after: of what was
    changed, "" where there is nothing to say. status: of the answer."""

    operator: dashboard_roles.Operator
    method: str
    path: str
    summary: str
    status: int
    target: str = ""
    before: str = ""
    after: str = ""


class TooManyGuessesError(errors.DaemunError):
    """Somebody tried too many credentials that nobody has. retry_after_s: seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many wrong credentials came from your network; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class OperatorPort(typing.Protocol):
    async def identify(self, credentials: OperatorCredentials) -> dashboard_roles.Operator | None:
        """None: nobody who is known. Raises: TooManyGuessesError for whoever has to wait."""

    async def note(self, noted: NotedRequest) -> None:
        """Into the audit log. Never raises: what cannot be noted is reported among the problems of the status."""
