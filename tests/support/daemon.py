"""The installed daemun as a process, with a state directory and ports of its own, gone without a trace afterwards.

The path of the directory is short: a unix socket's path may have 107 bytes (unix(7)).
"""

import collections.abc
import contextlib
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import typing

import httpx
import psutil
import pytest

from daemun import errors, settings
from daemun.cli import control_client
from daemun.core import layout
from daemun.judge import judge_process
from tests.support import binaries, clients, forked, ports

Json = dict[str, typing.Any]
T = typing.TypeVar("T")


def signpost(host: str, sign: str) -> str:
    """A line of `sites:` for a site that needs no server behind it: every request is sent to https://sign.test/SIGN."""
    return f"  {host}: {{routes: {{/: {{redirect: 'https://sign.test/{sign}', status: 302}}}}}}\n"


def wait_for(
    look: collections.abc.Callable[[], T | None], what: str, *, within_s: float = 60, every_s: float = 0.05
) -> T:
    """Look until there is something true, and return it. Raises: AssertionError naming `what` after within_s."""
    deadline = time.monotonic() + within_s
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"waited {within_s:g} s in vain for {what}; last seen: {seen!r}"
        time.sleep(every_s)


_CHANGES = {(name,) for name in ("add", "apply", "clients", "disable", "enable", "maintenance", "nginx", "rm")}
"""Commands that may reload nginx."""

# Inside, the process is user 1000 without any right of root's; it may still read what the tests' account may read.
_WITHOUT_RIGHTS = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


def without_rights() -> tuple[str, ...]:
    """For `Daemon.run_by`, when root runs the tests. Skips the test where that cannot be had."""
    tried = subprocess.run([*_WITHOUT_RIGHTS, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no user namespace here: {tried.stderr.strip()}")
    return _WITHOUT_RIGHTS


class Daemon:
    """One daemun: its files, its process and the nginx it starts.

    root: a new directory that holds everything. config: the path of daemun.yaml. state: the state directory, not
    made yet. http, https: the ports of the `listen` line that `write` puts before its text.
    """

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.config = root / "daemun.yaml"
        self.state = root / "s"
        self.log_file = root / "daemun.log"
        self.http = ports.free_port()
        self.https = ports.free_port()
        self.program: tuple[str, ...] = (sys.executable, "-m", "daemun")
        """Which daemun it is."""
        self.arguments: tuple[str, ...] = ()
        self.run_by: tuple[str, ...] = ()
        """A command that daemun and its commands are started by, such as one that takes rights away."""
        self.preamble = ""
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DAEMUN_")},
            "DAEMUN_NGINX": str(binaries.nginx_path()),
            "COLUMNS": "200",
        }
        self._process: subprocess.Popen[bytes] | None = None

    # --- the file ---

    @property
    def listen(self) -> str:
        return f'listen: {{http: "127.0.0.1:{self.http}", https: "127.0.0.1:{self.https}"}}\n'

    def write(self, text: str) -> str:
        """Replace daemun.yaml, as an editor does, by the `listen` line, the preamble and this (dedented) text."""
        return self.write_raw(self.listen + self.preamble + textwrap.dedent(text))

    def write_raw(self, text: str) -> str:
        new = self.config.with_suffix(".new")
        new.write_text(text)
        new.replace(self.config)
        return text

    # --- the process ---

    def start(self) -> None:
        """Start `daemun up`; return at once."""
        with self.log_file.open("ab") as log:
            self._start(log.fileno())

    @contextlib.contextmanager
    def on_a_terminal(self) -> collections.abc.Iterator[collections.abc.Callable[[], str]]:
        """Start with standard output and error on a terminal; yields a function that tells all it showed so far."""
        ours, its = pty.openpty()
        os.set_blocking(ours, False)
        self._start(its)
        os.close(its)
        shown = bytearray()

        def read() -> str:
            # BlockingIOError: nothing new. EIO: the other side is closed (pty(7)).
            with contextlib.suppress(OSError):
                while chunk := os.read(ours, 65536):
                    shown.extend(chunk)
            return shown.decode(errors="replace")  # of the last character a part may be missing

        try:
            yield read
        finally:
            os.close(ours)

    def _start(self, output: int) -> None:
        assert not self.is_running, "the daemon runs already"
        self._process = forked.Popen(
            self.command("up"),
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env=self.environment,
            cwd=self.root,
        )

    def up(self, *urls: str) -> None:
        """Start, and wait until nginx answers each URL with something that is no server error."""
        self.start()
        self.wait_answers(*urls)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL the daemon, and only the daemon."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self.wait_exit()

    def wait_exit(self, within_s: float = 60) -> int:
        assert self._process is not None
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon still runs after {within_s:g} s; its log:\n{self.log_text()}") from None

    def wait(
        self,
        look: collections.abc.Callable[[], T | None],
        what: str,
        *,
        within_s: float = 60,
        every_s: float = 0.05,
    ) -> T:
        """`wait_for`, while the daemon runs. Its last words are in the error."""

        def look_while_running() -> T | None:
            assert self.is_running, f"the daemon ended before {what}"
            return look()

        try:
            return wait_for(look_while_running, what, within_s=within_s, every_s=every_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\nthe daemon's log ends with:\n{self.log_text()[-4000:]}") from None

    def log_text(self) -> str:
        """What is in the log at this moment. Whether something is in it that should be, `wait_log` tells."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log_lines(self) -> list[Json]:
        """The daemon's own log, as far as its lines are whole; every line must be JSON."""
        return [json.loads(line) for line in self.log_text().rpartition("\n")[0].splitlines()]

    def wait_log(self, *words: str, since: int = 0) -> str:
        """Wait until all these words are in the daemon's log, and return it from `since` on. nginx, files and commands
        tell nothing of what the log has already. A daemon that has ended writes no more."""

        def look() -> str | None:
            is_over = self._process is None or not self.is_running  # before the log is read, which is whole then
            text = self.log_text()[since:]
            missing = [one for one in words if one not in text]
            assert not (missing and is_over), f"the daemon ended without {missing} in its log:\n{text[-4000:]}"
            return None if missing else f"{text} "

        try:
            return wait_for(look, f"{' and '.join(map(repr, words))} in the log")[:-1]
        except AssertionError as error:
            raise AssertionError(f"{error}\nthe daemon's log ends with:\n{self.log_text()[-4000:]}") from None

    def wait_up(self) -> None:
        """Wait until the daemon has said so: then its watchdog runs, too, and its servers were tried once."""
        self.wait_log("daemun is up")

    # --- the command line ---

    def command(self, *arguments: str) -> list[str]:
        """What runs a command of daemun."""
        common = ["-c", str(self.config), "--state", str(self.state), *self.arguments]
        return [*self.run_by, *self.program, *common, *arguments]

    def cli(self, *arguments: str, within_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run one command of daemun to its end. After one that changes what is served, no old worker takes visitors any
        more, as in `wait_settled`."""
        done = self._run(self.command(*arguments), within_s)
        if self.is_running and arguments[:1] in _CHANGES:
            wait_for(self._has_its_workers, "the old workers to retire")
        return done

    def named(self, command: str) -> str:
        """A command as daemun's messages name it, with the options that lead to this gate."""
        return f"`daemun {command} --state {self.state} -c {self.config}`"

    def bare(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """As `cli`, without -c and --state."""
        return self._run([*self.program, *arguments], 60)

    def _run(self, command: list[str], within_s: float) -> subprocess.CompletedProcess[str]:
        return forked.run(command, environment=self.environment, folder=self.root, within_s=within_s)

    def cli_on_a_terminal(self, *arguments: str) -> str:
        """What a command shows on a terminal, whatever it exits with."""
        ours, its = pty.openpty()
        process = forked.Popen(
            self.command(*arguments), stdin=its, stdout=its, stderr=its, env=self.environment, cwd=self.root
        )
        os.close(its)
        shown = b""
        # EIO: the other side is closed (pty(7)).
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 65536):
                shown += chunk
        os.close(ours)
        process.wait(60)
        return shown.decode()

    def cli_good(self, *arguments: str) -> str:
        """Run a command that must exit with 0; its output."""
        done = self.cli(*arguments)
        assert done.returncode == 0, f"daemun {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def status(self) -> Json:
        """What `daemun status --json` shows once no round is under way (`wait_settled`)."""
        return self.wait_settled()

    def wait_ready(self) -> Json:
        """Wait until the daemon answers and nginx serves, which is later, and return the status."""
        return self.wait_settled()

    def wait_settled(self, *, within_s: float = 60) -> Json:
        """Wait until no round is under way and all visitors meet its workers, and return the status.

        nginx serves what is new before the round that brought it has ended, and only then the status, the log and other
        commands tell of it, and old workers take no new visitors.
        """
        return self.wait(self._look_settled, "the end of the round", within_s=within_s)

    def _look_settled(self) -> Json | None:
        status = self.look()
        # A daemon answers only after its first round has begun.
        is_over = "nginx" in status and status.get("applying_since") is None
        return status if is_over and self._has_its_workers() else None

    def _has_its_workers(self) -> bool:
        """Whether all workers that nginx is to have take new visitors, and no old one does."""
        wanted = self._configured_workers()
        # One that nginx has just made bears its master's name, and may be root's still.
        taking = [one for one in self._titles().values() if "worker process" in one and "shutting down" not in one]
        return wanted is None or self.nginx_pid() is None or len(taking) == wanted

    @property
    def control(self) -> control_client.ControlClient:
        """The commands' own client, for loops: to start a command for each look keeps a processor busy."""
        return control_client.ControlClient(settings.Settings(config=self.config, state=self.state))

    def look(self) -> Json:
        """What `status --json` would show at this moment, in the middle of a round, too; without sites when no daemon
        answers."""
        with contextlib.suppress(errors.DaemunError):
            return self.control.status()
        return {"sites": [], "containers": [], "problems": []}

    def certificates(self) -> list[Json]:
        """What `certs --json` would show at this moment; nothing when no daemon answers."""
        with contextlib.suppress(errors.DaemunError):
            return self.control.certificates()
        return []

    def site(self, host: str) -> Json:
        """The entry of one site in `status --json`."""
        found = [site for site in self.status()["sites"] if site["host"] == host]
        assert len(found) == 1, f"{host} is {len(found)} times in the status"
        return typing.cast(Json, found[0])

    def wait_sites(self, *hosts: str) -> Json:
        """Wait until the status has these sites, and return it."""

        def look() -> Json | None:
            status = self._look_settled()
            is_there = status is not None and {*hosts} <= {site["host"] for site in status["sites"]}
            return status if is_there else None

        return self.wait(look, f"{', '.join(hosts)} in the status", every_s=0.2)

    def wait_site(self, host: str, is_reached: collections.abc.Callable[[Json], bool], what: str) -> Json:
        """Wait until a daemon tells this of a site, and return its entry."""

        def look() -> Json | None:
            status = self._look_settled() or {"sites": []}
            return next((site for site in status["sites"] if site["host"] == host and is_reached(site)), None)

        return wait_for(look, f"{what} of {host}", within_s=90, every_s=0.2)

    def wait_state(self, host: str, state: str) -> Json:
        return self.wait_site(host, lambda site: site["state"] == state, f"the state {state}")

    # --- what visitors see ---

    @property
    def gate(self) -> clients.GateAddress:
        return clients.GateAddress(http=self.http, https=self.https, ca=self.state / "ca.pem")

    def get(self, url: str, *, http2: bool = False, **headers: str) -> httpx.Response:
        return clients.get(self.gate, url, http2=http2, **headers)

    def wait_answers(self, *urls: str, within_s: float = 60) -> None:
        for url in urls:
            self.wait_answer(url, lambda answer: answer.status_code < 500, within_s=within_s)

    def wait_answer(
        self, url: str, is_right: collections.abc.Callable[[httpx.Response], bool], *, within_s: float = 60
    ) -> httpx.Response:
        """Ask until an answer is right and the round that brought it has ended, and return it."""

        def look() -> httpx.Response | None:
            answer = clients.try_get(self.gate, url)
            return answer if answer is not None and is_right(answer) else None

        try:
            found = self.wait(look, f"the right answer from {url}", within_s=within_s)
        except AssertionError as error:
            last = clients.try_get(self.gate, url)
            seen = "nothing" if last is None else f"{last.status_code} {dict(last.headers)} {last.text[:300]!r}"
            raise AssertionError(f"{error}\nlast answer: {seen}") from None
        self.wait(self._look_settled, f"the end of the round that brought {url}", within_s=within_s)
        return found

    def sign(self, host: str) -> str | None:
        """What the signpost shows at this moment; None when it answers something else, or not at all."""
        answer = clients.try_get(self.gate, f"https://{host}/")
        to = "" if answer is None else answer.headers.get("Location", "")
        return to.removeprefix("https://sign.test/") if to.startswith("https://sign.test/") else None

    def wait_sign(self, host: str, sign: str, *, within_s: float = 60) -> None:
        """Wait until the signpost shows this, to all visitors from then on, and the round that brought it has ended."""
        where = f"https://sign.test/{sign}"
        self.wait_answer(f"https://{host}/", lambda answer: answer.headers.get("Location") == where, within_s=within_s)

    def _configured_workers(self) -> int | None:
        """None: nobody knows."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = (self.state / "nginx" / "current" / "nginx.conf").read_text()
            match = re.search(r"^worker_processes (\d+);", text, re.MULTILINE)
            return None if match is None else int(match[1])
        return None

    # --- nginx ---

    def nginx_pid(self) -> int | None:
        """The master's pid by its pid file, None when no such process of this state directory runs."""
        try:
            pid = int((self.state / "run" / "nginx.pid").read_text())
            process = psutil.Process(pid)
            words = " ".join(process.cmdline())
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None
        return pid if "nginx" in words and str(self.state) in words else None

    def worker_pids(self, *, draining: bool = False) -> set[int]:
        """The workers that take new connections; with draining=True those that only finish old ones."""
        return {pid for pid, title in self._titles().items() if draining == ("shutting down" in title)}

    def _titles(self) -> dict[int, str]:
        """pid -> what each child of nginx's master calls itself."""
        pid = self.nginx_pid()
        found: dict[int, str] = {}
        with contextlib.suppress(psutil.NoSuchProcess):
            for worker in psutil.Process(pid).children() if pid is not None else ():
                with contextlib.suppress(psutil.NoSuchProcess):
                    found[worker.pid] = " ".join(worker.cmdline())
        return found

    def nginx_processes(self) -> list[psutil.Process]:
        """Every nginx process that holds a file of this state directory open: also workers whose master is gone."""
        return [process for process in psutil.process_iter(["name"]) if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            if "nginx" not in process.name():
                return False
            return any(file.path.startswith(f"{self.root}/") for file in process.open_files())
        except psutil.Error:
            return False

    # --- the end ---

    def close(self) -> None:
        """End what was started, nginx too, and remove the directory."""
        if self.is_running:
            assert self._process is not None
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        left = self.nginx_processes()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(left, timeout=10)
        judge = judge_process.find_left(layout.Layout(str(self.state)))
        if judge is not None:
            judge.kill()
            psutil.wait_procs([judge], timeout=10)
        shutil.rmtree(self.root, ignore_errors=True)


@contextlib.contextmanager
def new_daemon() -> collections.abc.Iterator[Daemon]:
    """A daemon that is not started yet; ended and removed afterwards, whatever happened."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="dm-"))
    root.chmod(0o755)  # nginx's workers run under an account of their own when the tests run as root
    daemon = Daemon(root)
    try:
        yield daemon
    finally:
        daemon.close()
