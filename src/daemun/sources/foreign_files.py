"""Recognises the configuration of another tool that was given as daemun.yaml, and says how to begin.

Only for a file that is no map with `sites`: whoever has those writes a daemun.yaml, whatever else is in it.
"""

import dataclasses
import pathlib
import re

from daemun.core import value_parsers
from daemun.core.texts import rules, spellings
from daemun.sources import yaml_suggestions, yaml_top, yaml_words


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A tool's files. name: as a message calls one. files: how they are usually called. text: what only such a text
    holds. never: what such a text never holds. keys: that such a map has, all of one of these groups, as
    "http.routers". host, target: where the first site and its server stand. also: what else may be a beginning."""

    name: str
    files: frozenset[str] = frozenset()
    text: re.Pattern[str] | None = None
    never: re.Pattern[str] | None = None
    keys: tuple[frozenset[str], ...] = ()
    host: re.Pattern[str] | None = None
    target: re.Pattern[str] | None = None
    also: str = ""

    def fits(self, name: str, text: str, value: object) -> bool:
        if name in self.files:
            return True
        if isinstance(value, dict):
            return any(all(_has(value, key.split(".")) for key in group) for group in self.keys)
        is_like = self.text is not None and self.text.search(text) is not None
        return is_like and (self.never is None or self.never.search(text) is None)


def _has(value: object, steps: list[str]) -> bool:
    """Whether a map has the key, below others. "*": below any."""
    if not steps:
        return True
    below = value if isinstance(value, dict) else {}
    return any(_has(one, steps[1:]) for key, one in below.items() if steps[0] in {key, "*"})


def _lines(*patterns: str) -> re.Pattern[str]:
    """Any of these at the start of a line."""
    return re.compile(rf"^[ \t]*(?:{'|'.join(patterns)})", re.MULTILINE)


_LABELS = "; containers need no file, but labels such as `daemun.host: chat.example.com` (docs/docker.md)"

_KINDS = (
    _Kind(
        name="a Caddyfile",
        files=frozenset({"Caddyfile"}),
        text=_lines(r"(?:reverse_proxy|file_server|php_fastcgi|handle(?:_path)?|respond|redir|encode|import)(?:\s|\Z)"),
        never=re.compile(r";[ \t]*$", re.MULTILINE),
        host=re.compile(r"^(?:https?://)?([A-Za-z0-9*][\w.*-]*\.[\w.-]+)[\s:,{]", re.MULTILINE),
        target=_lines(r"reverse_proxy[ \t]+(?:[*/@]\S*[ \t]+)?([^\s{]+)"),
    ),
    _Kind(
        name="a configuration of nginx",
        files=frozenset({"nginx.conf"}),
        text=_lines(
            r"(?:server|http|events|stream|upstream\s+\S+|location\s[^{]*)\s*\{", r"(?:server_name|proxy_pass)\s[^;]*;"
        ),
        host=_lines(r"server_name\s+([^\s;]+)"),
        target=_lines(r"proxy_pass\s+([^\s;]+)", r"location[^{]*\{[ \t]*proxy_pass\s+([^\s;]+)"),
        also="; hand-written nginx stands below `nginx: |`, indented",
    ),
    _Kind(
        name="a configuration of Apache",
        files=frozenset({"httpd.conf", "apache2.conf"}),
        text=_lines(r"<(?:VirtualHost|IfModule|Directory|Location|Proxy)\b"),
        host=_lines(r"ServerName\s+(\S+)"),
        target=_lines(r"ProxyPass\s+\S+\s+([^\s]+)"),
    ),
    _Kind(
        name="a configuration of HAProxy",
        files=frozenset({"haproxy.cfg"}),
        text=re.compile(r"^(?:frontend|backend|listen)\s+\S+[ \t]*$", re.MULTILINE),
        target=_lines(r"server\s+\S+\s+(\S+)"),
    ),
    _Kind(
        name="a configuration of Traefik",
        files=frozenset({"traefik.yml", "traefik.yaml", "traefik.toml"}),
        text=_lines(r"\[(?:entryPoints|http|providers|certificatesResolvers)[.\]]"),
        keys=(
            frozenset({"entryPoints"}),
            frozenset({"certificatesResolvers"}),
            frozenset({"http.routers"}),
            frozenset({"http.services"}),
        ),
        also=_LABELS,
    ),
    _Kind(
        name="a compose file",
        files=frozenset({"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"}),
        keys=(frozenset({"services.*.image"}), frozenset({"services.*.build"})),
        also=_LABELS,
    ),
    _Kind(name="a manifest of Kubernetes", keys=(frozenset({"apiVersion", "kind"}),)),
    _Kind(name="a configuration of Caddy", files=frozenset({"caddy.json"}), keys=(frozenset({"apps.http"}),)),
    _Kind(name="a configuration of Envoy", keys=(frozenset({"static_resources"}),)),
)


def explain(name: str, text: str, value: object) -> str | None:
    """Of which tool a file is, and how to begin. name: of the file. value: what it holds, None if it is no YAML.
    Returns: None for what may well be meant as a daemun.yaml."""
    if isinstance(value, dict) and "sites" in value:
        return None
    if value is None and (not text.strip() or _OURS.search(text)):
        return None
    kind = next((kind for kind in _KINDS if kind.fits(pathlib.PurePath(name).name, text, value)), None)
    if kind is None:
        return None
    cause = f"this is {kind.name}, which daemun does not read"
    return f"{cause}; begin a daemun.yaml: {_find_beginning(kind, text)}{kind.also}"


_OURS = re.compile(rf"^[\"']?(?:{'|'.join(yaml_top.FILE.model_fields)})[\"']?[ \t]*:", re.MULTILINE)


def _find_beginning(kind: _Kind, text: str) -> str:
    """With the first site of the file, if it has one that daemun can serve."""
    host = _find(kind.host, text)
    target = _find(kind.target, text)
    hosts = [one for one in spellings.hosts(host) if rules.check_host(one) is None] if host else []
    server = value_parsers.find_meant(target) if target else None
    if not hosts or server is None:
        return yaml_words.MINIMAL_FILE
    return f"`{yaml_suggestions.write_flow({'sites': {hosts[0]: server}})}`, and so on for the others"


def _find(pattern: re.Pattern[str] | None, text: str) -> str | None:
    found = pattern.search(text) if pattern is not None else None
    return next((group for group in found.groups() if group), None) if found is not None else None
