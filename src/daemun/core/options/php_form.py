"""`php` of a route or a site: the folder of a PHP application, and the FastCGI server that runs its scripts."""

import dataclasses
import re
import typing

import pydantic

from daemun.core import model, value_parsers
from daemun.core.options import forms
from daemun.core.options.option import Place
from daemun.core.texts import route_paths, rules, words

_SERVER = 'a FastCGI server, such as "unix:/run/php/php-fpm.sock" or "127.0.0.1:9000"'
_SCHEMES = re.compile(r"(?:fastcgi|tcp)://")


def _parse_server(text: str) -> model.Target:
    """ "/run/php.sock", "unix:/run/php.sock", "127.0.0.1:9000", "tcp://php:9000", "fastcgi://php"."""
    bare = _SCHEMES.sub("", text, count=1)
    if "://" in bare:
        raise ValueError(f"expected {_SERVER}, found {words.quoted(text)}")
    target = value_parsers.parse_target(f"fastcgi://{f'unix:{bare}' if bare.startswith('/') else bare}")
    if target.path is not None:
        raise ValueError(f"expected {_SERVER}, without a path, found {words.quoted(text)}")
    return target


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PhpMap(forms.OptionMap):
    shape: typing.ClassVar[str] = f"{_SERVER}, or a map with it as `socket`"
    meanings: typing.ClassVar[dict[str, str]] = {
        "socket": "the FastCGI server, a unix socket or a host with its port",
        "root": "the folder with the application's public files, on this machine; /var/www/html",
        "server_root": "the same folder as the FastCGI server sees it, as in a container; root",
        "front": "the script that gets what is no file; false for none; index.php",
        "no_code": "folders below root from which nothing is run, such as /uploads/",
    }
    socket: typing.Annotated[
        pydantic.InstanceOf[model.Target],
        pydantic.BeforeValidator(forms.parse_text(_parse_server)),
        pydantic.WithJsonSchema(forms.TEXT),
    ]
    root: forms.File = "/var/www/html"
    server_root: forms.Text | None = None
    front: typing.Annotated[
        forms.Text | None,
        pydantic.BeforeValidator(lambda value: None if value is False else value),
        forms.Also(forms.is_(False)),
    ] = "index.php"
    no_code: typing.Annotated[forms.Texts, forms.ONE_OR_MORE] = ()

    def make(self) -> model.Proxy:
        php = model.Php(
            folder=self.root,
            server_folder=self.server_root,
            front=self.front,
            no_code=tuple(f"/{one.strip('/')}/" if one.startswith("/") else one for one in self.no_code),
        )
        return model.Proxy(targets=(self.socket,), php=php)


def _parse(value: object) -> object:
    return {"socket": value} if isinstance(value, str) else value


Form = typing.Annotated[PhpMap, pydantic.BeforeValidator(_parse), forms.Also(forms.TEXT)]


# --- rules -----------------------------------------------------------------------------------------------------


def check(php: model.Php, place: Place) -> None:
    """place: of the key."""
    place.add_value(php.folder, rules.check_absolute(php.folder), "root")
    if php.server_folder is not None:
        place.add_value(php.server_folder, rules.check_absolute(php.server_folder), "server_root")
    if php.front is not None:
        place.add_value(php.front, _find_cause_of_front(php.front), "front")
    for index, folder in enumerate(php.no_code):
        place.add_value(folder, _find_cause_of_folder(folder), "no_code", index)
    path = place.route.path if place.route is not None else "/"
    if route_paths.is_prefix(path) and not path.endswith("/"):
        place.add(f"is for a folder, whose path ends in a slash; write {words.quoted(path + '/')} as the path")


def _is_plain(path: str) -> bool:
    """Whether every part of it is a name."""
    return all(part not in {"", ".", ".."} for part in path.split("/"))


def _find_cause_of_front(front: str) -> str | None:
    if (cause := rules.check_text(front)) is not None:
        return cause
    bare = front.lstrip("/")
    if bare != front and _is_plain(bare):
        return f"begins at `root`, so without a slash; write {words.quoted(bare)}"
    if not _is_plain(front) or not front.endswith(".php") or "$" in front:
        return 'must be a script below `root`, such as "index.php"'
    return None


def _find_cause_of_folder(folder: str) -> str | None:
    if (cause := rules.check_text(folder)) is not None:
        return cause
    if not folder.startswith("/"):
        return f"must begin with a slash, which stands for `root`; write {words.quoted('/' + folder)}"
    return None if _is_plain(folder.strip("/")) else 'must be a folder below `root`, such as "/uploads/"'
