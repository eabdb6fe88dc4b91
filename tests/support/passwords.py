"""Commands that read a password."""

import subprocess

from tests.support import daemon as daemon_support
from tests.support import forked


def run_with(daemon: daemon_support.Daemon, password: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command with a password on its standard input."""
    return forked.run(
        daemon.command(*arguments),
        environment=daemon.environment,
        folder=daemon.root,
        within_s=60,
        typed=f"{password}\n",
    )
