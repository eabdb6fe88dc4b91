"""CrowdSec's local API, the program of Debian, with decisions as `cscli` makes them.

    with crowdsec.running(folder) as api:
        api.cscli("decisions", "add", "--ip", "203.0.113.7", "--duration", "1h")

It is unpacked, not installed: Debian starts it, and lets it talk to CrowdSec's own servers. This one has no contact
with them, reads no logs, and listens on loopback.
"""

import collections.abc
import contextlib
import dataclasses
import functools
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

from tests.support import ports, until

_CACHE = pathlib.Path(__file__).parents[2] / ".cache" / "crowdsec"
_PACKAGE = "crowdsec"
_CONFIG = """\
common: {{daemonize: false, log_media: stdout, log_level: info, working_dir: .}}
config_paths: {{config_dir: {root}, data_dir: {root}, simulation_path: {root}/simulation.yaml, hub_dir: {hub},
  index_path: {hub}/.index.json}}
crowdsec_service: {{acquisition_path: {root}/acquis.yaml, parser_routines: 1}}
cscli: {{output: human}}
db_config: {{log_level: info, type: sqlite, db_path: {root}/crowdsec.db, use_wal: true}}
api:
  client: {{insecure_skip_verify: false, credentials_path: {root}/credentials.yaml}}
  server: {{log_level: info, listen_uri: "127.0.0.1:{port}", profiles_path: {root}/profiles.yaml}}
prometheus: {{enabled: false}}
"""
_PARSERS = (
    "s00-raw/syslog-logs.yaml",
    "s01-parse/nginx-logs.yaml",
    "s02-enrich/dateparse-enrich.yaml",
    "s02-enrich/http-logs.yaml",
)
"""Of Debian's package; the others need data of the Internet."""


@dataclasses.dataclass(slots=True, kw_only=True)
class LocalApi:
    """url: of the API. key: a bouncer's. tree: where the programs are."""

    url: str
    key: str
    tree: pathlib.Path
    config: pathlib.Path
    process: subprocess.Popen[bytes] | None = None

    def cscli(self, *arguments: str) -> str:
        command = [str(self.tree / "usr/bin/cscli"), "-c", str(self.config), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def parses(self, line: str) -> bool:
        """Whether the parser of nginx's logs that Debian has reads a line of the access log."""
        environment = {**os.environ, "PATH": f"{self.tree}/usr/bin:{os.environ['PATH']}"}
        command = ["cscli", "-c", str(self.config), "explain", "--log", line, "--type", "nginx"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
        assert "s01-parse" in done.stdout, done.stdout + done.stderr
        return "parser success" in done.stdout

    def start(self) -> None:
        command = [str(self.tree / "usr/bin/crowdsec"), "-c", str(self.config), "-no-cs"]
        with (self.config.parent / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        port = int(self.url.rpartition(":")[2])
        until.true(lambda: _listens(port))

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@functools.cache
def _find_tree() -> pathlib.Path:
    """Skips the test where the package cannot be had."""
    if (_CACHE / "usr/bin/crowdsec").exists():
        return _CACHE
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip(f"{_PACKAGE} (Debian package) cannot be had: no apt")
    _CACHE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE.parent) as folder:
        pathlib.Path(folder).chmod(0o755)
        done = subprocess.run(
            ["apt-get", "download", _PACKAGE], cwd=folder, capture_output=True, text=True, check=False, timeout=300
        )
        found = list(pathlib.Path(folder).glob("*.deb"))
        if done.returncode != 0 or not found:
            pytest.skip(f"{_PACKAGE} (Debian package) cannot be had: {done.stderr.strip()}")
        draft = pathlib.Path(folder, "tree")
        subprocess.run(["dpkg-deb", "-x", str(found[0]), str(draft)], check=True, timeout=300)
        with contextlib.suppress(OSError):  # another test was quicker
            draft.rename(_CACHE)
    return _CACHE


@contextlib.contextmanager
def running(root: pathlib.Path) -> collections.abc.Iterator[LocalApi]:
    """root: an empty folder."""
    tree, port = _find_tree(), ports.free_port()
    config = root / "config.yaml"
    hub = tree / "usr/share/crowdsec/hub"
    config.write_text(_CONFIG.format(root=root, hub=hub, port=port))
    for parser in _PARSERS:
        (root / "parsers" / parser).parent.mkdir(parents=True, exist_ok=True)
        (root / "parsers" / parser).symlink_to(hub / "parsers" / parser.replace("/", "/crowdsecurity/"))
    for name in ("scenarios", "postoverflows"):
        (root / name).mkdir()
    shutil.copytree(tree / "etc/crowdsec/patterns", root / "patterns")
    (root / "acquis.yaml").touch()
    for name in ("profiles.yaml", "simulation.yaml"):
        shutil.copy(tree / "etc/crowdsec" / name, root / name)
    (root / "credentials.yaml").touch(0o600)
    api = LocalApi(url=f"http://127.0.0.1:{port}", key="", tree=tree, config=config)
    api.cscli("machines", "add", "tester", "--auto", "-f", os.fspath(root / "credentials.yaml"), "-u", api.url)
    api.key = api.cscli("bouncers", "add", "daemun", "-o", "raw").strip()
    api.start()
    try:
        yield api
    finally:
        api.stop()
