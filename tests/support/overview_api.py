"""The daemon's API as the first screen and the list of sites request it, of values."""

import collections.abc
import dataclasses
import datetime
import typing

from starlette import datastructures

from daemun.dashboard import api_client
from daemun.web import option_search_endpoints, overview_endpoints, overview_snapshots
from tests.support import overview_values

Json = dict[str, typing.Any]


@dataclasses.dataclass(slots=True)
class ApiRequest:
    method: str
    path: str
    query: dict[str, str]
    body: typing.Any


class OverviewApi(api_client.ApiClient):
    """Answers as the daemon's API. requests: what it got, but for what stands in the head of every page. same: how many
    sites of an edit are so already."""

    def __init__(self) -> None:
        super().__init__("none")
        self.role = "own"
        self.requests: list[ApiRequest] = []
        self.apply: Json = {"ok": True, "error": None, "waits": None, "problems": []}
        self.count, self.is_hurt = 120, True
        self.trial: Json | None = None
        self.same = 0
        self.certificates = ("wiki.example.com", "mail.example.com")

    @property
    def snapshot(self) -> overview_snapshots.OverviewSnapshot:
        return overview_values.snapshot(self.count, datetime.datetime.now(datetime.UTC), is_hurt=self.is_hurt)

    async def request(
        self,
        method: str,
        path: str,
        credentials: api_client.VisitorCredentials,
        *,
        query: collections.abc.Mapping[str, str] | None = None,
        body: collections.abc.Mapping[str, typing.Any] | None = None,
    ) -> typing.Any:
        if path == "/me":
            return {"name": overview_values.HOSTILE, "role": self.role, "state": "bad", "needs_you": 4}
        if (method, path) == ("GET", "/trial"):
            return {"trial": self.trial}
        self.requests.append(ApiRequest(method, path, dict(query or {}), body))
        if path == "/overview":
            return overview_values.overview(self.snapshot)
        if (method, path) == ("GET", "/sites"):
            choice = overview_endpoints.read_choice(datastructures.QueryParams(dict(query or {})))
            if dict(query or {}).get("only"):
                return overview_endpoints.list_names(self.snapshot, choice)
            return overview_values.rows(self.snapshot, choice)
        if path == "/certificates":
            hosts = [host for host in self.certificates if dict(query or {})["q"] in host]
            return {"total": len(hosts), "rows": [{"host": host, "lamp": "good"} for host in hosts[:10]]}
        if path == "/options/search":
            return option_search_endpoints.rows_json(dict(query or {})["q"])
        if path == "/apply" and not self.apply["ok"]:
            raise api_client.ApiError(422, "the daemon answered with 422", self.apply)
        if path == "/draft/edits":
            edits = [] if body is None else body["edits"]
            return {"edited": sum(len(one.get("hosts", [one.get("host")])) for one in edits) - self.same}
        return self.apply if path == "/apply" else {}
