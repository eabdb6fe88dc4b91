"""An sshd of the tests' own on loopback, with keys of its own, and the ssh that meets it."""

import collections.abc
import contextlib
import pathlib
import signal
import subprocess
import time

from tests.support import binaries, ports

ALIAS = "nas"
"""What ssh's own configuration calls the machine."""
_START_S = 60.0


class SshServer:
    """path: a folder with an ssh that has a configuration of the test's own, to be the first of PATH: ssh finds that of
    a person by the account, whatever HOME is."""

    def __init__(self, folder: pathlib.Path) -> None:
        binaries.needs_root("an sshd of one's own")
        self._sshd = binaries.program("sshd", "openssh-server")
        self._ssh = binaries.program("ssh", "openssh-client")
        self._keygen = binaries.program("ssh-keygen", "openssh-client")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = ports.free_port()
        self.path = folder / "bin"

    def prepare(self) -> None:
        for name in ("host", "client", "stranger"):
            subprocess.run([self._keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(self._folder / name)], check=True)
        (self._folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self._folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {self._folder}/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nAcceptEnv none\n"
        )
        self.path.mkdir()
        (self.path / "ssh").write_text(f'#!/bin/sh\nexec {self._ssh} -F {self._folder}/ssh_config "$@"\n')
        (self.path / "ssh").chmod(0o755)
        self.trust()
        self.start()

    def trust(self, *, is_known: bool = True, key: str = "client") -> None:
        """What the configuration of ssh has. is_known: the key of the host was accepted. key: what it shows."""
        (self._folder / "authorized").write_bytes((self._folder / "client.pub").read_bytes())
        known = f"[127.0.0.1]:{self.port} {(self._folder / 'host.pub').read_text()}" if is_known else ""
        (self._folder / "known_hosts").write_text(known)
        (self._folder / "ssh_config").write_text(
            f"Host {ALIAS}\n HostName 127.0.0.1\n Port {self.port}\n User root\n IdentityFile {self._folder}/{key}\n"
            f" IdentitiesOnly yes\n UserKnownHostsFile {self._folder}/known_hosts\n GlobalKnownHostsFile none\n"
        )

    def restrict(self, command: str) -> None:
        """The key does nothing but run a command."""
        key = (self._folder / "client.pub").read_text()
        (self._folder / "authorized").write_text(f'restrict,command="{command}" {key}')

    def start(self) -> None:
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it to be there
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._sshd, "-D", "-e", "-f", str(self._folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + _START_S
        while subprocess.run([str(self.path / "ssh"), ALIAS, "true"], capture_output=True, check=False).returncode:
            assert self._process.poll() is None and time.monotonic() < end, (self._folder / "log").read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        """Connections that are there go on, as with any sshd."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(_START_S)
            self._process = None


@contextlib.contextmanager
def serving(folder: pathlib.Path) -> collections.abc.Iterator[SshServer]:
    """Skips the test without root, or where sshd or ssh is missing."""
    server = SshServer(folder)
    try:
        server.prepare()
        yield server
    finally:
        server.stop()
