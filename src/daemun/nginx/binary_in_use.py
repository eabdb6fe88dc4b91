"""Which nginx binary serves, or would be started, and which one could take over. All methods block for milliseconds."""

import collections.abc
import contextlib

import psutil

from daemun import errors
from daemun.core import layout, render_environment
from daemun.nginx import find_nginx, master_program, process

FindNext = collections.abc.Callable[[], render_environment.Nginx]
"""The binary that would be started now. Raises: EnvironmentProblemError."""


class BinaryInUse:
    """serving: the one that serves, or would be started. successor: the one that is to take over, while it is."""

    def __init__(self, serving: render_environment.Nginx, paths: layout.Layout, find_next: FindNext | None) -> None:
        self.serving = serving
        self.successor: render_environment.Nginx | None = None
        self._layout = paths
        self._find_next = find_next

    @property
    def judge(self) -> render_environment.Nginx:
        """What tests and runs the next generation."""
        return self.successor or self.serving

    def offer(self, successor: render_environment.Nginx | None) -> None:
        """This one is to take over; None: none is."""
        self.successor = successor

    def settle(self, binary: render_environment.Nginx) -> None:
        """This one serves from now on."""
        self.serving, self.successor = binary, None

    def adopt(self) -> None:
        """Whichever serves now, it is the one."""
        master = process.find_master(self._layout)
        found = None if master is None else find_nginx.examine(master_program.path_of(master.pid))
        if isinstance(found, render_environment.Nginx):
            self.settle(found)

    def follow_file(self, master: psutil.Process | None) -> None:
        """When the file of the binary was replaced, as by an update of the system: what runs is still the old one,
        which the kernel keeps; what is started when it is gone is the new one, or another where there is none."""
        if self._find_next is None:
            return
        is_kept = master is not None and master_program.is_replaced(master.pid)
        found = find_nginx.examine(master_program.path_of(master.pid) if master and is_kept else self.serving.path)
        if master is None and isinstance(found, str):
            with contextlib.suppress(errors.EnvironmentProblemError):
                found = self._find_next()
        if isinstance(found, render_environment.Nginx):
            self.serving = found

    def find_successor(self) -> render_environment.Successor | None:
        """See nginx_port.Succession."""
        master = process.find_master(self._layout)
        if master is None or self._find_next is None:
            return None
        found = self._find_next()
        is_same = master_program.is_running_file(master.pid, found.path)
        if is_same is None:  # this account may not know
            is_same = found.path == self.serving.path
        if is_same:
            return None
        return render_environment.Successor(binary=found, is_replacement=master_program.is_replaced(master.pid))
