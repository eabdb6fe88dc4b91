"""Drafts with a gate that the test controls, and what an operator does to them by the API."""

import asyncio
import collections.abc
import pathlib
import typing

from daemun.control import gate_port, history_port, ports
from daemun.core import model
from daemun.core.plan import change_plan
from daemun.sources import last_good_file, set_aside, shielded_work, yaml_file
from daemun.sources.drafts import draft_review, draft_service
from daemun.sources.history import applied_configurations, history_recorder, live_changes, trial
from daemun.store import memory_store
from daemun.web import edit_endpoints, endpoint, trial_endpoints
from daemun.wiring import target_tries
from tests.support import fake_gate, operator_client
from tests.support.clock import FakeClock

Json = dict[str, typing.Any]

MAIN = """\
# the owner's own words
crowdsec: {url: http://127.0.0.1:1, key: s3cret-of-crowdsec}
include: sites/*.yaml
sites:
  a.test: http://127.0.0.1:1   # the first
  b.test: http://127.0.0.1:2
"""
MORE = "sites:\n  c.test: http://127.0.0.1:3   # another\n"
REFUSED = model.Problem(
    origin=model.Origin(source="file", place="daemun.yaml:5:3"), message="cannot serve a.test: no", host="a.test"
)


class PartsWithoutNginx:
    """Reads the files as the daemon does; nginx is not there."""

    def __init__(self, main: pathlib.Path) -> None:
        self._main = main
        self.tested: tuple[model.Problem, ...] = ()
        self.running = asyncio.Event()

    def read(self, texts: draft_review.Texts) -> draft_review.ReadDraft:
        try:
            snapshot = yaml_file.YamlFile(self._main, instead=texts).read_now()
        except yaml_file.InvalidFileError as error:
            try:
                return draft_review.ReadDraft(
                    problems=error.problems,
                    snapshot=set_aside.set_aside(error, set_aside.LastGoodEntries(), is_start=False),
                )
            except yaml_file.InvalidFileError:
                return draft_review.ReadDraft(problems=error.problems, snapshot=None)
        return draft_review.ReadDraft(problems=snapshot.problems, snapshot=snapshot)

    def test(self, _: model.Snapshot, thread: shielded_work.WorkingThread) -> tuple[model.Problem, ...]:
        thread.check()
        return self.tested

    def compare_nginx(
        self, before: collections.abc.Mapping[str, bytes], after: collections.abc.Mapping[str, bytes]
    ) -> Json:
        return {"nginx_files": [], "more_nginx_files": 0, "notes": [f"{len(before)} and {len(after)} files"]}


class DraftHouse(fake_gate.FakeGate):
    """A gate with its history and drafts, which refuses a.test at port 666."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(config=folder / "daemun.yaml", state=folder)
        self.main, self.more = folder / "daemun.yaml", folder / "sites" / "c.yaml"
        self.more.parent.mkdir(exist_ok=True)
        self.store: ports.Store = memory_store.MemoryStore()
        self.clock, self.passed_s = FakeClock(), 0.0
        self.begin()

    def begin(self) -> None:
        """A daemon, again with the same store."""
        self.recorder = history_recorder.Recorder(self.store, self.clock, self.read_files)
        self.trials = trial.TrialManager(
            self.store, self.main, self.recorder, lambda caller: self.apply(caller=caller), lambda: self.passed_s
        )
        self.parts = PartsWithoutNginx(self.main)
        self.changes = live_changes.LiveChanges(self.main, self.trials, self)
        self.desk = draft_service.DraftService(
            self.store, self.main, self.changes, self, clock=self.clock, parts=self.parts
        )
        self.client = operator_client.OperatorClient(self.endpoints())

    def endpoints(self) -> tuple[endpoint.ApiEndpoint, ...]:
        tries = target_tries.TargetTries(lambda: None, lambda: None)
        applied = applied_configurations.AppliedHistory(
            self.store,
            self.main,
            self.trials,
            self.changes,
            compare_nginx=lambda *_: {},
            find_drift=lambda: (),
        )
        return (*edit_endpoints.endpoints(self.desk, tries, applied), *trial_endpoints.endpoints(self.trials))

    async def start(self) -> None:
        """With files that are live and in the history."""
        self.main.write_text(MAIN)
        self.more.write_text(MORE)
        await self.apply()
        await self.recorder.write_noted()

    def read_files(self) -> dict[str, bytes]:
        others = sorted(self.more.parent.glob("*.yaml"))
        return {"daemun.yaml": self.main.read_bytes(), **{f"sites/{one.name}": one.read_bytes() for one in others}}

    async def plan(
        self, *, instead: collections.abc.Mapping[str, model.Snapshot] | None = None
    ) -> gate_port.PlanReport:
        hosts = [site.host for snapshot in (instead or {}).values() for site in snapshot.sites]
        changed = change_plan.SiteChange(host=",".join(hosts), kind=change_plan.ChangeKind.CHANGED)
        return gate_port.PlanReport(changes=(changed,), reload=True, steps=("reload nginx",))

    async def apply(
        self,
        *,
        seen: collections.abc.Mapping[str, str] | None = None,
        caller: history_port.Caller | None = None,
    ) -> gate_port.ApplyReport:
        content = self.main.read_bytes()
        problems = (REFUSED,) if b"666" in content else ()
        self.recorder.note(
            history_port.AppliedRound(is_complete=not problems, callers=() if caller is None else (caller,))
        )
        if not problems:
            self.store.write(last_good_file.KEY, content)
        return gate_port.ApplyReport(ok=not problems, generation=1, problems=problems)

    # --- what an operator does -------------------------------------------------------------------------------------

    async def send(self, method: str, path: str, body: Json | None = None, role: str = "change") -> Json:
        answer = await self.client.request(method, path, body, role=role)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def edit(self, *edits: Json, role: str = "change") -> Json:
        return await self.send("POST", "/draft/edits", {"edits": list(edits)}, role)

    async def text(self, name: str = "daemun.yaml", role: str = "own") -> str:
        found = await self.client.get("/draft", role=role)
        return next(str(one["text"]) for one in found["files"] if one["name"] == name)

    async def apply_draft(self, **body: typing.Any) -> tuple[int, Json]:
        answer = await self.client.request("POST", "/draft/apply", body)
        return answer.status_code, answer.json()
