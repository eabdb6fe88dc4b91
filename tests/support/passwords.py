"""Commands that read a password."""

import subprocess

from tests.support import daemon as daemon_support


def run_with(daemon: daemon_support.Daemon, password: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command with a password on its standard input."""
    return subprocess.run(
        daemon.command(*arguments),
        input=f"{password}\n",
        capture_output=True,
        text=True,
        env=daemon.environment,
        cwd=daemon.root,
        timeout=60,
        check=False,
    )
