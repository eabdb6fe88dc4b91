"""The command line: one module per command in `commands`. `main` is what the `daemun` script calls."""

from daemun import garbage
from daemun.cli import clean_exit


def main() -> None:
    """Run the command line and exit."""
    garbage.seek_seldom()
    clean_exit.end_well(_run)


def _run() -> None:
    from daemun.cli import app

    clean_exit.interruptible()
    app.app(prog_name="daemun")
