"""Every place of the model where a text or a number of an owner ends in an nginx file."""

import collections.abc
import dataclasses

from daemun.core import model, render_environment
from daemun.core.options import (
    balance_option,
    catalogue,
    host_header_option,
    hsts_option,
    index_option,
    keep_option,
    rewrite_option,
    root_option,
    spa_option,
    status_option,
    timeout_option,
)
from daemun.core.plan import shared_sites
from daemun.core.render import render_tree, shared_blocks
from daemun.core.validation import validate
from daemun.errors import RenderError
from tests.support import features
from tests.support.sites import proxy, route, site, upstream_tls

Value = str | int | float
Build = collections.abc.Callable[..., model.Site]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """build: a value -> a site that holds it. harmless: values, one per structure that the file may have.

    start: what the value needs before any text to have a chance to be accepted.
    verbatim: the text is found again in the file as it is.
    """

    build: Build
    harmless: tuple[Value, ...]
    start: str = ""
    verbatim: bool = True


def _first(action: model.Proxy, **changes: object) -> model.Proxy:
    changed = dataclasses.replace(action.targets[0], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(action, targets=(changed,))


def _prefix(text: str) -> str:
    """Other kinds of paths have slots of their own."""
    return text if text.startswith("/") else ""


def _one(action: model.Action, **options: object) -> model.Site:
    return site("slot.test", route("/", action, **options))


def _with(**options: object) -> model.Proxy:
    return proxy("http://10.0.0.1:80/in/", **options)


HTTP = proxy("http://10.0.0.1:80/in/")
_PATHS = ("/x", "/x/", "/", "= /x", "~ .*")
PLAIN = proxy("http://10.0.0.1:80")
"""What a site has that may share its nginx blocks with others."""

TEXTS: dict[str, Slot] = {
    "host": Slot(build=lambda text: site(text, "http://10.0.0.1"), harmless=("name.test", "10.1.1.1")),
    "wildcard": Slot(build=lambda text: site(text, "http://10.0.0.1"), harmless=("*.name.test",), start="*."),
    "alias": Slot(
        build=lambda text: site("slot.test", "http://10.0.0.1", aliases=(text,)), harmless=("name.test", "10.1.1.1")
    ),
    "redirected alias": Slot(
        build=lambda text: site("slot.test", "http://10.0.0.1", aliases=(text,), redirect_aliases=True),
        harmless=("name.test", "10.1.1.1"),
    ),
    "path": Slot(
        build=lambda text: site("slot.test", route(_prefix(text), HTTP)), harmless=("/x", "/x/", "/"), start="/"
    ),
    "exact path": Slot(
        build=lambda text: site("slot.test", route(text, HTTP if text.startswith("= ") else PLAIN)),
        harmless=("= /x", *_PATHS),
        start="= /",
        verbatim=False,
    ),
    "suffix": Slot(
        build=lambda text: site("slot.test", route(text, HTTP if text.startswith("= ") else PLAIN)),
        harmless=("*.js", "*.{a,b}", *_PATHS),
        start="*.",
        verbatim=False,
    ),
    "path by expression": Slot(
        build=lambda text: site("slot.test", route(text, HTTP if text.startswith("= ") else PLAIN)),
        harmless=("~ ^/x", *_PATHS),
        start="~ ^/x",
        verbatim=False,
    ),
    "path of files": Slot(
        build=lambda text: site(
            "slot.test",
            route(_prefix(text), model.Files(folder="/srv", options=catalogue.values(spa_option.OPTION.set(True)))),
        ),
        harmless=("/x", "/x/", "/"),
        start="/",
    ),
    "path of a redirect": Slot(
        build=lambda text: site("slot.test", route(_prefix(text), model.Redirect(to="/y"))),
        harmless=("/x", "/x/", "/"),
        start="/",
    ),
    "path of fastcgi": Slot(
        build=lambda text: site("slot.test", route(_prefix(text), "fastcgi://10.0.0.1/in/")),
        harmless=("/x", "/x/", "/"),
        start="/",
    ),
    "path of memcached": Slot(
        build=lambda text: site("slot.test", route(_prefix(text), "memcached://10.0.0.1/in/")),
        harmless=("/x", "/x/", "/"),
        start="/",
    ),
    "target host": Slot(build=lambda text: _one(_first(HTTP, host=text)), harmless=("web", "10.0.0.1"), verbatim=False),
    "only target host": Slot(
        build=lambda text: _one(_first(PLAIN, host=text)), harmless=("web", "10.0.0.1"), verbatim=False
    ),
    "target socket": Slot(
        build=lambda text: _one(_first(HTTP, host=None, port=None, socket=text)), harmless=("/run/x.sock",), start="/"
    ),
    "target path": Slot(build=lambda text: _one(_first(HTTP, path=text)), harmless=("/in",), start="/", verbatim=False),
    "target path of uwsgi": Slot(
        build=lambda text: _one(_first(proxy("uwsgi://10.0.0.1"), path=text)),
        harmless=("/in", "/"),  # with the second one, servers are told the prefix
        start="/",
        verbatim=False,
    ),
    "target path of grpc": Slot(
        build=lambda text: _one(_first(proxy("grpc://10.0.0.1"), path=text)),
        harmless=("/in",),
        start="/",
        verbatim=False,
    ),
    "hash": Slot(
        build=lambda text: _one(_with(balance=balance_option.Balance(method=balance_option.Method.HASH, key=text))),
        harmless=("$remote_addr",),
        start="$remote_addr",
        verbatim=False,
    ),
    "server name": Slot(
        build=lambda text: _one(proxy("https://10.0.0.1", options=upstream_tls(model.UpstreamTls(name=text)))),
        harmless=("inner",),
    ),
    "host header": Slot(
        build=lambda text: _one(
            proxy("http://10.0.0.1", options=catalogue.values(host_header_option.OPTION.set(text)))
        ),
        harmless=("inner",),
    ),
    "host header of scgi": Slot(
        build=lambda text: _one(
            proxy("scgi://10.0.0.1", options=catalogue.values(host_header_option.OPTION.set(text)))
        ),
        harmless=("inner",),
    ),
    "document root": Slot(
        build=lambda text: _one(proxy("fastcgi://10.0.0.1", options=catalogue.values(root_option.OPTION.set(text)))),
        harmless=("/srv",),
        start="/",
        verbatim=False,
    ),
    "index": Slot(
        build=lambda text: _one(
            proxy("fastcgi://10.0.0.1", options=catalogue.values(index_option.OPTION.set((text,))))
        ),
        harmless=("x.php",),
    ),
    "redirect": Slot(build=lambda text: _one(model.Redirect(to=text)), harmless=("/x", "/"), start="/", verbatim=False),
    "redirect with groups": Slot(
        build=lambda text: site("slot.test", route("~ ^/(?<a>.*)$", model.Redirect(to=text))),
        harmless=("/x", "/"),
        start="/",
        verbatim=False,
    ),
    "target path with groups": Slot(
        build=lambda text: site("slot.test", route("~ ^/(?<a>.*)$", _first(HTTP, path=text))),
        harmless=("/in",),
        start="/",
        verbatim=False,
    ),
    "redirect that keeps": Slot(
        build=lambda text: site("slot.test", route("/x", model.Redirect(to=text), keep=keep_option.Keep.URI)),
        harmless=("/x", "/", "https://a.test", "https://a.test/"),
        start="/",
        verbatim=False,
    ),
    "path of a redirect that keeps": Slot(
        build=lambda text: site("slot.test", route(_prefix(text), model.Redirect(to="/y"), keep=keep_option.Keep.URI)),
        harmless=("/x", "/x/", "/"),
        start="/",
        verbatim=False,
    ),
    "expression": Slot(
        build=lambda text: _one(PLAIN, rewrite=rewrite_option.Rewrite(match=text, to="/x")),
        harmless=("^/x",),
        start="^/x",
        verbatim=False,
    ),
    "rewritten": Slot(
        build=lambda text: _one(PLAIN, rewrite=rewrite_option.Rewrite(match="(?<a>x)", to=text)),
        harmless=("/x",),
        start="/",
        verbatim=False,
    ),
    "body": Slot(build=lambda text: _one(model.Respond(body=text)), harmless=("x",), verbatim=False),
    "media type": Slot(
        build=lambda text: _one(model.Respond(body="x", media_type=text)), harmless=("a/b",), start="a/b"
    ),
    "file of an answer": Slot(
        build=lambda text: _one(model.Respond(file=text)), harmless=("/srv/x", "/x"), start="/", verbatim=False
    ),
    "folder": Slot(build=lambda text: _one(model.Files(folder=text)), harmless=("/srv",), start="/", verbatim=False),
    "folder of a part": Slot(
        build=lambda text: site(
            "slot.test", route("/x", model.Files(folder=text, options=catalogue.values(spa_option.OPTION.set(True))))
        ),
        harmless=("/srv",),
        start="/",
        verbatim=False,
    ),
    "request header": Slot(
        build=lambda text: _one(HTTP, request_headers=((text, "1"),)), harmless=("X-Mine", "X-Real-IP"), start="X-"
    ),
    "request header of fastcgi": Slot(
        build=lambda text: _one(proxy("fastcgi://10.0.0.1"), request_headers=((text, "1"),)),
        harmless=("X-Mine", "X-Real-IP"),
        start="X-",
        verbatim=False,
    ),
    "request header's value": Slot(
        build=lambda text: _one(HTTP, request_headers=(("X-Mine", text),)), harmless=("1", ""), verbatim=False
    ),
    "request header's value of grpc": Slot(
        build=lambda text: _one(proxy("grpc://10.0.0.1"), request_headers=(("X-Mine", text),)),
        harmless=("1", ""),
        start="1",
        verbatim=False,
    ),
    "request header's value of uwsgi": Slot(
        build=lambda text: _one(proxy("uwsgi://10.0.0.1"), request_headers=(("X-Mine", text),)),
        harmless=("1", ""),
        start="1",
        verbatim=False,
    ),
    "page of a folder": Slot(
        build=lambda text: _one(
            model.Files(
                folder="/srv", options=catalogue.values(index_option.OPTION.set((text,)), spa_option.OPTION.set(True))
            )
        ),
        harmless=("x.html",),
    ),
    "response header": Slot(
        build=lambda text: _one(HTTP, response_headers=((text, "1"),)), harmless=("X-Mine", "X-Real-IP"), start="X-"
    ),
    "response header's value": Slot(
        build=lambda text: _one(HTTP, response_headers=(("X-Mine", text),)),
        harmless=("1", ""),
        start="1",
        verbatim=False,
    ),
    "origin of the plainest": Slot(
        build=lambda text: dataclasses.replace(
            site("slot.test", route("/", PLAIN)), origin=model.Origin(source="docker", place=text)
        ),
        harmless=("daemun.yaml:1", ""),
        verbatim=False,
    ),
    "origin": Slot(
        build=lambda text: dataclasses.replace(
            site(
                "slot.test",
                route("/", HTTP, origin=model.Origin(source="docker", place=text)),
            ),
            origin=model.Origin(source="docker", place=text),
        ),
        harmless=("daemun.yaml:1", ""),
        verbatim=False,
    ),
}

NUMBERS: dict[str, Slot] = {
    "only port": Slot(build=lambda value: _one(_first(PLAIN, port=value)), harmless=(80, 443, 8080)),
    "port": Slot(build=lambda value: _one(_first(HTTP, port=value)), harmless=(80, 443, 8080)),
    "weight": Slot(build=lambda value: _one(_first(HTTP, weight=value)), harmless=(2, 1)),
    "max_fails": Slot(build=lambda value: _one(_first(HTTP, max_fails=value)), harmless=(2,)),
    "fail_timeout": Slot(build=lambda value: _one(_first(HTTP, fail_timeout_s=value)), harmless=(2.0,)),
    "max_connections": Slot(build=lambda value: _one(_first(HTTP, max_connections=value)), harmless=(2, 0)),
    "retries": Slot(build=lambda value: _one(_with(retries=value)), harmless=(2, 1, 0)),
    "max_body": Slot(build=lambda value: _one(HTTP, max_body=value), harmless=(2, 0)),
    "hsts": Slot(
        build=lambda value: site(
            "slot.test",
            route("/", HTTP),
            options=catalogue.values(hsts_option.OPTION.set(hsts_option.Hsts(max_age_s=value))),
        ),
        harmless=(2,),
    ),
    "status": Slot(
        build=lambda value: _one(model.Redirect(to="/x", options=catalogue.values(status_option.OPTION.set(value)))),
        harmless=(302,),
    ),
    # Of 200 there is no page, that of 404 is every location's, that of 406 this one's.
    "status of an answer": Slot(build=lambda value: _one(model.Respond(status=value)), harmless=(200, 404, 406)),
    **{
        f"timeout {name}": Slot(
            build=lambda value, name=name: _one(_with(timeout=timeout_option.Timeouts(**{f"{name}_s": value}))),
            # What is as for the whole gate has no line.
            harmless=(2.0, 5.0, 60.0, 3600.0),
        )
        for name in ("connect", "read", "send", "idle")
    },
}


def render_slot(
    slot: Slot, value: Value, env: render_environment.Environment, *, host: str | None = None
) -> bytes | None:
    """The file of the site with this value in its slot; None when the value is refused, as it should be said.

    host: the site's name, where the slot is not about names.
    """
    made = _build(slot, value, host)
    if made is None:
        return None
    try:
        return render_tree.render_site(made, env)
    except RenderError as error:
        assert str(error).startswith("cannot render"), error
        return None


def find_entry(slot: Slot, value: Value) -> shared_sites.SharedSite | None:
    """The site with this value in its slot as one that shares its nginx blocks; None when it is refused or does not."""
    made = _build(slot, value, None)
    return None if made is None else shared_blocks.make_entry(made)


def _build(slot: Slot, value: Value, host: str | None) -> model.Site | None:
    made = slot.build(value)
    if host is not None and made.host == "slot.test":
        made = dataclasses.replace(made, host=host)
    settings = features.SETTINGS
    if any(
        problem.severity is model.Severity.ERROR
        for problem in (*validate.find_site_problems(made), *validate.find_global_problems(settings, (made,)))
    ):
        return None
    return made
