"""What takes long to import is not imported before it is needed: sites are live, and commands answer, the sooner."""

import subprocess
import sys

import pytest


def imported_by(statement: str) -> set[str]:
    """The packages in memory after a statement, by their first name, and daemun's modules."""
    command = f"{statement}\nimport sys\nprint(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    found = told.stdout.splitlines()[-1].split()
    return {name.partition(".")[0] for name in found} | {name for name in found if name.startswith("daemun.")}


def test_a_gate_is_live_before_the_libraries_of_what_most_gates_do_not_do() -> None:
    late = {"acme", "aiodocker", "aiohttp", "aiosmtplib", "httpx", "josepy", "lexicon", "requests", "uvicorn"}
    late |= {"crossplane", "dns", "prometheus_client", "psycopg", "sqlite3", "starlette", "xml"}
    late |= {"daemun.sources.drafts.draft_service", "daemun.uptime.status_page_files"}
    everything = "from daemun.wiring import composition, start\n"
    names = "offline_accounts, checking, rendering, configuration"
    everything += f"from daemun.wiring.offline import {names}"
    assert not late & imported_by(everything)


def test_a_daemon_without_a_fleet_holds_nothing_of_one() -> None:
    held = imported_by("from daemun.wiring import composition, start")
    of_fleets = {one for one in held if one.startswith(("daemun.fleet.", "daemun.store.postgresql"))}
    assert of_fleets == {"daemun.fleet.fleet_signs"}
    others = {"closed_store", "fleet_key", "mirrored_store"}
    assert not {f"daemun.store.{name}" for name in others} & held
    assert not {"daemun.wiring.opened_fleet", "daemun.wiring.fleet_nodes"} & held


def test_a_single_machine_reads_its_traffic_without_anything_of_a_fleet() -> None:
    statement = """
import pathlib, tempfile
from daemun import settings
from daemun.wiring.offline import offline_node_traffic
with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    chosen = settings.Settings(config=root / "daemun.yaml", state=root / "state")
    assert offline_node_traffic.read(chosen, 0.0, 1.0) is None
"""
    held = imported_by(statement)
    assert {one for one in held if one.startswith("daemun.fleet.")} == {"daemun.fleet.fleet_signs"}
    assert not {"psycopg", "sqlite3", "daemun.wiring.opened_fleet"} & held


def test_a_daemon_holds_nothing_of_the_command_line() -> None:
    statement = "from daemun.cli import daemon; from daemun import log; from daemun.wiring import start"
    assert not {"click", "pygments", "rich", "typer"} & imported_by(statement)


def test_the_process_of_the_pages_holds_nothing_of_the_configuration() -> None:
    statement = "from daemun.dashboard import __main__, page_application, page_warm_up; page_warm_up.load_pages()"
    held = imported_by(statement)
    assert not {"cryptography", "psutil", "pydantic", "ruamel", "structlog", "daemun.core.model"} & held


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["status", "--help"]])
def test_commands_that_need_no_daemon_do_not_load_one(arguments: list[str]) -> None:
    run = f"import sys; sys.argv = ['daemun', *{arguments!r}]"
    run += "\nfrom daemun import cli\ntry: cli.main()\nexcept SystemExit: pass"
    assert not {"asyncio", "cryptography", "dns", "ruamel", "structlog", "daemun.core.options"} & imported_by(run)
