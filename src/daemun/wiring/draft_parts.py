"""What the review of a draft needs of the rest of daemun (`sources.drafts.draft_review.ReviewParts`)."""

import collections.abc
import dataclasses
import pathlib
import typing

from daemun import settings
from daemun.control import gate_port, ports
from daemun.core import model
from daemun.errors import ConfigError
from daemun.nginx import worker_account
from daemun.sources import last_good_file, shielded_work, yaml_file
from daemun.sources.docker import nginx_proxy_mode
from daemun.sources.drafts import draft_review, draft_service
from daemun.sources.history import history_store, live_changes
from daemun.wiring import clock

Json = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DraftParts:
    """known, compatible: the daemon's own, of which nothing changes."""

    settings: settings.Settings
    store: ports.Store
    known: last_good_file.Remembering
    compatible: nginx_proxy_mode.Compatible

    def read(self, texts: draft_review.Texts) -> draft_review.ReadDraft:
        source = yaml_file.YamlFile(
            self.settings.config,
            state=self.settings.layout.state,
            find_worker=worker_account.choose,
            reads_secrets=True,
            instead=texts,
        )
        try:
            snapshot: model.Snapshot | None = source.read_now()
            problems = snapshot.problems if snapshot is not None else ()
        except yaml_file.InvalidFileError as error:
            problems = error.problems
            try:
                snapshot = self.known.set_aside(error)
            except yaml_file.InvalidFileError:
                snapshot = None
        except ConfigError as error:
            return draft_review.ReadDraft(
                problems=(model.Problem(origin=model.NOWHERE, message=str(error)),), snapshot=None
            )
        if snapshot is not None:
            snapshot, _ = self.compatible.preview(snapshot)
        return draft_review.ReadDraft(problems=problems, snapshot=snapshot)

    # What makes nginx's files is imported at the first review.

    def test(self, snapshot: model.Snapshot, thread: shielded_work.WorkingThread) -> tuple[model.Problem, ...]:
        from daemun.wiring.offline import checking, configuration  # noqa: PLC0415

        desired = configuration.merge_alone(self.settings, snapshot)
        return checking.find_problems(self.settings, desired, run=thread.run_apart)

    def compare_nginx(
        self, before: collections.abc.Mapping[str, bytes], after: collections.abc.Mapping[str, bytes]
    ) -> Json:
        from daemun.wiring.offline import past_diff  # noqa: PLC0415

        main = pathlib.Path(self.settings.config).absolute()
        found = past_diff.compare_files(self.settings, history_store.HistoryStore(self.store), main, before, after)
        return past_diff.diff_json(found)


def make_desk(
    parts: DraftParts, changes: live_changes.LiveChanges, gate: gate_port.GatePort
) -> draft_service.DraftService:
    """Costs nothing before the first request."""
    return draft_service.DraftService(
        parts.store, parts.settings.config, changes, gate, clock=clock.SystemClock(), parts=parts
    )
