"""Which target a command means, and whether a person wrote it where the host belongs."""

import pathlib
import re
import shlex

from daemun.core import model, value_parsers
from daemun.core.texts import names, rules, spellings, words
from daemun.sources import yaml_splice


def parse_target(text: str, host: str, route_path: str) -> model.Target:
    """Raises: ValueError with what can be given to a command, or has to be written by hand."""
    try:
        return value_parsers.parse_target(text)
    except value_parsers.NotOneServerError as error:
        entry = f"{yaml_splice.scalar(host)}: {{{yaml_splice.scalar(route_path)}: {{{error.entry}}}}}"
        raise ValueError(f"{error.cause}, and this adds one: write `{entry}` below `sites:` by hand") from error
    except ValueError as error:
        if spellings.is_bare_name(text):
            raise ValueError(f"{error}, or make the folder {words.quoted(text)} for files") from error
        raise


def is_folder(target: str) -> bool:
    """Whether a target that is no URL is the name of a folder where the command was started."""
    return not any(sign in target for sign in ":$") and pathlib.Path(target).is_dir()


_BARE_URL = re.compile(r"https?://(?:[^\W_]|-|\.)+\.[^\W\d_][^:/.]+/?\Z", re.IGNORECASE)
"""What people copy from a browser's bar for a site's name."""


def find_swapped(host: str, target: str, route_path: str) -> str | None:
    """The command that was meant where the target stands before the host; None: it does not. A name without a dot may
    be a folder."""
    is_name = "." in target and is_good_host(target) and names.address_of(target) is None
    if not is_name or is_folder(target) or is_good_host(host) or _BARE_URL.match(host):
        return None
    meant = spellings.folder(host) or value_parsers.find_meant(host)
    path = () if route_path == "/" else ("--path", route_path)
    return None if meant is None else shlex.join(["daemun", "add", target, meant, *path])


def is_host(text: str) -> bool:
    try:
        value_parsers.parse_host(text)
    except ValueError:
        return False
    return True


def is_good_host(text: str) -> bool:
    return is_host(text) and rules.check_host(value_parsers.parse_host(text)) is None
