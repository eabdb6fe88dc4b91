"""`daemun cache purge`."""

import typing

import typer

from daemun import causes, errors, settings
from daemun.cli import command_groups, common_options, host_names, json_answer, output

group = command_groups.make_group("cache", about="Answers that the gate keeps for everybody (`cache`).")
Path = typing.Annotated[
    str | None,
    typer.Argument(metavar="[PATH]", help="That path alone, with any query; /blog/* for all that begin so."),
]


@group.command()
@common_options.with_settings
def purge(chosen: settings.Settings, host: host_names.Site, path: Path = None) -> None:
    """Forget what is kept of a site, of one of its names, or of a path there. Needs no daemon; nothing is dropped."""
    from daemun.core.texts import names
    from daemun.nginx import kept_answers

    normal = host_names.normal(host)
    json_answer.note(host=normal, path=path)
    is_path = _make_rule(path)
    site = names.variable_suffix(normal, "")

    def is_meant(one: kept_answers.Kept) -> bool:
        return (one.host == normal or one.site == site) and is_path(one)

    try:
        count = kept_answers.purge(chosen.layout.answers, is_meant)
    except FileNotFoundError:
        count = 0
    except OSError as error:
        cause = f"{causes.describe(error)} ({error.filename or chosen.layout.answers})"
        raise errors.EnvironmentProblemError(
            f"cannot purge the cache of {normal}: {cause}; run this as the account that runs daemun"
        ) from error
    json_answer.note(purged=count)
    where = normal if path is None else f"{normal}{path}"
    if count == 0:
        output.print_line(f"nothing is kept of {where}")
    else:
        output.print_line(f"{count} {'answer' if count == 1 else 'answers'} of {where} forgotten")


def _make_rule(path: str | None) -> typing.Callable[[typing.Any], bool]:
    """Whether what is kept is meant by a path. Raises: ConfigError."""
    from daemun.nginx import kept_answers

    if path is None:
        return lambda _: True
    if not path.startswith("/"):
        raise errors.ConfigError(f'cannot purge "{path}": expected a path that begins with a slash, such as /blog/*')
    wanted, mark, query = path.partition("?")
    if wanted.endswith("*") and not mark:
        prefix = kept_answers.normal_path(wanted.removesuffix("*"))
        return lambda one: one.path.startswith(prefix)
    exact = kept_answers.normal_path(wanted)
    return lambda one: one.path == exact and (not mark or one.query == query)
