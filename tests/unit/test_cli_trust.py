"""Which commands make a machine trust the local CA's root."""

import pathlib

import pytest

from daemun.cli import truststores
from daemun.cli.commands import trust
from daemun.errors import EnvironmentProblemError

ROOT = truststores.Root(path="/state/ca.pem", pem=b"PEM", fingerprint="ab" * 32)
FILE = "/usr/local/share/ca-certificates/daemun-abababababab.crt"


def _commands(machine: truststores.FoundStores, *, uninstall: bool = False) -> list[str]:
    return [str(step) for step in truststores.plan_steps(machine, ROOT, uninstall=uninstall)]


def test_debian() -> None:
    machine = truststores.FoundStores(is_root=True, has_update_ca=True, has_trust=True)
    assert _commands(machine) == [f"install -D -m 644 /state/ca.pem {FILE}", "update-ca-certificates"]
    assert _commands(machine, uninstall=True) == [f"rm -f {FILE}", "update-ca-certificates --fresh"]


def test_fedora_and_arch() -> None:
    machine = truststores.FoundStores(is_root=True, has_trust=True)
    assert _commands(machine) == ["trust anchor --store /state/ca.pem"]
    assert _commands(machine, uninstall=True) == ["trust anchor --remove /state/ca.pem"]


def test_browsers_are_changed_as_their_user() -> None:
    machine = truststores.FoundStores(
        is_root=True, certutil="/bin/certutil", databases=("/home/u/.pki/nssdb",), user="u"
    )
    (step,) = truststores.plan_steps(machine, ROOT, uninstall=False)
    assert str(step) == "/bin/certutil -A -t C,, -n daemun-abababababab -d sql:/home/u/.pki/nssdb"
    assert step.user == "u"
    assert step.reads_root
    assert not step.needs_root
    assert _commands(machine, uninstall=True) == ["/bin/certutil -D -n daemun-abababababab -d sql:/home/u/.pki/nssdb"]


def test_databases_are_found_where_browsers_make_them(tmp_path: pathlib.Path) -> None:
    folders = [".pki/nssdb", ".mozilla/firefox/abc.default", "snap/firefox/common/.mozilla/firefox/x.default"]
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "cert9.db").touch()
    (tmp_path / ".mozilla/firefox/Crash Reports").mkdir()
    assert truststores.find_databases(tmp_path) == sorted(tmp_path / folder for folder in folders)


def test_a_root_that_is_not_made_yet(tmp_path: pathlib.Path) -> None:
    with pytest.raises(EnvironmentProblemError, match=r"not made yet .* the first `daemun up` makes it"):
        truststores.read_root(tmp_path / "ca.pem")


def test_a_root_that_is_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(EnvironmentProblemError, match=r"cannot read the local CA's root .*ca\.pem"):
        truststores.read_root(tmp_path / "ca.pem")


def test_a_step_that_fails_tells_its_own_words() -> None:
    step = truststores.TrustStep(what="x", argv=("sh", "-c", "cat; echo no >&2; exit 3"), reads_root=True)
    assert truststores.run_step(step, ROOT) == "PEMno"
    assert truststores.run_step(truststores.TrustStep(what="x", argv=("true",)), ROOT) is None
    missing = truststores.run_step(truststores.TrustStep(what="x", argv=("/no/such/program",)), ROOT)
    assert missing is not None
    assert "/no/such/program" in missing


def test_print_shows_path_fingerprint_and_commands() -> None:
    machine = truststores.FoundStores(
        is_root=False, has_update_ca=True, certutil="certutil", databases=("/h/.pki/nssdb",)
    )
    steps = truststores.plan_steps(machine, ROOT, uninstall=False)
    said = "\n".join(trust.explain(ROOT, steps))
    assert "certificate: /state/ca.pem" in said
    assert ":".join(["AB"] * 32) in said
    assert f"sudo install -D -m 644 /state/ca.pem {FILE}" in said
    assert "certutil -A -t C,, -n daemun-abababababab -d sql:/h/.pki/nssdb < /state/ca.pem" in said
