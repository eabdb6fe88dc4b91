"""Drafts for the API, and how one goes live (`control.draft_port.Drafts`)."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import hmac
import pathlib
import secrets
import typing

from daemun.control import draft_port, gate_port, history_port, ports
from daemun.core import model
from daemun.errors import ConfigError, ConflictError
from daemun.sources import edited_file, shielded_work, three_way_merge, yaml_holder, yaml_positions, yaml_schema
from daemun.sources.drafts import (
    draft,
    draft_edits,
    draft_forms,
    draft_overlay,
    draft_review,
    draft_secrets,
    draft_store,
    review_turns,
)
from daemun.sources.history import guarded_apply, live_changes

Json = dict[str, typing.Any]


class DraftService:
    """Implements `control.draft_port.Drafts`. All methods are called on one event loop; what takes long is done beside
    it, one thing at a time."""

    def __init__(
        self,
        store: ports.Store,
        main: pathlib.Path,
        changes: live_changes.LiveChanges,
        gate: gate_port.GatePort,
        *,
        clock: ports.Clock,
        parts: draft_review.ReviewParts,
    ) -> None:
        """main: daemun.yaml."""
        self._drafts = draft_store.DraftStore(store)
        self._main = main.absolute()
        self._changes = changes
        self._gate = gate
        self._clock = clock
        self._parts = parts
        self._key = secrets.token_bytes(32)
        self._editing = asyncio.Lock()
        self._turns = review_turns.ReviewTurns()

    # --- a draft ---------------------------------------------------------------------------------------------------

    async def show(self, operator: str, *, shows_secrets: bool) -> draft_port.DraftReport:
        """See the port."""
        return await asyncio.to_thread(self._show, operator, shows_secrets)

    async def set_text(
        self, operator: str, name: str, text: str, *, shows_secrets: bool, version: str | None
    ) -> draft_port.DraftReport:
        """See the port."""
        async with self._editing:
            await shielded_work.run(lambda _: self._set_text(operator, name, text, shows_secrets, version))
        return await self.show(operator, shows_secrets=shows_secrets)

    async def check_text(
        self, operator: str, name: str, text: str, *, shows_secrets: bool
    ) -> tuple[model.Problem, ...]:
        """See the port."""

        def check(_: shielded_work.WorkingThread) -> tuple[model.Problem, ...]:
            overlay = self._write_text(self._find(operator), name, text, shows_secrets, None)
            hidden = draft_review.find_secrets(overlay.read_all())
            found = self._parts.read(overlay.texts)
            return (*_find_owned(overlay, shows_secrets), *draft_review.hide(found.problems, hidden))

        return await self._turns.look(check)

    async def find_schema(self) -> Json:
        """See the port."""
        return await asyncio.to_thread(yaml_schema.make_schema)

    async def edit(
        self, operator: str, edits: collections.abc.Sequence[draft_port.DraftEdit], *, shows_secrets: bool
    ) -> draft_port.DraftReport:
        """See the port."""
        edits = draft_edits.with_overlays(edits, (one.site for one in self._gate.status(added=False).sites))
        async with self._editing:
            edited = await shielded_work.run(lambda _: self._edit(operator, edits, shows_secrets))
        return dataclasses.replace(await self.show(operator, shows_secrets=shows_secrets), edited=edited)

    async def describe(self, operator: str, *, host: str | None, path: str | None, index: int | None) -> Json:
        """See the port."""
        status = self._gate.status(added=False)
        sites = () if host is None else tuple(one.site for one in status.of_site(host).sites)
        pools = {one.name: one for one in status.pools}

        def describe() -> Json:
            overlay = draft_overlay.DraftOverlay(self._main, self._find(operator))
            if host is None:
                return draft_forms.describe_gate(self._main, overlay)
            route = None if path is None else (path, index)
            return draft_forms.describe_site(self._main, overlay, host, route=route, served=sites, pools=pools)

        return await asyncio.to_thread(describe)

    async def discard(self, operator: str, name: str | None, *, shows_secrets: bool) -> draft_port.DraftReport:
        """See the port."""
        async with self._editing:
            await shielded_work.run(lambda _: self._discard(operator, name))
        return await self.show(operator, shows_secrets=shows_secrets)

    def _find(self, operator: str) -> draft.Draft:
        now = self._clock.now()
        return self._drafts.read(operator) or draft.Draft(operator=operator, began_at=now, changed_at=now)

    def _find_newest(self, operator: str) -> draft.Draft:
        """To be changed: nothing of it is lost that was changed on another machine of a fleet."""
        now = self._clock.now()
        stored, revision = self._drafts.read_newest(operator)
        stored = stored or draft.Draft(operator=operator, began_at=now, changed_at=now)
        return dataclasses.replace(stored, revision=revision)

    def _keep(self, one: draft.Draft) -> None:
        if not one.files:
            self._drafts.delete(one.operator, one.revision)
            return
        self._drafts.write(dataclasses.replace(one, changed_at=self._clock.now()))

    def _show(self, operator: str, shows_secrets: bool) -> draft_port.DraftReport:
        stored = self._drafts.read(operator)
        one = stored or self._find(operator)
        overlay = draft_overlay.DraftOverlay(self._main, one)
        texts = overlay.read_all() | {file.name: file.text for file in one.files}
        files = tuple(self._show_file(overlay, name, text, shows_secrets) for name, text in texts.items())
        return draft_port.DraftReport(
            files=files,
            version=self._sign_all(one, texts),
            began_at=None if stored is None else stored.began_at,
            changed_at=None if stored is None else stored.changed_at,
            others=tuple(
                (other.operator, other.changed_at) for other in self._drafts.list_all() if other.operator != operator
            ),
        )

    def _show_file(
        self, overlay: draft_overlay.DraftOverlay, name: str, text: bytes, shows_secrets: bool
    ) -> draft_port.DraftedFile:
        path, drafted = overlay.path_of(name), overlay.draft.find(name)
        now = None if drafted is None else edited_file.read(path)
        return draft_port.DraftedFile(
            name=name,
            text=yaml_positions.decode(text, []) if shows_secrets else draft_secrets.show(text),
            is_changed=drafted is not None,
            is_new=drafted is not None and drafted.base is None,
            is_changed_by_others=drafted is not None and now not in {drafted.base, drafted.text},
            version=self._sign(text),
            refusal=edited_file.find_refusal(path),
        )

    def _set_text(self, operator: str, name: str, text: str, shows_secrets: bool, version: str | None) -> None:
        one = self._find_newest(operator)
        self._keep(self._write_text(one, name, text, shows_secrets, version).draft)

    def _write_text(
        self, one: draft.Draft, name: str, text: str, shows_secrets: bool, version: str | None
    ) -> draft_overlay.DraftOverlay:
        if len(text.encode("utf-8", "surrogatepass")) > yaml_positions.MAX_BYTES:
            raise ConfigError(f"cannot keep the text: it has more than {yaml_positions.MAX_BYTES >> 20} MB")
        overlay = draft_overlay.DraftOverlay(self._main, one)
        texts = overlay.read_all()
        draft_overlay.check_name(name, self._main, {*texts, *(one.name for one in overlay.draft.files)})
        before = overlay.read(overlay.path_of(name)) or b""
        if version is not None and version != self._sign(before):
            raise draft_port.StaleDraftError(
                f"cannot keep the text of {name}: it was changed since you opened it, by another tab or by hand; load "
                "it again and repeat what you changed"
            )
        newline = "\r\n" if b"\r\n" in before else "\n"  # browsers send the former, whatever they were sent
        text = text.replace("\r\n", "\n").replace("\n", newline)
        try:
            content = text.encode() if shows_secrets else draft_secrets.put_back(text, before)
        except UnicodeEncodeError as error:
            raise ConfigError("cannot keep the text: it holds half a character (a surrogate); write it anew") from error
        if before.startswith(b"\xef\xbb\xbf") and not content.startswith(b"\xef\xbb\xbf"):
            content = b"\xef\xbb\xbf" + content
        overlay.replace(overlay.path_of(name), content)
        overlay.check_include(is_owner=shows_secrets)
        return overlay

    def _edit(self, operator: str, edits: collections.abc.Sequence[draft_port.DraftEdit], shows_secrets: bool) -> int:
        """Returns: how many sites are others than before, those of each edit added up."""
        if len(edits) > draft_edits.MOST_EDITS:
            raise ConfigError(f"cannot edit: more than {draft_edits.MOST_EDITS} edits at once")
        one, total = self._find_newest(operator), 0
        for edit in edits:
            one, count = draft_edits.apply(self._main, one, edit)
            total += count
        draft_overlay.DraftOverlay(self._main, one).check_include(is_owner=shows_secrets)
        self._keep(one)
        return total

    def _discard(self, operator: str, name: str | None) -> None:
        one = self._find_newest(operator)
        if name is not None and one.find(name) is None:
            raise ConflictError(f'cannot discard the changes of "{name[:100]}": the draft does not change it')
        files = () if name is None else tuple(file for file in one.files if file.name != name)
        self._keep(dataclasses.replace(one, files=files))

    def _sign(self, text: bytes) -> str:
        """Tells texts apart, and nothing of what is in them: they have secrets."""
        return hmac.new(self._key, text, "sha256").hexdigest()[:32]

    def _sign_all(self, one: draft.Draft, texts: collections.abc.Mapping[str, bytes]) -> str:
        """Of what the files hold and are to hold."""
        parts = [b"%d" % len(one.files)]
        for name, text in sorted(texts.items()):
            parts += [name.encode("utf-8", "surrogateescape"), b"%d" % len(text), text]
        return self._sign(b"\0".join(parts))

    # --- what others changed ---------------------------------------------------------------------------------------

    async def rebase(self, operator: str, *, shows_secrets: bool) -> draft_port.DraftReport:
        """See the port."""
        async with self._editing:
            await shielded_work.run(lambda _: self._rebase(operator))
        return await self.show(operator, shows_secrets=shows_secrets)

    def _rebase(self, operator: str) -> None:
        one = self._find_newest(operator)
        conflicts = draft_review.find_conflicts(one, self._read_present(one))
        if bad := [conflict for conflict in conflicts if not conflict.can_be_merged]:
            raise draft_port.DraftConflictError(
                f"cannot put the draft and the files together: both change the same lines of "
                f"{', '.join(conflict.file for conflict in bad)}; choose one of them there, in the text",
                conflicts,
            )
        files = []
        for file in one.files:
            now = edited_file.read(self._main.parent / file.name)
            text = file.text if now is None else three_way_merge.merge(file.base or b"", file.text, now)
            assert text is not None
            if text != now:
                files.append(draft.DraftFile(name=file.name, base=now, text=text))
        self._keep(dataclasses.replace(one, files=tuple(files)))

    def _read_present(self, one: draft.Draft) -> dict[str, bytes | None]:
        return {file.name: edited_file.read(self._main.parent / file.name) for file in one.files}

    # --- review and apply ------------------------------------------------------------------------------------------

    async def review(self, operator: str, *, shows_secrets: bool) -> draft_port.DraftReview:
        """See the port."""

        def review(thread: shielded_work.WorkingThread) -> draft_port.DraftReview:
            overlay, compared = self._compare(self._find(operator))
            overlay.check_include(is_owner=shows_secrets)
            owned = _find_owned(overlay, shows_secrets)
            found = draft_review.review(self._parts, self._gate, overlay, compared, thread)
            return dataclasses.replace(found, problems=(*owned, *found.problems), new=(*owned, *found.new))

        return await self._turns.look(review)

    def _compare(self, one: draft.Draft) -> tuple[draft_overlay.DraftOverlay, draft_review.Compared]:
        overlay = draft_overlay.DraftOverlay(self._main, one)
        after = overlay.read_all()
        compared = draft_review.Compared(
            before=yaml_holder.read_all(self._main),
            after=after,
            conflicts=draft_review.find_conflicts(one, self._read_present(one)),
            version=self._sign_all(one, after | {file.name: file.text for file in one.files}),
        )
        return overlay, compared

    async def apply(
        self,
        operator: str,
        *,
        shows_secrets: bool,
        caller: history_port.Caller,
        trial_s: float | None,
        version: str | None,
    ) -> draft_port.AppliedDraft:
        """See the port."""
        self._changes.check_free()
        revision: str | None = None

        def find() -> dict[str, bytes | None]:
            nonlocal revision
            one = self._check(operator, version, shows_secrets)
            revision = one.revision
            self._check_files(draft_overlay.DraftOverlay(self._main, one))
            return {file.name: file.text for file in one.files}

        async with self._editing:
            try:
                made = await self._changes.make(find, trial_s=trial_s, caller=caller)
            except (guarded_apply.NotLiveError, draft_port.DraftFaultError) as error:
                raise await asyncio.to_thread(self._explain, operator, error) from None
            if made is None:
                raise ConflictError("cannot apply the draft: the files are as it has them already; discard it")
            with contextlib.suppress(draft_port.StaleDraftError):  # what was added meanwhile is not applied yet
                await asyncio.to_thread(self._drafts.delete, operator, revision)
            return draft_port.AppliedDraft(report=made.report, trial=made.trial)

    def _explain(
        self, operator: str, error: guarded_apply.NotLiveError | draft_port.DraftFaultError
    ) -> draft_port.DraftFaultError:
        fault = error
        if isinstance(fault, guarded_apply.NotLiveError):
            problems = tuple(one for one in fault.errors if isinstance(one, model.Problem))
            fault = draft_port.DraftFaultError(f"{fault}, and the draft is kept", problems)
        overlay = draft_overlay.DraftOverlay(self._main, self._find(operator))
        return draft_review.without_secrets(fault, overlay)

    def _check_files(self, overlay: draft_overlay.DraftOverlay) -> None:
        """Whether the files can be used as the draft has them. Raises: DraftFaultError."""
        found = self._parts.read(overlay.texts)
        if (new := draft_review.find_new(self._parts, found)) or found.snapshot is None:
            reasons = new or found.problems
            raise draft_port.DraftFaultError(f"cannot apply the draft: {'; '.join(map(str, reasons))}", reasons)

    def _check(self, operator: str, version: str | None, is_owner: bool) -> draft.Draft:
        """The draft that is to be applied. Raises: ConfigError."""
        one = self._find_newest(operator)
        _, compared = self._compare(one)
        if not one.files:
            raise ConflictError("cannot apply the draft: it changes nothing")
        if compared.conflicts:
            named = ", ".join(conflict.file for conflict in compared.conflicts)
            raise draft_port.DraftConflictError(
                f"cannot apply the draft: {named} was changed meanwhile, by hand, by a command or by another operator; "
                "put the draft and that together, look at it again, and apply it then",
                compared.conflicts,
            )
        if version is not None and version != compared.version:
            raise draft_port.StaleDraftError(
                "cannot apply the draft: it, or a file, is not what it was when you looked at it; look at it again"
            )
        if owned := draft_overlay.DraftOverlay(self._main, one).find_owned(is_owner=is_owner):
            raise draft_port.ForbiddenDraftError(f"cannot apply the draft: {'; '.join(map(str, owned))}", owned)
        for file in one.files:
            if (refusal := edited_file.find_refusal(self._main.parent / file.name)) is not None:
                raise draft_port.DraftFaultError(
                    f"{refusal}; or take the text of {file.name} from this page and write it by hand"
                )
        return one


def _find_owned(overlay: draft_overlay.DraftOverlay, is_owner: bool) -> tuple[model.Problem, ...]:
    """What cannot be read has problems of its own."""
    try:
        return overlay.find_owned(is_owner=is_owner)
    except ConfigError:
        return ()
