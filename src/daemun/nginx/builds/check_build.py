"""Whether an nginx that was just made really serves: its configuration test, and a request."""

import contextlib
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

from daemun import errors
from daemun.nginx import find_nginx

_WITHIN_S = 20.0
_PAUSE_S = 0.02
_ANSWER = b"daemun-check"


def check(path: str) -> None:
    """Blocking, a fraction of a second. Raises: EnvironmentProblemError that says what it cannot."""
    usable = find_nginx.examine(path)
    if isinstance(usable, str):
        raise errors.EnvironmentProblemError(f"cannot use this nginx: {usable}; what was used before goes on")
    # Not below the state directory, whose path may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="daemun-check-") as name:
        folder = pathlib.Path(name)
        file = folder / "nginx.conf"
        file.write_text(_write(usable.modules), encoding="utf-8")
        command = [path, "-p", name, "-c", str(file), "-e", "stderr"]
        _run(command, "-t", "-q")
        with (folder / "words").open("wb") as words:
            server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, cwd=name)
        try:
            answer = _request(folder / "sock", server)
        finally:
            server.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(_WITHIN_S)
            server.kill()
            server.wait()
        if _ANSWER not in answer:
            found = (folder / "words").read_text(encoding="utf-8", errors="replace").strip()[-300:]
            raise errors.EnvironmentProblemError(
                f"cannot use this nginx: it answers no request ({found or answer[:80]!r}); what was used before goes on"
            )


def _write(modules: tuple[str, ...]) -> str:
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "\n".join(
        (
            *(f'load_module "{module}";' for module in modules),
            "daemon off; master_process off; pid nginx.pid; error_log stderr;",
            "events {}",
            "http {",
            "  access_log off;",
            *(f"  {name}_temp_path {name};" for name in temporary),
            f"  server {{ listen unix:sock; location / {{ return 200 {_ANSWER.decode()}; }} }}",
            "}",
            "",
        )
    )


def _run(command: list[str], *arguments: str) -> None:
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_WITHIN_S,
        check=False,
        cwd=pathlib.Path(command[2]),
    )
    if done.returncode != 0:
        words = " ".join(done.stderr.split())[-300:]
        raise errors.EnvironmentProblemError(f"cannot use this nginx: {words}; what was used before goes on")


def _request(path: pathlib.Path, server: subprocess.Popen[bytes]) -> bytes:
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(_WITHIN_S)
                client.connect(str(path))
                client.sendall(b"GET / HTTP/1.0\r\nHost: check\r\n\r\n")
                return client.makefile("rb").read()
        except OSError:
            time.sleep(_PAUSE_S)
    return b""
