"""Numbered trees of nginx files, and the link to the one that nginx reads.

Rule: a tree under its number is whole and never changes, and the one that `current` names is on the disk. So SIGKILL or
a power cut at any instant leaves either the old generation or the new one, never something between.
"""

import collections.abc
import dataclasses
import pathlib
import shutil
import threading

from daemun import durable
from daemun.core import directive, layout, serialise
from daemun.core.plan import change_plan, hand_edits
from daemun.nginx import error_diagnosis, file_trees

CONFIRM_FILE = "generation.conf"
"""Added to every tree and included by nginx.conf: the server that answers which generation nginx runs."""

KEPT = 4
"""Newest generations that stay, beside those that are in use."""


class Generations:
    """The generations of one state directory. All methods block, and may be called from any thread."""

    def __init__(self, paths: layout.Layout) -> None:
        self._layout = paths
        self._folder = pathlib.Path(paths.nginx, "gen")
        self._link = pathlib.Path(paths.current)
        # A cancelled caller leaves its thread writing; the next one must not take the same number.
        self._writing = threading.Lock()
        self._known: collections.abc.Mapping[int, file_trees.FileTree] = {}
        self._written: collections.abc.Mapping[int, file_trees.FileTree] = {}
        """The current one and the newest as they were written; of an earlier daemon, as they were found."""
        self._unsynced: dict[int, tuple[file_trees.FileTree, tuple[str, ...]]] = {}

    def write(self, files: collections.abc.Mapping[str, bytes], *, confirm_socket: str | None = None) -> int:
        """Write a whole tree, with CONFIRM_FILE. confirm_socket: its path; None: the usual one.

        What waits for the disk is left to `sync`, so that nginx can look at the tree meanwhile.

        Returns: its number, above all others. Raises: EnvironmentProblemError when the disk is full or a right is
        missing; then nothing new is left behind.
        """
        with self._writing:
            number = max(self._numbers(), default=0) + 1
            draft = self._folder / f".{number}.new"
            try:
                for unfinished in self._folder.glob(".*.new"):
                    shutil.rmtree(unfinished, ignore_errors=True)
                current = self.current()
                # A site that did not change is the same file on the disk already: no write, no sync.
                base = None if current is None else self._read_tree(current, is_fresh=False)
                whole = {**files, CONFIRM_FILE: _confirm_server(confirm_socket or self._layout.confirm_socket, number)}
                written, new = file_trees.write(str(draft), whole, base=base)
                draft.rename(self._folder / str(number))
            except OSError as error:
                shutil.rmtree(draft, ignore_errors=True)
                raise error_diagnosis.os_problem(f"write the nginx configuration to {self._folder}", error) from error
            written = dataclasses.replace(written, folder=f"{self._folder}/{number}")
            kept = {} if current is None or base is None else {current: base}
            self._known = {**kept, number: written}
            self._written = {**{one: self._written[one] for one in kept if one in self._written}, number: written}
            self._unsynced[number] = written, new
            return number

    def sync(self, number: int) -> None:
        """Bring a generation to the disk, if it is not there yet. Raises: EnvironmentProblemError; then it is gone."""
        with self._writing:
            tree, new = self._unsynced.pop(number, (None, ()))
            if tree is None:
                return
            try:
                file_trees.sync(tree, new)
                durable.sync_directory(self._folder)
            except OSError as error:
                shutil.rmtree(tree.folder, ignore_errors=True)
                raise error_diagnosis.os_problem(f"write the nginx configuration to {self._folder}", error) from error

    def remove_old(self, *, in_use: frozenset[int]) -> None:
        """Remove generations that are neither among the KEPT, nor current, nor in_use. What cannot be removed stays."""
        with self._writing:
            for number in self._numbers()[:-KEPT]:
                if number != self.current() and number not in in_use:
                    self._unsynced.pop(number, None)
                    shutil.rmtree(self._folder / str(number), ignore_errors=True)

    def switch(self, number: int) -> None:
        """Point `current` to a generation, at once, and for good after `sync_link`. Raises: EnvironmentProblemError."""
        self.sync(number)
        if self.read_link() == f"gen/{number}":
            return  # also where nothing can be written
        try:
            durable.point_link(self._link, f"gen/{number}", lasting=False)
        except OSError as error:
            raise error_diagnosis.os_problem(f"switch {self._link}", error) from error

    def sync_link(self) -> None:
        """Make a switch last: a power cut before may undo it. Raises: EnvironmentProblemError."""
        try:
            durable.sync_directory(self._link.parent)
        except OSError as error:
            raise error_diagnosis.os_problem(f"switch {self._link}", error) from error

    def read_link(self) -> str | None:
        """What `current` holds, for `restore`; None when there is no link."""
        try:
            return str(self._link.readlink())
        except OSError:
            return None

    def restore(self, target: str | None) -> None:
        """Make `current` hold what `read_link` gave, at once and for good. Raises: EnvironmentProblemError."""
        try:
            if target is None:
                self._link.unlink(missing_ok=True)
                durable.sync_directory(self._link.parent)
            else:
                durable.point_link(self._link, target)
        except OSError as error:
            raise error_diagnosis.os_problem(f"switch {self._link}", error) from error

    def current(self) -> int | None:
        """The number of the generation that `current` names; None when it names none that is there."""
        name = pathlib.PurePath(self.read_link() or "").name
        return int(name) if name.isdecimal() and (self._folder / name).is_dir() else None

    def read(self, number: int) -> dict[str, bytes] | None:
        """The files of a generation as they were given to `write`; None when it is not there."""
        tree = self._read_tree(number, is_fresh=True)
        if tree is None:
            return None
        files = {name: tree.files[name] for name in tree.files if name != CONFIRM_FILE}
        confirms = tree.files.get(CONFIRM_FILE)
        if not change_plan.is_same(confirms, self._written[number].files.get(CONFIRM_FILE)):
            files[CONFIRM_FILE] = confirms or b""  # no tree of ours has it, so this one is replaced
        return files

    def read_current(self) -> dict[str, bytes] | None:
        number = self.current()
        return None if number is None else self.read(number)

    def find_hand_edits(self) -> tuple[hand_edits.HandEdit, ...]:
        """What of the current generation is not as daemun wrote it. Blocking: 10,000 files take some 60 ms."""
        number = self.current()
        written = self._written.get(number) if number is not None else None
        if written is None:
            return ()
        try:
            return hand_edits.find(written.files, file_trees.find_changed(written))
        except OSError:  # what is gone altogether is made anew (`wiring.state_guard`)
            return ()

    def _read_tree(self, number: int, *, is_fresh: bool) -> file_trees.FileTree | None:
        """is_fresh: looked at now. Else what it held at the last look will do: it is not changed."""
        known = self._known.get(number)
        if known is not None and not is_fresh:
            return known
        try:
            found = file_trees.read(str(self._folder / str(number)), known)
        except OSError:  # what cannot be read is made anew
            return None
        self._known = {**self._known, number: found}
        self._written = {number: found, **self._written}
        return found

    def _numbers(self) -> list[int]:
        if not self._folder.is_dir():
            return []
        return sorted(int(entry.name) for entry in self._folder.iterdir() if entry.name.isdecimal())


def _confirm_server(path: str, number: int) -> bytes:
    def line(name: str, *words: str) -> directive.Directive:
        return directive.Directive(name, tuple(directive.Expr(word) for word in words))

    server = (
        line("listen", f"unix:{path}"),
        line("access_log", "off"),
        line("default_type", "text/plain"),
        line("return", "200", str(number)),
    )
    tree = (
        directive.Comment("Tells daemun which generation the workers run."),
        directive.Directive("server", (), server),
    )
    return serialise.serialise(tree)
