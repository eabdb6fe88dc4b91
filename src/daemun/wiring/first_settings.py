"""Settings of the file that are needed before any part of the daemon is built."""

from daemun.core import model
from daemun.errors import ConfigError
from daemun.sources import yaml_file


def read(source: yaml_file.YamlFile) -> model.Globals | None:
    """What it sets for all sites, of which `user:` is needed first; None: it cannot be read. What is wrong with it is
    reported by the first round."""
    try:
        return source.read_now().globals
    except yaml_file.InvalidFileError as error:
        return None if error.good is None else error.good.globals
    except ConfigError:
        return None
