"""certbot itself, as people run it, with folders of its own.

    Certbot(tmp_path / "letsencrypt", ca, http_port).obtain("a.example.com", "www.a.example.com")

Its files are then in the folder, as in /etc/letsencrypt.
"""

import dataclasses
import os
import pathlib
import subprocess
import sys

from tests.support import pebble


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Certbot:
    """folder: in the place of /etc/letsencrypt. http_port: where the CA looks for HTTP-01 answers; free meanwhile."""

    folder: pathlib.Path
    ca: pebble.Pebble
    http_port: int

    def obtain(self, *names: str, options: tuple[str, ...] = ()) -> pathlib.Path:
        """A certificate by certbot's own server (--standalone). Returns: the folder of the lineage under live/."""
        standalone = ("--standalone", "--http-01-address", "127.0.0.1", "--http-01-port", str(self.http_port))
        wanted = [word for name in names for word in ("-d", name)]
        self.run("certonly", *standalone, "--cert-name", names[0], *wanted, *options)
        return self.folder / "live" / names[0]

    def run(self, command: str, *options: str) -> None:
        """Raises: AssertionError with what certbot said."""
        own = self.folder.parent / f"{self.folder.name}-apart"
        folders = ("--config-dir", self.folder, "--work-dir", own / "work", "--logs-dir", own / "logs")
        person = ("--non-interactive", "--agree-tos", "--email", "me@example.com", "--no-eff-email")
        words = [command, "--server", self.ca.directory, *map(str, folders), *person, *options]
        program = [sys.executable, "-c", "from certbot.main import main; main()"]
        environment = {**os.environ, "REQUESTS_CA_BUNDLE": str(self.ca.ca_file)}
        done = subprocess.run([*program, *words], capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, f"certbot {command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
