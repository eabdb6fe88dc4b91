"""acme.sh's folder, ~/.acme.sh (github.com/acmesh-official/acme.sh/wiki). Its settings are assignments for a shell,
which are read here and never run.

    account.conf                               the e-mail address, secrets of DNS providers
    ca/HOST/PATH/{account.key,ca.conf}         an account; older ones lie in ca/HOST
    DOMAIN[_ecc]/{DOMAIN.conf,DOMAIN.key,fullchain.cer}
"""

import base64
import binascii
import collections.abc
import datetime
import re
import urllib.parse

from daemun.certs.acme import acme_accounts
from daemun.certs.importing import foreign_tree, found_items, providers
from daemun.certs.served import bundle
from daemun.control import account_port

CLIENT = "acme.sh"
_DEEPEST = 5
_ASSIGNMENT = re.compile(r"""^([A-Za-z_][A-Za-z0-9_]*)=(?:'([^']*)'|"([^"]*)"|([^\s'"]*))\s*$""", re.MULTILINE)
_START, _END = "__ACME_BASE64__START_", "__ACME_BASE64__END_"
_HOOKS = ("Le_PreHook", "Le_RenewHook", "Le_ReloadCmd", "Le_PostHook")

_Values = dict[str, str]


def find_homes(tree: foreign_tree.ForeignTree) -> list[str]:
    """Folders that acme.sh keeps its files in: the tree itself, or, as acme-companion has it, one for each address."""
    return [home for home in ("", *tree.names()) if (not home or tree.is_folder(home)) and _is_home(tree, home)]


def _is_home(tree: foreign_tree.ForeignTree, home: str) -> bool:
    if tree.is_folder(_join(home, "ca")) and (tree.is_file(_join(home, "account.conf")) or _find_keys(tree, home)):
        return True
    return any(True for _ in _find_domains(tree, home))


def read(tree: foreign_tree.ForeignTree, home: str, now: datetime.datetime) -> found_items.FoundTree:
    certificates, practices, refusals = [], [], []
    for folder, domain in _find_domains(tree, home):
        place = _join(home, folder)
        try:
            values = parse_settings(tree.text(f"{place}/{domain}.conf"))
        except foreign_tree.TreeError as error:
            refusals.append(found_items.LeftBehind(place=place, reason=str(error)))
            continue
        names = _names_of(values, domain)
        try:
            found = found_items.read_certificate(
                tree,
                f"{place}/fullchain.cer",
                f"{place}/{domain}.key",
                place=place,
                directory=values.get("Le_API") or None,
                now=now,
            )
            certificates.append(found)
            names = found.bundle.names()
        except (foreign_tree.TreeError, bundle.BundleError) as error:
            refusals.append(found_items.LeftBehind(place=place, reason=str(error)))
        practices.append(_practice(f"{place}/{domain}.conf", names, values))
    accounts = _read_accounts(tree, home, practices, refusals)
    return found_items.FoundTree(
        client=CLIENT,
        accounts=tuple(accounts),
        certificates=tuple(certificates),
        practices=tuple(practices),
        refusals=tuple(refusals),
    )


# --- settings ------------------------------------------------------------------------------------------------------


def parse_settings(text: str) -> _Values:
    """NAME='value' lines; what looks like anything else is left out. Pure."""
    found = {}
    for name, single, double, bare in _ASSIGNMENT.findall(text):
        found[name] = _decode(single or double or bare)
    return found


def _decode(value: str) -> str:
    if not (value.startswith(_START) and value.endswith(_END)):
        return value
    try:
        return base64.b64decode(value[len(_START) : -len(_END)], validate=True).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _find_domains(tree: foreign_tree.ForeignTree, home: str) -> collections.abc.Iterator[tuple[str, str]]:
    """Folders with the settings of a certificate, and its first name."""
    for folder in tree.names(home):
        domain = folder.removesuffix("_ecc")
        if tree.is_file(_join(home, f"{folder}/{domain}.conf")):
            yield folder, domain


def _names_of(values: _Values, domain: str) -> tuple[str, ...]:
    others = values.get("Le_Alt", "no")
    return (domain, *(() if others in {"no", ""} else others.split(",")))


def _practice(place: str, names: tuple[str, ...], values: _Values) -> found_items.Practice:
    method = values.get("Le_Webroot", "").split(",")[0]
    is_dns = method.startswith("dns")
    length = values.get("Le_Keylength", "")
    return found_items.Practice(
        place=place,
        names=names,
        directory=values.get("Le_API") or None,
        method=(method if is_dns else _describe_method(method)) or None,
        is_dns=is_dns,
        dns=providers.of_acme_sh(method) if is_dns else None,
        key_type=f"rsa {length}" if length.isdecimal() else length or None,
        profile=values.get("Le_Certificate_Profile") or None,
        hooks=tuple(values[key] for key in _HOOKS if values.get(key, "no") not in {"no", ""}),
    )


def _describe_method(method: str) -> str:
    return "standalone" if method in {"no", ""} else f"webroot {method}" if method.startswith("/") else method


# --- accounts ------------------------------------------------------------------------------------------------------


def _read_accounts(
    tree: foreign_tree.ForeignTree,
    home: str,
    practices: list[found_items.Practice],
    refusals: list[found_items.LeftBehind],
) -> collections.abc.Iterator[found_items.FoundAccount]:
    for folder in _find_keys(tree, home):
        try:
            yield _read_account(tree, home, folder, practices)
        except (foreign_tree.TreeError, ValueError) as error:
            refusals.append(found_items.LeftBehind(place=folder, reason=str(error)))


def _find_keys(tree: foreign_tree.ForeignTree, home: str) -> list[str]:
    """The folders under ca/ that hold an account's key."""
    found, pending = [], [(_join(home, "ca"), _DEEPEST)]
    while pending:
        folder, deepest = pending.pop()
        if tree.is_file(f"{folder}/account.key"):
            found.append(folder)
        if deepest:
            inner = (f"{folder}/{name}" for name in tree.names(folder))
            pending += [(path, deepest - 1) for path in inner if tree.is_folder(path)]
    return sorted(found)


def _read_account(
    tree: foreign_tree.ForeignTree, home: str, folder: str, practices: list[found_items.Practice]
) -> found_items.FoundAccount:
    """Raises: TreeError, ValueError."""
    settings = parse_settings(tree.text(f"{folder}/ca.conf")) if tree.is_file(f"{folder}/ca.conf") else {}
    gate = parse_settings(tree.text(_join(home, "account.conf"))) if tree.is_file(_join(home, "account.conf")) else {}
    place = folder.removeprefix(_join(home, "ca") + "/")
    # The folder lacks the URL's port; the settings of a certificate from there have all of it.
    known = [one.directory for one in practices if one.directory is not None and _folder_of(one.directory) == place]
    key_pem = tree.read(f"{folder}/account.key")
    acme_accounts.parse_key(key_pem)
    found = account_port.ForeignAccount(
        directory=known[0] if known else f"https://{place}",
        url=settings.get("ACCOUNT_URL") or None,  # older ones do not have it: the CA is queried by the key
        email=settings.get("CA_EMAIL") or gate.get("ACCOUNT_EMAIL") or None,
        key_pem=key_pem,
    )
    return found_items.FoundAccount(place=folder, found=found, uses=len(known))


def _folder_of(directory: str) -> str:
    """As acme.sh names it (`_initpath`)."""
    try:
        parts = urllib.parse.urlsplit(directory)
        host = parts.hostname or ""
    except ValueError:
        return ""
    return f"{host}{parts.path}"


def _join(home: str, path: str) -> str:
    return f"{home}/{path}" if home else path
