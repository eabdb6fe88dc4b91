"""`daemun add`."""

import typing

import typer

from daemun import settings
from daemun.cli import added_site, app_texts, common_options, control_client, editing, host_names, json_answer, output
from daemun.core.texts import route_paths

Path = typing.Annotated[str, typer.Option("--path", metavar="PREFIX", help="The path prefix that goes to the target.")]

App = typing.Annotated[
    str | None,
    typer.Option("--app", metavar="NAME", help="The application that it is, one of those that `daemun apps` lists."),
]
New = typing.Annotated[bool, typer.Option("--new", help="Begin a new file, though the one that was there is missing.")]

File = typing.Annotated[
    str | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="Write a new site into this file, which `include` of daemun.yaml names; default: daemun.yaml.",
        show_default=False,
    ),
]


@common_options.with_settings
def add(
    chosen: settings.Settings,
    host: typing.Annotated[str, typer.Argument(help="A name (chat.example.com, *.example.com) or an IP address.")],
    target: typing.Annotated[
        str,
        typer.Argument(help="Where it goes: http://127.0.0.1:3000, https://, grpc://, or a folder."),
    ],
    *,
    path: Path = "/",
    app: App = None,
    new: New = False,
    into: File = None,
) -> None:
    """Add a site, or a path to a site, to the file, and wait until it is live.

    A site that containers have keeps their routes, and has this one over them (`from: docker`). When it cannot go
    live, the file is put back as it was. Then the target is tried, and its faults are printed; it is saved all the
    same. With `--app`, what is to be set in the application itself is printed, too.
    """
    from daemun.sources import known_apps, yaml_edit, yaml_holder

    def edit(file: yaml_holder.Holder) -> bytes | None:
        return yaml_edit.add_route(file, host, target, route_path=path, app=app)

    if editing.change(chosen, host=host, edit=edit, done="live", is_new=new, into=into, lies_over=True):
        added_site.print_probe(control_client.ControlClient(chosen), host_names.normal(host), route_paths.normal(path))
    preset = known_apps.read(chosen.config).find(app) if app is not None else None
    if preset is not None:
        json_answer.note(app=app_texts.to_json(preset, host_names.normal(host)))
        for line in app_texts.settings_of(preset, host_names.normal(host)):
            output.print_line(line)
