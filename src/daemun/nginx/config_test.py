"""Let nginx judge a generation that nothing runs yet."""

import asyncio
import dataclasses
import pathlib
import re

from daemun.control import nginx_port
from daemun.core import layout
from daemun.nginx import error_diagnosis, nginx_command, unknown_directive

_PLACE = re.compile(r"(?P<words>.*) in (?P<file>/.*):(?P<line>\d+)", re.DOTALL)


async def test(binary: str, paths: layout.Layout, number: int) -> nginx_port.TestFailure | None:
    """Run `nginx -t` on a generation. None: nginx accepts it.

    nginx tries to listen on every address, and passes over those that are in use.

    Raises: EnvironmentProblemError when the machine is at fault: the disk is full, nginx cannot be run; ListenError
        when a port needs a right, or an address is none of this machine's.
    """
    tree = paths.generation(number)
    finished = await nginx_command.run(binary, "-t", "-q", "-c", f"{tree}/nginx.conf", "-p", paths.base, cwd=paths.base)
    if finished.status == 0:
        return None
    problem = await asyncio.to_thread(error_diagnosis.machine_problem, finished.output, binary=binary, paths=paths)
    if problem is not None:
        raise problem
    if finished.status < 0:
        words = f"nginx was ended by signal {-finished.status}\n{finished.output}".strip()
        return nginx_port.TestFailure(message=words, cure=error_diagnosis.find_cure(words))
    refusal = translate_refusal(finished.output, tree)
    return dataclasses.replace(
        refusal,
        message=unknown_directive.explain(refusal.message, binary=binary),
        cure=error_diagnosis.find_cure(refusal.message),
        may_pass=error_diagnosis.may_pass(refusal.message),
    )


def translate_refusal(output: str, tree: str) -> nginx_port.TestFailure:
    """nginx's words about a tree as a value; its `in FILE:LINE` becomes the fields. Pure."""
    words = error_diagnosis.join_emergencies(output)
    match = _PLACE.fullmatch(words)
    if match is None:
        return nginx_port.TestFailure(message=words)
    file = pathlib.PurePosixPath(match["file"])
    inside = file.is_relative_to(tree)
    return nginx_port.TestFailure(
        message=match["words"],
        file=str(file.relative_to(tree)) if inside else str(file),
        line=int(match["line"]),
    )
