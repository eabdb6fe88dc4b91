"""Whether the state directory can be written: all of it is one disk, or the store, the certificates, the logs and what
nginx runs with have one each. Tried where the file system may refuse, and reported while it does."""

import asyncio
import collections.abc
import contextlib

from daemun.control import damage_report, round_reports
from daemun.core import layout, model
from daemun.nginx import answers_folder, misplaced_files, pairs_folder, work_folder

_TROUBLE_S = 1.0
"""How often it is tried whether a disk that was full can be written again."""
_MEANWHILE = "until then changes are not applied, certificates are not renewed, and logs miss lines"
_UNKEPT = "until then certificates, accounts at CAs and the last good daemun.yaml are not kept, and nothing is renewed"
_UNSERVED = "until then certificates that are new or renewed are not served"


class DiskWatch:
    """account: the workers'. changed: called when a folder can be written no longer, or again. wake: called when
    another configuration fits."""

    def __init__(
        self,
        paths: layout.Layout,
        damage: damage_report.DamageReport,
        *,
        account: model.WorkerAccount | None,
        changed: collections.abc.Callable[[], None],
        wake: collections.abc.Callable[[], None],
    ) -> None:
        self._layout = paths
        self._work = paths.work
        self._plain = layout.Layout(paths.state)
        self._damage = damage
        self._account = account
        self._changed = changed
        self._wake = wake
        self._misplaced: frozenset[str] = frozenset()
        self._refused: dict[str, str] = {}

    @property
    def refused(self) -> dict[str, str]:
        """Folder -> why it cannot be written, and what to do."""
        return dict(self._refused)

    async def run(self) -> None:
        """Never returns."""
        while True:
            has_answers = not self._damage.is_noted(self._plain.answers)
            refusal, unkept = await asyncio.to_thread(self._look)
            if has_answers == self._damage.is_noted(self._plain.answers):
                self._wake()
            if self._work is not None:
                self._note_work_folder(self._work, refusal)
            elif refusal is not None:
                self._note(self._plain.run, f"{refusal.words}; {_MEANWHILE}")
            else:
                self._damage.clear(self._plain.run)
            if unkept is not None:
                how = _UNSERVED if unkept.folder == self._plain.live else _UNKEPT
                self._note(self._plain.store, f"{unkept.words}; {how}")
            else:
                self._damage.clear(self._plain.store)
            refused = {one.folder: one.words for one in (refusal, unkept) if one is not None}
            if refused != self._refused:
                self._refused = refused
                self._changed()
            is_soon = bool(refused) and self._work is None
            await asyncio.sleep(_TROUBLE_S if is_soon else round_reports.RETRY_S)

    def _look(self) -> tuple[work_folder.UnwritableFolder | None, work_folder.UnwritableFolder | None]:
        """What nginx cannot work in, and else what nothing can be kept in."""
        plain = self._plain
        if self._work is None:
            self._note_answers()
            self._note_misplaced()
            self._note_pairs()
            if not work_folder.may_be_full(plain):
                return None, None
        refusal = work_folder.find_refusal(plain)
        unkept = work_folder.find_unpersisted(plain)
        return refusal, unkept if refusal is None or self._is_apart(refusal, unkept) else None

    def _is_apart(self, refusal: work_folder.UnwritableFolder, unkept: work_folder.UnwritableFolder | None) -> bool:
        """Whether they are two disks: one that is full is reported once."""
        return unkept is not None and not work_folder.is_one_disk(refusal.folder, unkept.folder)

    def _note_work_folder(self, work: str, refusal: work_folder.UnwritableFolder | None) -> None:
        if refusal is not None:
            how = f"until then nginx works in {work}, and certificates that change are not kept"
            self._note(self._plain.run, f"{refusal.words}; {how}")
        else:
            message = f"{self._plain.state} can be written again, and nginx works in {work} until it starts anew"
            self._damage.note(self._plain.run, f"{message}: run `daemun stop` and `daemun up` when it suits")

    def _note(self, key: str, message: str) -> None:
        self._damage.note(key, message, severity=model.Severity.ERROR)

    def _note_answers(self) -> None:
        answers_folder.prepare(self._plain, self._account)
        refusal = answers_folder.find_refusal(self._plain)
        if refusal is not None:
            self._damage.note(self._plain.answers, refusal)
        else:
            self._damage.clear(self._plain.answers)

    def _note_misplaced(self) -> None:
        found = dict(misplaced_files.find_aside(self._plain))
        for path, message in found.items():
            self._note(path, message)
        for path in self._misplaced - found.keys():
            self._damage.clear(path)
        self._misplaced = frozenset(found)

    def _note_pairs(self) -> None:
        with contextlib.suppress(OSError):
            pairs_folder.lead_there(self._layout)
        refusal = pairs_folder.find_refusal(self._layout)
        if refusal is not None:
            self._damage.note(self._plain.live, refusal)
        else:
            self._damage.clear(self._plain.live)
