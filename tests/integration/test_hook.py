"""`acme.hook`: a real program after each new certificate of Pebble."""

import asyncio
import collections.abc
import contextlib
import json
import os
import pathlib
import signal
import sys

import psutil
import pytest
import structlog

from daemun.certs import certificate_manager
from daemun.certs.acme import acme_accounts
from daemun.certs.served import certificate_records, deploy_hook, live_folder, local_ca
from daemun.core import layout, model
from daemun.store import file_store, memory_store
from tests.support import certificates, clock, http01, pebble

VALID = model.CertificateState.VALID
HOST, ALIAS = "a.example.com", "www.a.example.com"
PATIENCE_S = 60.0

TELLER = """\
import json, os, pathlib
names = ("DAEMUN_NAME", "DAEMUN_HOSTS", "DAEMUN_LIVE", "RENEWED_LINEAGE", "RENEWED_DOMAINS")
live = pathlib.Path(os.environ["DAEMUN_LIVE"])
told = {name: os.environ[name] for name in names}
told["files"] = {path.name: path.read_text() for path in sorted(live.iterdir()) if path.name != "privkey.pem"}
told["key"] = (live / "privkey.pem").exists()
print("told", told["DAEMUN_NAME"])
with open(__OUT__, "a") as out:
    out.write(json.dumps(told) + chr(10))
"""


class Hook:
    """A program that writes down what it was told."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._out = folder / "told"
        self._script = folder / "hook.py"
        self._script.write_text(TELLER.replace("__OUT__", repr(str(self._out))))
        self.command = (sys.executable, str(self._script))

    @property
    def told(self) -> list[dict[str, object]]:
        """As far as its lines are whole."""
        text = self._out.read_text() if self._out.exists() else ""
        return [json.loads(line) for line in text.rpartition("\n")[0].splitlines()]


def spec(*names: str) -> model.CertificateSpec:
    return model.CertificateSpec(name=names[0], host=names[0], names=names, mode=model.TlsMode.ACME)


def asking(ca: pebble.Pebble, hook: tuple[str, ...]) -> model.Acme:
    return model.Acme(authorities=(model.Authority(directory=ca.directory, ca_file=str(ca.ca_file)),), hook=hook)


async def until(is_reached: collections.abc.Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not is_reached():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {PATIENCE_S:g} s in vain for {what}") from None


@contextlib.asynccontextmanager
async def running(hooks: deploy_hook.DeployHook) -> collections.abc.AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(hooks.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


# --- with a CA -----------------------------------------------------------------------------------------------------


@pytest.mark.pebble
async def test_it_runs_once_after_each_new_certificate(tmp_path: pathlib.Path) -> None:
    paths = layout.Layout(str(tmp_path / "state"))
    store, hook = file_store.FileStore(pathlib.Path(paths.store)), Hook(tmp_path)
    thumbprint = acme_accounts.thumbprint(acme_accounts.load_or_create_key(store))
    with http01.answering(thumbprint) as port, pebble.running_pebble(port) as ca:
        certs = certificate_manager.Manager(store, paths, clock.FakeClock())
        certs.thumbprint()
        certs.configure(asking(ca, hook.command))
        await certs.prepare([spec(HOST, ALIAS)])
        async with running(certs.hook), certificates.running(certs) as watched:
            await watched.until_state(HOST, VALID)
            await until(lambda: len(hook.told) == 1, "the hook")
            assert certs.renew(HOST)

            await until(lambda: len(hook.told) == 2, "the hook once more")
            await until(lambda: not is_due(store), "its end")
            assert watched.status(HOST).reason is None
        folder = f"{paths.live}/{HOST}"
        for told in hook.told:
            assert (told["DAEMUN_NAME"], told["DAEMUN_LIVE"], told["RENEWED_LINEAGE"]) == (HOST, folder, folder)
            assert told["DAEMUN_HOSTS"] == told["RENEWED_DOMAINS"] == f"{HOST} {ALIAS}"
            assert told["key"] is True
        found = live_folder.read(pathlib.Path(paths.live), HOST)
        assert found is not None
        first, second = (told["files"] for told in hook.told)
        assert isinstance(second, dict)
        assert set(second) == {"fullchain.pem", "cert.pem", "chain.pem"}
        assert second["fullchain.pem"] == found.fullchain_pem.decode()
        assert first != second


@pytest.mark.pebble
async def test_its_failure_is_told_and_the_certificate_stays(tmp_path: pathlib.Path) -> None:
    paths = layout.Layout(str(tmp_path / "state"))
    store = file_store.FileStore(pathlib.Path(paths.store))
    thumbprint = acme_accounts.thumbprint(acme_accounts.load_or_create_key(store))
    hook = (sys.executable, "-c", "import sys; print('no such mail server'); sys.exit(3)")
    with http01.answering(thumbprint) as port, pebble.running_pebble(port) as ca:
        certs = certificate_manager.Manager(store, paths, clock.FakeClock())
        certs.thumbprint()
        certs.configure(asking(ca, hook))
        await certs.prepare([spec(HOST)])
        with structlog.testing.capture_logs() as logs:
            async with running(certs.hook), certificates.running(certs) as watched:
                await until(lambda: certs.hook.failure(HOST), "the hook to fail")
                status = watched.status(HOST)
        assert status.state is VALID
        assert status.reason == f'the hook "{sys.executable}" ended with exit code 3; its output is in the log'
        (told,) = (
            entry for entry in logs if entry["event"] == "the hook failed; the certificate is in use all the same"
        )
        assert (told["log_level"], told["host"], told["output"]) == ("warning", HOST, "no such mail server")
        # A restart knows it still, and does not run it again.
        again = certificate_manager.Manager(store, paths, clock.FakeClock())
        again.configure(asking(ca, hook))
        await again.prepare([spec(HOST)])
        async with running(again.hook):
            await until(lambda: again.hook.failure(HOST), "the failure to be known")
        assert again.status()[0].reason == status.reason


# --- without one ---------------------------------------------------------------------------------------------------


class Shelf:
    """A store with a certificate that came just now."""

    def __init__(self, folder: pathlib.Path, *command: str, longest_s: float = deploy_hook.LONGEST_S) -> None:
        self.paths = layout.Layout(str(folder / "state"))
        self.store = file_store.FileStore(pathlib.Path(self.paths.store))
        now = clock.FakeClock().now()
        self.issued = local_ca.load_or_create(memory_store.MemoryStore(), now).issue([HOST], now)
        self.hooks = deploy_hook.DeployHook(self.store, self.paths, longest_s=longest_s)
        self.hooks.configure(command)

    def put(self) -> None:
        self.hooks.note(HOST, (HOST,), self.issued)
        certificate_records.write_issued(
            self.store,
            certificate_records.issued_key(HOST),
            certificate_records.Issued(directory="https://ca.test/dir", bundle=self.issued),
        )
        live_folder.publish(pathlib.Path(self.paths.live), HOST, self.issued, worker_gid=None)

    @property
    def is_due(self) -> bool:
        return is_due(self.store)


def is_due(store: file_store.FileStore) -> bool:
    return f"certs/{HOST}/hook.json" in store.list("certs")


def is_running(pid_file: pathlib.Path) -> bool:
    try:
        process = psutil.Process(int(pid_file.read_text()))
        return process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, OSError, ValueError):
        return False


SLEEPER = "echo $$ > {folder}/shell; sleep 600 & echo $! > {folder}/child; wait"


async def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: pathlib.Path) -> None:
    served_files = Shelf(tmp_path, "/bin/sh", "-c", SLEEPER.format(folder=tmp_path), longest_s=0.5)
    served_files.put()
    async with running(served_files.hooks):
        served_files.hooks.notify(HOST)
        await until(lambda: served_files.hooks.failure(HOST), "its end")
        assert served_files.hooks.failure(HOST) == 'the hook "/bin/sh" took longer than 0.5 s and was ended'
        await until(lambda: not is_running(tmp_path / "child"), "its child to end")
        await until(lambda: not is_running(tmp_path / "shell"), "its own end")


async def test_a_stop_ends_it_and_the_next_start_runs_it_again(tmp_path: pathlib.Path) -> None:
    served_files = Shelf(tmp_path, "/bin/sh", "-c", SLEEPER.format(folder=tmp_path))
    served_files.put()
    async with running(served_files.hooks):
        served_files.hooks.notify(HOST)
        await until(lambda: is_running(tmp_path / "child"), "the hook to run")
    await until(lambda: not is_running(tmp_path / "child") and not is_running(tmp_path / "shell"), "its end")
    assert served_files.is_due
    hook = Hook(tmp_path)
    later = deploy_hook.DeployHook(served_files.store, served_files.paths)
    async with running(later):
        later.configure(hook.command)  # the file is read after the tasks began
        await until(lambda: not served_files.is_due, "the hook to run again")
    assert [told["DAEMUN_NAME"] for told in hook.told] == [HOST]


async def test_one_that_ignores_sigterm_is_killed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy_hook, "GRACE_S", 0.2)
    script = f"trap '' TERM; echo $$ > {tmp_path}/shell; while :; do sleep 600; done"
    served_files = Shelf(tmp_path, "/bin/sh", "-c", script)
    served_files.put()
    async with running(served_files.hooks):
        served_files.hooks.notify(HOST)
        await until(lambda: is_running(tmp_path / "shell"), "the hook to run")
    await until(lambda: not is_running(tmp_path / "shell"), "its end")


async def test_a_kill_before_the_certificate_was_stored_runs_nothing(tmp_path: pathlib.Path) -> None:
    """The order goes on with the next start, and then the hook is due."""
    hook = Hook(tmp_path)
    served_files = Shelf(tmp_path, *hook.command)
    served_files.hooks.note(HOST, (HOST,), served_files.issued)
    async with running(served_files.hooks):
        served_files.put()
        served_files.hooks.notify(HOST)
        await until(lambda: hook.told, "the hook")
    assert len(hook.told) == 1


async def test_what_it_leaves_running_is_not_waited_for(tmp_path: pathlib.Path) -> None:
    """As a script that restarts a server in the background does."""
    served_files = Shelf(tmp_path, "/bin/sh", "-c", f"sleep 600 & echo $! > {tmp_path}/child")
    served_files.put()
    async with running(served_files.hooks):
        served_files.hooks.notify(HOST)
        await until(lambda: not served_files.is_due, "its end")
        assert served_files.hooks.failure(HOST) is None
        assert is_running(tmp_path / "child")
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


async def test_what_it_prints_is_bounded_and_its_end_is_kept(tmp_path: pathlib.Path) -> None:
    script = "import sys; sys.stdout.write('x' * 5_000_000 + 'the end'); sys.exit(1)"
    served_files = Shelf(tmp_path, sys.executable, "-c", script)
    served_files.put()
    with structlog.testing.capture_logs() as logs:
        async with running(served_files.hooks):
            served_files.hooks.notify(HOST)
            await until(lambda: served_files.hooks.failure(HOST), "its end")
    (told,) = (entry for entry in logs if entry["log_level"] == "warning")
    assert told["output"].endswith("xthe end")
    assert len(told["output"]) <= deploy_hook.MOST_OUTPUT_BYTES


async def test_a_program_that_is_not_there_is_said(tmp_path: pathlib.Path) -> None:
    served_files = Shelf(tmp_path, "/no/such/program")
    served_files.put()
    async with running(served_files.hooks):
        served_files.hooks.notify(HOST)
        await until(lambda: served_files.hooks.failure(HOST), "the failure")
    assert served_files.hooks.failure(HOST) == (
        'cannot run the hook "/no/such/program": no such file or directory; correct `acme.hook`'
    )
