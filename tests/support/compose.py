"""docker-compose on the tests' engine, with files that are there or that are made of values."""

import collections.abc
import json
import os
import pathlib
import subprocess
import typing
import uuid

from tests.support import binaries
from tests.support.container_engine import PYTHON_MOUNTS, PYTHON_PATH
from tests.support.docker_engine import IMAGE, DockerEngine

Service = dict[str, typing.Any]


class Compose:
    """One project, under a name of its own. environment: what its files' variables are set to."""

    def __init__(self, engine: DockerEngine, **environment: str) -> None:
        self._program = binaries.program("docker-compose", "docker-compose")
        self._project = f"dm{uuid.uuid4().hex[:8]}"
        self._environment = {
            **os.environ,
            "DOCKER_HOST": engine.url,
            "DOCKER_SOCKET": str(engine.socket),
            **environment,
        }

    def __call__(self, file: pathlib.Path, *arguments: str, **environ: str) -> str:
        """Run a command on a file to its end, and return what it printed. Raises: AssertionError when it fails."""
        done = subprocess.run(
            [self._program, f"--project-name={self._project}", f"--file={file}", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**self._environment, **environ},
        )
        assert done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def ids(self, file: pathlib.Path, service: str) -> list[str]:
        """The short ids of a service's containers, which are their host names, too."""
        return [line[:12] for line in self(file, "ps", "--quiet", service).split()]


def write(path: pathlib.Path, **services: Service) -> pathlib.Path:
    """A compose file (JSON is YAML)."""
    path.write_text(json.dumps({"services": services}))
    return path


def python_service(*command: str, volumes: collections.abc.Iterable[str] = (), **keys: object) -> Service:
    """A service that runs a command with this machine's Python and the tests' packages."""
    return {
        "image": IMAGE,
        "command": list(command),
        "volumes": [*(f"{folder}:{folder}:ro" for folder in PYTHON_MOUNTS), *volumes],
        "environment": {"PYTHONPATH": PYTHON_PATH, "PYTHONDONTWRITEBYTECODE": "1"},
        **keys,
    }
