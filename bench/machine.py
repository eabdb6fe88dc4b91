"""What the figures were taken on."""

import dataclasses
import datetime
import os
import pathlib
import platform
import re
import subprocess

import psutil

ROOT = pathlib.Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """date: "2026-11-26". commit: of daemun, with "+" when files differ from it. load: runnable processes before."""

    date: str
    commit: str
    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    load: float


def look() -> Machine:
    return Machine(
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        commit=_commit(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / (1 << 30), 1),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 1),
    )


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def _commit() -> str:
    try:
        said = subprocess.run(
            ["git", "-C", ROOT, "describe", "--always", "--dirty=+", "--exclude=*"],
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said.stdout.strip()
