"""`daemun schema`."""

import json

from daemun.cli import common_options


def schema(as_json: common_options.AsJson = False) -> None:
    """Print the JSON Schema of daemun.yaml, for completion and checks in an editor. Needs no daemon."""
    from daemun.sources import yaml_schema

    print(json.dumps(yaml_schema.make_schema(), indent=None if as_json else 2, ensure_ascii=False))
