"""Pictures of commands on a terminal of 80 columns, of a real daemon with made-up sites, for docs/terminal.md.

.venv/bin/python -m scripts.terminal_pictures docs/images
"""

import collections.abc
import contextlib
import http.server
import io
import itertools
import os
import pathlib
import pty
import random
import re
import subprocess
import sys
import threading
import time
import typing

from rich import console, text

from tests.support import clients, daemon

PORT = 3000
WIDTH, HEIGHT = 80, 17
_FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{
    font-family: ui-monospace, "DejaVu Sans Mono", "Noto Sans Mono", Menlo, Consolas, monospace;
    font-size: {char_height}px;
    line-height: {line_height}px;
}}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""As rich's own, without the fonts that it would load from elsewhere."""
_FRAME = "\x1b[H"
"""What a program that draws its screen anew begins with."""
_CONTROL = re.compile(r"\x1b\[\??[0-9;]*[A-HJKShl]")

SITES = """\
sites:
  photos.home.arpa:
    routes:
      /: http://127.0.0.1:3000
      /thumbs/: http://127.0.0.1:3000
      /api/: {to: http://127.0.0.1:3000, access: {rate_limit: 1/s}}
  wiki.home.arpa: http://127.0.0.1:3000
  git.home.arpa: http://127.0.0.1:3000
"""
MORE = """\
  media.home.arpa: http://127.0.0.1:3000
  notes.home.arpa: http://127.0.0.1:3000
"""
PATHS = (
    ("photos.home.arpa", "/album/2026"),
    ("photos.home.arpa", "/thumbs/1.jpg"),
    ("photos.home.arpa", "/thumbs/2.jpg"),
    ("photos.home.arpa", "/api/upload"),
    ("wiki.home.arpa", "/start"),
    ("wiki.home.arpa", "/missing"),
    ("git.home.arpa", "/daemun/info/refs"),
    ("media.home.arpa", "/film/7"),
    ("notes.home.arpa", "/broken"),
)


def _draw_by(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the pictures are to look alike each time


class Server(http.server.BaseHTTPRequestHandler):
    """Answers as the path wants it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status = {"/missing": 404, "/broken": 502}.get(self.path, 200)
        draw = _draw_by(self.path)
        size = draw.randrange(500, 90_000)
        time.sleep(draw.uniform(0.002, 0.09))
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(b"x" * size)

    def log_message(self, *_: typing.Any) -> None:
        """Nothing."""


@contextlib.contextmanager
def serving() -> collections.abc.Iterator[None]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()


@contextlib.contextmanager
def visitors(gate: daemon.Daemon) -> collections.abc.Iterator[None]:
    is_over = threading.Event()

    def visit(name: str) -> None:
        for host, path in itertools.cycle(_draw_by(name).choices(PATHS, k=500)):
            if is_over.wait(0.05):
                return
            clients.try_get(gate.gate, f"https://{host}{path}")

    threads = [threading.Thread(target=visit, args=(name,)) for name in ("one", "other")]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        is_over.set()
        for one in threads:
            one.join()


def run(gate: daemon.Daemon, *words: str, keys: tuple[str, ...] = ()) -> str:
    """What a command shows on a terminal. keys: pressed one after another, some seconds apart."""
    ours, its = pty.openpty()
    environment = {**gate.environment, "COLUMNS": str(WIDTH), "LINES": str(HEIGHT), "TERM": "xterm-256color"}
    with subprocess.Popen(
        gate.command(*words), stdin=its, stdout=its, stderr=its, env=environment, cwd=gate.root
    ) as process:
        os.close(its)
        for at, key in enumerate(keys, start=1):
            threading.Timer(8.0 * at, lambda key=key: os.write(ours, key.encode())).start()
        shown = bytearray()
        with contextlib.suppress(OSError):  # the other side is closed (pty(7))
            while chunk := os.read(ours, 65536):
                shown.extend(chunk)
        process.wait(60)
    os.close(ours)
    return shown.decode()


def draw(shown: str, title: str) -> str:
    """As SVG."""
    frames = shown.split(_FRAME)
    last = frames[-1] if len(frames) == 1 else frames[-2] if "q quit" not in frames[-1] else frames[-1]
    lines = _CONTROL.sub("", last).replace("\r", "").rstrip().splitlines()[: 2 * HEIGHT]
    picture = console.Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in lines:
        picture.print(text.Text.from_ansi(line), soft_wrap=True)
    return picture.export_svg(title=title, code_format=_FORMAT, unique_id="daemun")


def make(folder: pathlib.Path) -> None:
    with daemon.new_daemon() as gate, serving():
        gate.http, gate.https = 8080, 8443
        gate.write(SITES)
        gate.start()
        gate.wait_answer("https://wiki.home.arpa/start", lambda answer: answer.status_code == 200)
        gate.write(SITES.replace("1/s", "2/s") + MORE)
        gate.wait_answer("https://notes.home.arpa/", lambda answer: answer.status_code == 200)
        gate.wait_settled()
        with visitors(gate):
            commands = {
                "top": run(gate, "top", keys=("e", "q")),
                "logs": run(gate, "logs", "-n", "18"),
                "traffic": run(gate, "traffic", "photos.home.arpa"),
                "history": run(gate, "history"),
                "diff": run(gate, "diff", "1", "2"),
            }
    titles = {"traffic": "daemun traffic photos.home.arpa", "diff": "daemun diff 1 2"}
    for name, shown in commands.items():
        (folder / f"{name}.svg").write_text(
            draw(shown.replace(str(gate.root), "/etc/daemun"), titles.get(name, f"daemun {name}"))
        )


if __name__ == "__main__":
    make(pathlib.Path(sys.argv[1]))
