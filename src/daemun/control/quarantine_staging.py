"""Stage a tree, and when nginx refuses it, stage it with the fewest parts replaced that make nginx accept it.

Rule: a part is put back only where nginx accepts the tree with it, so whatever was not found out in MOST_RUNS stays
replaced, and everything else is served.
"""

import asyncio
import collections.abc
import dataclasses

from daemun.control import nginx_port
from daemun.core.plan import generation_files, quarantine, variable_definitions
from daemun.errors import ApplyError

MOST_RUNS = 64
"""How often nginx judges a tree to find the parts at fault. One among ten thousand takes sixteen runs where nginx names
neither a file nor a word of it."""

_MOST_RUNS_TO_IMPROVE = 16
"""Of these, at least for finding what can stand instead of them."""

Files = collections.abc.Mapping[str, bytes]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """files: the tree nginx accepted. refused: what was replaced in it, and why."""

    files: dict[str, bytes]
    refused: tuple[quarantine.RefusedFile, ...] = ()


async def stage_with_quarantine(
    proxy: nginx_port.ReverseProxy,
    files: Files,
    *,
    last_good: Files,
    unavailable: Files,
    known: variable_definitions.Definitions,
) -> Staged:
    """Stage `files`, with the fewest parts replaced that make nginx accept it.

    last_good: the tree nginx runs now. unavailable: path -> 503 version of a site's file. known: the variables that
    these may use.
    Raises: ApplyError(stage="test") when nginx refuses it whatever is replaced; nothing that runs was touched.
    """
    failure = await proxy.stage(files)
    if failure is None:
        return Staged(files=dict(files))
    search = _Search(proxy, files, last_good=last_good, unavailable=unavailable, known=known)
    return await search.run(failure)


class _Search:
    """replacements: path -> what stands instead of a part. refused: path -> nginx's words about it."""

    def __init__(
        self,
        proxy: nginx_port.ReverseProxy,
        files: Files,
        *,
        last_good: Files,
        unavailable: Files,
        known: variable_definitions.Definitions,
    ) -> None:
        self._proxy = proxy
        self._files = files
        self._last_good = last_good
        self._unavailable = unavailable
        self._known = known
        self._parts: dict[str, bytes] = {}
        self._replacements: dict[str, bytes] = {}
        self._refused: dict[str, nginx_port.TestFailure] = {}
        self._staged: dict[str, bytes] | None = None
        self._runs = 0

    async def run(self, failure: nginx_port.TestFailure) -> Staged:
        self._parts = await asyncio.to_thread(quarantine.find_parts, self._files)
        changed = await asyncio.to_thread(quarantine.find_changed, self._files, self._last_good)
        if not await self._replace_named(changed, failure):
            await self._search(tuple(path for path in self._parts if path in changed), failure)
        await self._improve()
        if self._staged != self._replacements and (again := await self._judge(self._replacements)) is not None:
            raise self._error(again)
        return Staged(
            files=await asyncio.to_thread(self._make_tree, self._replacements),
            refused=tuple(self._describe(path, found) for path, found in self._refused.items()),
        )

    async def _replace_named(self, changed: frozenset[str], failure: nginx_port.TestFailure) -> bool:
        """Replace the changed parts that nginx names, one after the other. Returns: whether nginx accepts that."""
        named: nginx_port.TestFailure | None = failure
        while named is not None and self._runs < MOST_RUNS // 2:
            path = named.file or ""
            if path not in changed or path in self._replacements:
                return False
            self._refused[path] = named
            named = await self._judge({**self._replacements, path: self._stand_ins(path)[0]}, keep=True)
        return named is None

    async def _search(self, changed: tuple[str, ...], failure: nginx_port.TestFailure) -> None:
        """Replace every changed part, every part if that does not help, and put back what nginx accepts."""
        unknown = tuple(path for path in changed if path not in self._refused)
        if await self._judge({path: self._stand_ins(path)[0] for path in changed}) is None:
            await self._add(unknown, None if self._refused else failure)
            return
        if await self._judge({path: self._stand_ins(path)[-1] for path in self._parts}) is not None:
            raise self._error(failure)
        known = frozenset(changed)
        await self._add(tuple(path for path in self._parts if path not in known))
        await self._add(unknown)

    async def _improve(self) -> None:
        """Of a site that is nowhere show its last good version, or its 503 page, where nginx accepts that."""
        self._runs = min(self._runs, MOST_RUNS - _MOST_RUNS_TO_IMPROVE)
        for turn in range(2):
            better: dict[str, bytes] = {}
            for path in self._refused:
                stand_ins = self._stand_ins(path)
                if self._replacements[path] == stand_ins[-1] and turn < len(stand_ins) - 1:
                    better[path] = stand_ins[turn]
            await self._add(tuple(better), versions=better)

    async def _add(
        self,
        group: tuple[str, ...],
        failure: nginx_port.TestFailure | None = None,
        *,
        versions: Files | None = None,
    ) -> None:
        """Put parts back as they were wanted, or in these versions. Those that nginx refuses stay as they are.

        failure: nginx's words about the whole group, where it judged that already.
        """
        while group:
            if self._runs >= MOST_RUNS:
                self._give_up(group, failure)
                return
            failure = failure or await self._judge(self._with(group, versions))
            if failure is None:
                return
            at_fault, failure, group = await self._bisect(group, failure, versions)
            if at_fault is not None:
                self._refused.setdefault(at_fault, failure)
                failure = None

    async def _bisect(
        self, suspects: tuple[str, ...], failure: nginx_port.TestFailure, versions: Files | None
    ) -> tuple[str | None, nginx_port.TestFailure, tuple[str, ...]]:
        """Find the one at fault in a group that nginx refuses, and put back those that it accepts on the way.

        Returns: the part, None when the runs are used up; nginx's words about it; those that were not judged.
        """
        left: tuple[str, ...] = ()
        while len(suspects) > 1 and failure.file not in suspects:
            if self._runs >= MOST_RUNS:
                return None, failure, (*suspects, *left)
            first, second = quarantine.split(suspects, self._parts, failure.message)
            refusal = await self._judge(self._with(first, versions))
            if refusal is None:
                suspects = second  # with these the tree is the one that was refused
            else:
                suspects, failure, left = first, refusal, (*second, *left)
        at_fault = failure.file if failure.file in suspects else suspects[0]
        return at_fault, failure, (*(path for path in suspects if path != at_fault), *left)

    def _give_up(self, group: tuple[str, ...], failure: nginx_port.TestFailure | None) -> None:
        words = "" if failure is None else f": {failure.message}"
        message = (
            f"nginx refuses one of {len(group)} sites, and {MOST_RUNS} tries did not show which{words}"
            if len(group) > 1
            else f"nginx was not tried with it after {MOST_RUNS} tries of other sites{words}"
        )
        for path in group:
            self._refused.setdefault(
                path, nginx_port.TestFailure(message=message, cure="mend the sites named beside it")
            )

    def _with(self, group: tuple[str, ...], versions: Files | None) -> dict[str, bytes]:
        if versions is not None:
            return {**self._replacements, **{path: versions[path] for path in group}}
        added = frozenset(group)
        return {path: content for path, content in self._replacements.items() if path not in added}

    async def _judge(self, replacements: dict[str, bytes], *, keep: bool = False) -> nginx_port.TestFailure | None:
        """Stage the tree with these parts replaced. What is accepted stands from now on; what is not with `keep`."""
        self._runs += 1
        tree = await asyncio.to_thread(self._make_tree, replacements)
        failure = await self._proxy.stage(tree)
        self._staged = replacements if failure is None else None
        if failure is None or keep:
            self._replacements = replacements
        return failure

    def _make_tree(self, replacements: Files) -> dict[str, bytes]:
        return quarantine.replace_parts(self._files, replacements, known=self._known)

    def _stand_ins(self, path: str) -> tuple[bytes, ...]:
        return quarantine.find_stand_ins(
            path, self._files.get(path), last_good=self._last_good, unavailable=self._unavailable
        )

    def _describe(self, path: str, failure: nginx_port.TestFailure) -> quarantine.RefusedFile:
        found = self._find_cause(failure, path)
        return quarantine.RefusedFile(
            path=path,
            cause=found.words,
            cure=failure.cure,
            stand_in=self._name_stand_in(path),
            place=found.place,
            may_pass=failure.may_pass,
        )

    def _name_stand_in(self, path: str) -> quarantine.StandIn:
        content = self._replacements[path]
        if path == generation_files.INTERNAL_CLIENTS:
            return quarantine.StandIn.CLOSED
        if content == self._last_good.get(path):
            return quarantine.StandIn.LAST_GOOD
        return quarantine.StandIn.UNAVAILABLE if content else quarantine.StandIn.NOTHING

    def _error(self, failure: nginx_port.TestFailure) -> ApplyError:
        cause = self._find_cause(failure, failure.file).placed
        return ApplyError(
            f"cannot apply the configuration: nginx refuses it: {cause}",
            stage="test",
            restored=True,
            stderr=failure.message,
        )

    def _find_cause(self, failure: nginx_port.TestFailure, path: str | None) -> "_Cause":
        """A place in generated files is shown only where no better one is."""
        content = self._files.get(path or "", b"")
        place = quarantine.find_place(content, failure.line if failure.file == path else None, failure.message)
        return _Cause(words=_describe(failure) if place is None else failure.message, place=place)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    words: str
    place: str | None

    @property
    def placed(self) -> str:
        return self.words if self.place is None else f"{self.place}: {self.words}"


def _describe(failure: nginx_port.TestFailure) -> str:
    place = f" ({failure.file}:{failure.line})" if failure.file and failure.line else ""
    return f"{failure.message}{place}"
