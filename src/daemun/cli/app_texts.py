"""What people are shown of a preset of an application. Pure, but for texts."""

import collections.abc
import io
import typing

if typing.TYPE_CHECKING:
    from daemun.sources import app_preset

Json = dict[str, typing.Any]
_HOST = "HOST"


def to_json(preset: "app_preset.Preset", host: str | None = None) -> Json:
    """`sets` is as it is written in its file; `file` is the owner's, null for one that daemun brings."""
    return {
        "name": preset.name,
        "title": preset.title,
        "source": preset.source or None,
        "images": list(preset.images),
        "port": preset.port,
        "sets": preset.written,
        "settings": list(preset.settings_for(host or _HOST)),
        "file": preset.place or None,
    }


def lines_of(preset: "app_preset.Preset", host: str | None = None) -> list[str]:
    head = [f"{preset.title} (app: {preset.name})"]
    facts = {
        "source": preset.source,
        "images": ", ".join(preset.images),
        "port": "" if preset.port is None else str(preset.port),
        "file": preset.place,
    }
    head += [f"  {name}: {value}" for name, value in facts.items() if value]
    sets = [f"  {line}" for part in ("defaults", "routes") for line in written(preset, part)]
    head += ["set in the gate, where the site does not say otherwise:", *sets] if sets else ["set in the gate: nothing"]
    return [*head, *settings_of(preset, host)]


def settings_of(preset: "app_preset.Preset", host: str | None = None) -> list[str]:
    """What the gate cannot set."""
    if not preset.settings:
        return []
    return [f"to set in {preset.title}:", *(f"  - {one}" for one in preset.settings_for(host or _HOST))]


def sets(preset: "app_preset.Preset") -> str:
    """Options with their values, and paths, in one line; "" for none."""
    paths = [str(path) for path in preset.written.get("routes") or {}]
    return ", ".join([*written(preset, "defaults"), *([f"answers at {', '.join(paths)}"] if paths else [])])


def written(preset: "app_preset.Preset", part: str) -> collections.abc.Iterator[str]:
    """Options or paths as daemun.yaml has them, a line each. part: "defaults" or "routes"."""
    from ruamel import yaml

    writer: typing.Any = yaml.YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.sort_base_mapping_type_on_output, writer.width = True, False, 4096
    for key, value in (preset.written.get(part) or {}).items():
        text = io.StringIO()
        writer.dump({key: value}, text)
        yield text.getvalue().strip()[1:-1]
