"""`daemun render`."""

import collections.abc
import pathlib
import typing

import typer

from daemun import errors, settings
from daemun.cli import common_options, daemon_state, json_answer, output, problem_lines

Out = typing.Annotated[
    pathlib.Path | None,
    typer.Option("--out", metavar="DIR", help="Write the files there instead; the folder must be new or empty."),
]


@common_options.with_settings
def render(chosen: settings.Settings, out: Out = None, as_json: common_options.AsJson = False) -> None:
    """Print the nginx configuration that daemun makes of the file. Needs no daemon and changes nothing."""
    from daemun.web import json_values
    from daemun.wiring.offline import configuration, rendering

    chosen = daemon_state.with_daemons_file(chosen)
    configuration.check_can_start(chosen)
    rendered = rendering.render(chosen)
    found = json_values.problems_json(rendered.problems)
    for line in () if as_json else problem_lines.lines_of(found):
        output.complain(line)
    if out is None and as_json:
        files = {path: content.decode("utf-8", "replace") for path, content in rendered.files.items()}
        json_answer.print_json({"files": files, "problems": found})
    elif out is None:
        for line in _text_of(rendered.files):
            print(line)
    else:
        _write(rendered.files, out)
        json_answer.note(folder=str(out), files=sorted(rendered.files), problems=found)
        output.print_line(f"{output.count(len(rendered.files), 'file')} written to {out}")
    raise typer.Exit(1 if problem_lines.errors_of(found) else 0)


def _text_of(files: collections.abc.Mapping[str, bytes]) -> list[str]:
    """One text of all files, nginx.conf first. Pure."""
    lines: list[str] = []
    for path in sorted(files, key=lambda path: (path != "nginx.conf", path)):
        lines += [f"# --- {path}", files[path].decode("utf-8", "replace").rstrip("\n"), ""]
    return lines


def _write(files: collections.abc.Mapping[str, bytes], folder: pathlib.Path) -> None:
    """Raises: EnvironmentProblemError when the folder holds something or cannot be written."""
    try:
        if folder.exists() and any(folder.iterdir()):
            raise errors.EnvironmentProblemError(
                f'cannot write to "{folder}": it is not empty, and old files would mix with new ones; name a new folder'
            )
        for path, content in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    except OSError as error:
        raise errors.EnvironmentProblemError(f'cannot write to "{folder}": {error.strerror}') from error
