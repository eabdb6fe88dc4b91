"""A gate with its history and a trial, which refuses one version of its file; without nginx."""

import collections.abc
import pathlib
import typing

from daemun.control import gate_port, history_port
from daemun.core import model
from daemun.core.plan import hand_edits
from daemun.sources import last_good_file
from daemun.sources.history import applied_configurations, history_recorder, history_store, live_changes, trial
from daemun.store import memory_store
from daemun.web import endpoint, history_endpoints, trial_endpoints
from tests.support import fake_gate
from tests.support.clock import FakeClock

ONE = b"# ours\ncrowdsec: {url: http://x, key: s3cret-one}\nsites:\n  a.test: http://a:1\n"
TWO = ONE.replace(b"a:1", b"a:2")
BROKEN = ONE.replace(b"a:1", b"a:9")
REFUSED = model.Problem(origin=model.Origin(source="file", place="daemun.yaml:4:3"), message="cannot serve a.test: no")


class HistoryHouse(fake_gate.FakeGate):
    """A gate with its history, which refuses what is `BROKEN`."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(config=folder / "daemun.yaml", state=folder)
        self.main = folder / "daemun.yaml"
        self.store = memory_store.MemoryStore()
        self.recorder = history_recorder.Recorder(
            self.store, FakeClock(), lambda: {"daemun.yaml": self.main.read_bytes()}
        )
        self.trials = trial.TrialManager(self.store, self.main, self.recorder, lambda caller: self.apply(caller=caller))
        self.changes_made = live_changes.LiveChanges(self.main, self.trials, self)
        self.drift: tuple[hand_edits.HandEdit, ...] = ()
        self.changes: tuple[str, ...] = ("changed a.test",)

    def endpoints(self) -> tuple[endpoint.ApiEndpoint, ...]:
        """Of the history, and of what is on trial."""
        applied = applied_configurations.AppliedHistory(
            self.store,
            self.main,
            self.trials,
            self.changes_made,
            compare_nginx=_compare_nginx,
            find_drift=lambda: self.drift,
        )
        return (*history_endpoints.endpoints(applied), *trial_endpoints.endpoints(self.trials))

    async def apply(
        self,
        *,
        seen: collections.abc.Mapping[str, str] | None = None,
        caller: history_port.Caller | None = None,
    ) -> gate_port.ApplyReport:
        content = self.main.read_bytes()
        problems = (REFUSED,) if content == BROKEN else ()
        callers = () if caller is None else (caller,)
        self.recorder.note(
            history_port.AppliedRound(
                is_complete=not problems,
                refused="; ".join(map(str, problems)),
                changes=self.changes,
                callers=callers,
            )
        )
        if not problems:
            self.store.write(last_good_file.KEY, content)
        return gate_port.ApplyReport(ok=not problems, generation=1, problems=problems)

    async def write(self, content: bytes) -> None:
        self.main.write_bytes(content)
        await self.apply()
        await self.recorder.write_noted()


def _compare_nginx(_: history_store.HistoryStore, one: str, other: str) -> dict[str, typing.Any]:
    lines = ["@@ -1,2 +1,2 @@", " server {", "-    listen 80;", "+    listen 81;"]
    files = [{"file": "sites/a.test.conf", "kind": "changed", "lines": lines, "more_lines": 7}]
    return {"from": one, "to": other, "nginx_files": files, "more_nginx_files": 3, "notes": ["a note"]}
