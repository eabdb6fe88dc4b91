"""`daemun trust`."""

import os
import pathlib
import shlex
import sys
import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, json_answer, output, truststores

Print = typing.Annotated[bool, typer.Option("--print", help="Change nothing; show the certificate and the commands.")]
Uninstall = typing.Annotated[bool, typer.Option("--uninstall", help="Trust it no longer.")]


@common_options.with_settings
def trust(chosen: settings.Settings, only_print: Print = False, uninstall: Uninstall = False) -> None:
    """Install the local CA's root certificate, so that this machine's programs and browsers trust its sites.

    The system's store needs root; without it, the command to use is printed and only your browsers are changed.
    """
    root = truststores.read_root(pathlib.Path(chosen.layout.root_certificate))
    machine = truststores.find_machine(os.environ)
    steps = truststores.plan_steps(machine, root, uninstall=uninstall)
    json_answer.note(
        certificate=root.path,
        sha256=root.fingerprint,
        stores=[{"what": step.what, "command": str(step), "needs_root": step.needs_root} for step in steps],
    )
    if only_print:
        for line in explain(root, steps):
            output.print_line(line)
        return
    may = [step for step in steps if machine.is_root or not step.needs_root]
    failures = [f"cannot change {step.what} with `{step}`: {failure}" for step in may if (failure := _run(step, root))]
    if not any(step.needs_root for step in steps):
        failures.append(
            "cannot find the system's store: neither update-ca-certificates nor trust (p11-kit) is installed; "
            f"import {root.path} by hand"
        )
    elif not machine.is_root:
        failures.append(f"the system's store needs root: {sudo_command(chosen, uninstall=uninstall)}")
    if machine.databases and machine.certutil is None:
        failures.append(
            "browsers were found, but not certutil, which changes their stores: install libnss3-tools (Debian, Ubuntu) "
            "or nss-tools (Fedora), and run this again"
        )
    if failures:
        raise errors.EnvironmentProblemError("\n".join(failures))
    output.print_line("restart your browsers to make them see it")


def _run(step: truststores.TrustStep, root: truststores.Root) -> str | None:
    failure = truststores.run_step(step, root)
    if failure is None:
        output.print_line(f"changed {step.what}: {step}")
    return failure


def sudo_command(chosen: settings.Settings, *, uninstall: bool) -> str:
    """The same command for root, who has another PATH and another default state directory."""
    program = pathlib.Path(sys.argv[0]).absolute()
    words = [sys.executable, "-m", "daemun"] if program.name == "__main__.py" else [str(program)]
    return shlex.join(["sudo", *words, "--state", str(chosen.state), "trust", *(["--uninstall"] if uninstall else [])])


def explain(root: truststores.Root, steps: tuple[truststores.TrustStep, ...]) -> list[str]:
    """What `--print` shows. Pure."""
    fingerprint = ":".join(root.fingerprint[i : i + 2].upper() for i in range(0, len(root.fingerprint), 2))
    return [
        f"certificate: {root.path}",
        f"SHA-256:     {fingerprint}",
        "",
        "commands for this machine:",
        *[
            f"  {'sudo ' if step.needs_root else ''}{step}{f' < {root.path}' if step.reads_root else ''}"
            for step in steps
        ],
        "",
        "other machines and phones: copy the certificate there and import it as a certificate authority",
        "  Firefox: Settings, Privacy & Security, View Certificates, Authorities, Import",
        "  Chrome:  Settings, Privacy and security, Security, Manage certificates",
        f"  curl:    curl --cacert {shlex.quote(root.path)} https://...",
    ]
