"""`daemun top` on a terminal: a table that is drawn anew, and keys. The terminal is left as it was."""

import collections.abc
import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
import typing

from daemun.cli import top_lines

if typing.TYPE_CHECKING:
    from rich import text

    from daemun.core.traffic import traffic_rates

_KEYS = {"r": "requests", "e": "errors", "t": "time", "b": "bytes", "n": "name"}
"""And the order that each chooses."""
_BESIDE = 6
"""Lines beside rows: heading, titles, what is left out, all, an empty line and the keys."""

MakeView = collections.abc.Callable[["traffic_rates.Order", float], top_lines.View]
"""Of an order and a number of seconds."""


def show(
    make_view: MakeView,
    read: collections.abc.Callable[[], None],
    *,
    order: "traffic_rates.Order",
    spans_s: tuple[float, ...],
    every_s: float,
    times: int | None,
) -> None:
    """Until a person ends it, or so many times. spans_s: those that a key chooses from. Raises: what `read` raises."""
    from rich import console, live, text

    span_s, left = spans_s[0], times
    with contextlib.ExitStack() as stack:
        _end_by_signal(stack)
        keys = stack.enter_context(_keys())
        screen = console.Console()
        shown = stack.enter_context(live.Live(console=screen, screen=True, auto_refresh=False))
        due_s = 0.0
        while True:
            if time.monotonic() >= due_s:
                if left == 0:
                    return
                left = None if left is None else left - 1
                due_s = time.monotonic() + every_s
                read()
            view = make_view(order, span_s)
            lines = _draw(view, order, span_s, screen.width, screen.height, with_keys=keys is not None)
            shown.update(text.Text("\n").join(lines), refresh=True)
            for key in _wait(keys, due_s):
                if key == "q":
                    return
                if key in _KEYS:
                    order = type(order)(_KEYS[key])
                if key == "w":
                    span_s = spans_s[(spans_s.index(span_s) + 1) % len(spans_s)]


def _draw(
    view: top_lines.View, order: "traffic_rates.Order", span_s: float, width: int, height: int, *, with_keys: bool
) -> "list[text.Text]":
    from rich import text

    most = max(height - _BESIDE - len(view.notes), 1)
    table = top_lines.table(view, most=most, width=width)
    lines = [text.Text(top_lines.heading(view)), *(text.Text(note, style="yellow") for note in view.notes)]
    lines += [text.Text(table[0], style="bold"), *map(text.Text, table[1:])]
    if with_keys:
        orders = "  ".join(f"{key} {name}{'*' if name == order.value else ''}" for key, name in _KEYS.items())
        lines += [text.Text(), text.Text(f"q quit  by: {orders}  w {span_s:.0f} s", style="dim")]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
        line.truncate(width)
    return lines[:height]


@contextlib.contextmanager
def _keys() -> collections.abc.Iterator[int | None]:
    """A descriptor that keys come from without Enter, unseen; None: there is no keyboard."""
    descriptor = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
    if descriptor is None:
        yield None
        return
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _wait(keys: int | None, until_s: float) -> str:
    """Until keys were pressed, or this time is there. Returns: them."""
    left_s = max(until_s - time.monotonic(), 0.0)
    if keys is None:
        time.sleep(left_s)
        return ""
    ready, _, _ = select.select([keys], [], [], left_s)
    if not ready:
        return ""
    return os.read(keys, 64).decode("ascii", "replace") or "q"  # the terminal is gone


def _end_by_signal(stack: contextlib.ExitStack) -> None:
    """SIGTERM ends it as Ctrl-C does, so that the terminal is left well."""

    def end(number: int, _: typing.Any) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    stack.callback(signal.signal, signal.SIGTERM, before)
