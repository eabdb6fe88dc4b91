"""How daemun does what the other client was set up to do: words, and the lines of daemun.yaml for it. Pure."""

import collections
import collections.abc
import json
import shlex

from daemun.certs.importing import found_items
from daemun.core import model

_NAMED = {
    model.LETS_ENCRYPT: "letsencrypt",
    model.LETS_ENCRYPT_STAGING: "letsencrypt-staging",
    "https://acme.zerossl.com/v2/DV90": "zerossl",
    "https://dv.acme-v02.api.pki.goog/directory": "google",
}
_NGINX = ("nginx", "apache", "httpd", "openresty")


def remarks(found: found_items.FoundTree) -> list[str]:
    """One line for each thing that daemun does otherwise."""
    lines = [*_remarks_on_cas(found), *found.remarks]
    for one in found.practices:
        lines += [f"{_shown(one.names)}: {text}" for text in _remarks_on(one)]
    return lines


def _remarks_on_cas(found: found_items.FoundTree) -> collections.abc.Iterator[str]:
    for directory in _counted(one.directory for one in found.certificates):
        if directory != model.LETS_ENCRYPT:
            yield (
                f"certificates of {directory} are kept until their renewal only where daemun asks this CA; where it "
                "asks another one, new ones are ordered at once"
            )


def _remarks_on(one: found_items.Practice) -> collections.abc.Iterator[str]:
    if one.is_dns:
        if one.dns is None:
            yield (
                f"its names are proved in DNS by {one.method}; name the provider of dns-lexicon that serves your DNS, "
                "or a command of your own, under `acme.dns` (docs/certificates.md)"
            )
        elif one.credentials is not None:
            yield f"its names are proved in DNS by {one.method}, whose secrets are in {one.credentials}"
        else:
            yield f"its names are proved in DNS by {one.method}"
    elif one.method is not None:
        yield f"its names are proved over HTTP ({one.method}); nginx answers for daemun, nothing to set"
    if one.key_type is not None and one.key_type.lower() not in {"ecdsa", "ec-256"}:
        yield f"its key ({one.key_type}) is used until it is renewed, then one on P-256, or what `acme.key_type` says"
    for hook in one.hooks:
        yield _remark_hook(hook)


def _remark_hook(hook: str) -> str:
    if any(name in hook for name in _NGINX):
        return f'"{hook}" is not needed: daemun\'s nginx takes a new certificate by itself'
    return f'"{hook}" ran around each renewal; `acme.hook` runs after each new certificate'


def snippet(found: found_items.FoundTree) -> list[str]:
    """Lines for daemun.yaml that keep what matters; none when the defaults do."""
    directories = _counted(one.directory for one in found.certificates)
    default = directories[0] if directories else None
    profiles = _counted(one.profile for one in found.practices if one.directory in {default, None})
    dns = next((one for one in found.practices if one.is_dns), None)
    lines = []
    emails = _counted(one.found.email for one in found.accounts)
    lines += [f"  email: {_quoted(emails[0])}"] if emails else []
    if default is not None and default != model.LETS_ENCRYPT:
        lines.append(f"  directory: {_quoted(_NAMED.get(default, default))}")
    lines += [f"  profile: {_quoted(profiles[0])}"] if profiles else []
    if dns is not None and dns.dns is not None:
        where = f", as in {dns.credentials}" if dns.credentials else ""
        lines += ["  dns:", f"    provider: {dns.dns}", f"    # and its secrets{where} (docs/certificates.md)"]
    lines += [f"  hook: {_command(hook)}" for hook in _hooks(found)[:1]]
    return [*(["acme:", *lines] if lines else []), *_of_sites(found, default, profiles[0] if profiles else None)]


def _of_sites(found: found_items.FoundTree, default: str | None, profile: str | None) -> list[str]:
    """What differs between certificates."""
    lines = []
    known = {one.names: one for one in found.practices}
    for one in found.certificates:
        names, own = one.bundle.names(), known.get(one.bundle.names())
        differs = []
        if one.directory is not None and one.directory != default:
            differs.append(f"directory: {_quoted(_NAMED.get(one.directory, one.directory))}")
        if own is not None and own.profile is not None and own.profile != profile:
            differs.append(f"profile: {_quoted(own.profile)}")
        if differs:
            lines += [f"  {_quoted(names[0])}:", f"    tls: {{{', '.join(differs)}}}"]
    return ["sites:", *lines] if lines else []


def _hooks(found: found_items.FoundTree) -> list[str]:
    hooks = (hook for one in found.practices for hook in one.hooks)
    return _counted(hook for hook in hooks if not any(name in hook for name in _NGINX))


def _command(hook: str) -> str:
    """As a list for daemun.yaml: a program by its absolute path is run as it is, all else by a shell."""
    try:
        words = shlex.split(hook)
    except ValueError:
        words = []
    is_plain = bool(words) and words[0].startswith("/") and not set(hook) & set("|&;<>$`*?()#~\n")
    return "[" + ", ".join(_quoted(word) for word in (words if is_plain else ["/bin/sh", "-c", hook])) + "]"


def _quoted(text: str) -> str:
    """A text for YAML, in quotes where it needs them."""
    if text and text.replace("-", "").replace(".", "").replace("@", "").isalnum() and text.isascii():
        return text if not text[0].isdigit() and not text.startswith(("-", ".", "@")) else f'"{text}"'
    return json.dumps(text, ensure_ascii=False)  # which is YAML, too


def _counted(values: collections.abc.Iterable[str | None]) -> list[str]:
    """Each once, the most frequent first."""
    return [value for value, _ in collections.Counter(value for value in values if value).most_common()]


def _shown(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more" if names else "a certificate"
