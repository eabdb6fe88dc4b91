"""Measure daemun beside what people would take instead, and write bench/RESULTS.md.

    make bench              all of it, within half an hour
    make bench QUICK=1      whether all works, within 2 minutes; writes into .cache/bench-quick/
    make bench ARGS='--only traffic'
    make bench ARGS='--only traffic --nginx /usr/sbin/nginx'

Every measurement is a function that takes a `plan.Plan` and returns a `figures.Section`. A section is saved as JSON and
as a plot in bench/results/, and the report is written from all that are there; Markdown there is taken as it is.
"""

import argparse
import collections.abc
import pathlib
import resource
import shutil
import signal
import sys
import tempfile
import time

from bench import (
    access,
    bursts,
    counting,
    dashboard,
    figures,
    fleet,
    machine,
    memory,
    plan,
    plot,
    report,
    routes,
    saved,
    sites,
    streams,
    traffic,
)

HERE = pathlib.Path(__file__).parent
QUICK = machine.ROOT / ".cache" / "bench-quick"

MEASUREMENTS: dict[str, collections.abc.Callable[[plan.Plan], figures.Section]] = {
    "traffic": traffic.measure,
    "access": access.measure,
    "routes": routes.measure,
    "streams": streams.measure,
    "sites": sites.measure,
    "containers": bursts.measure,
    "counting": counting.measure,
    "dashboard": dashboard.measure,
    "memory": memory.measure,
    "fleet": fleet.measure,
}
"""In the order of the report."""


def main() -> None:
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # what is started inherits it
    into = QUICK if given.quick else HERE
    results = into / "results"
    if given.quick and into.exists():
        shutil.rmtree(into)
    results.mkdir(parents=True, exist_ok=True)
    lucky: list[str] = []
    for name in given.only or MEASUREMENTS:
        began_s = time.monotonic()
        on = machine.look()
        with tempfile.TemporaryDirectory(prefix="dmb-") as folder:
            pathlib.Path(folder).chmod(0o755)  # workers run under an account of their own
            planned = plan.Plan(folder=pathlib.Path(folder), quick=given.quick, nginx=given.nginx)
            section = MEASUREMENTS[name](planned)
        with_nginx = " --nginx PATH" if given.nginx else ""
        command = f"make bench{' QUICK=1' if given.quick else ''} ARGS='--only {name}{with_nginx}'"
        one = saved.Saved(section=section, machine=on, command=command)
        (results / f"{section.name}.json").write_text(saved.write(one))
        (results / f"{section.name}.svg").write_text(plot.write(section.title, section.rows))
        plan.tell(f"{name}: measured in {time.monotonic() - began_s:.0f} s")
        lucky += section.two_modes
    write_report(into)
    plan.tell(f"written: {into / 'RESULTS.md'}")
    if lucky:
        sys.exit("\n".join(("FAILED: two modes, so these figures are luck:", *lucky)))


def write_report(into: pathlib.Path) -> None:
    """From all that is in results/, also of earlier runs."""
    results = into / "results"
    parts = [saved.read(path.read_text()) for name in MEASUREMENTS if (path := results / f"{name}.json").exists()]
    further = [path.read_text() for path in sorted(results.glob("*.md"))]
    (into / "RESULTS.md").write_text(report.write(parts, further))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round; bench/RESULTS.md stays as it is")
    parser.add_argument("--only", nargs="+", choices=tuple(MEASUREMENTS), help="some measurements, not all")
    parser.add_argument("--nginx", metavar="PATH", help="instead of Debian's newest: traffic only")
    given = parser.parse_args()
    if given.nginx is not None and given.only != ["traffic"]:
        parser.error("--nginx goes with --only traffic: other sections are measured with the nginx that daemun chooses")
    return given


if __name__ == "__main__":
    main()
