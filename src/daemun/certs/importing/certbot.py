"""certbot's /etc/letsencrypt (eff-certbot.readthedocs.io/en/stable/using.html#where-are-my-certificates).

accounts/SERVER/PATH/ID/{private_key,regr,meta}.json    a JWK, the account's URL, when it was made
live/NAME/{fullchain,privkey}.pem                       links into archive/NAME
renewal/NAME.conf                                       settings, as configobj writes them
renewal-hooks/{pre,deploy,post}/*                       programs run around each renewal
"""

import collections.abc
import configparser
import datetime
import json
import typing

from cryptography.hazmat.primitives import serialization

from daemun.certs.acme import acme_accounts
from daemun.certs.importing import foreign_tree, found_items, providers
from daemun.certs.served import bundle
from daemun.control import account_port

CLIENT = "certbot"
_DEEPEST = 4
_HOOKS = {"pre_hook": "before", "renew_hook": "after each renewal", "post_hook": "after"}


def is_here(tree: foreign_tree.ForeignTree) -> bool:
    return tree.is_folder("renewal") or (tree.is_folder("live") and tree.is_folder("archive"))


def read(tree: foreign_tree.ForeignTree, now: datetime.datetime) -> found_items.FoundTree:
    settings, refusals = _read_settings(tree)
    certificates, practices = [], []
    live = [name for name in tree.names("live") if tree.is_folder(f"live/{name}")]
    for name in live:
        place, values = f"live/{name}", settings.get(name, {})
        try:
            found = found_items.read_certificate(
                tree,
                f"{place}/fullchain.pem",
                f"{place}/privkey.pem",
                place=place,
                directory=values.get("server"),
                now=now,
            )
        except (foreign_tree.TreeError, bundle.BundleError) as error:
            refusals.append(found_items.LeftBehind(place=place, reason=str(error)))
            names: tuple[str, ...] = (name,)
        else:
            certificates.append(found)
            names = found.bundle.names()
        if values:
            practices.append(read_practice(f"renewal/{name}.conf", names, values))
    missing = [name for name in settings if name not in live]
    refusals += [
        found_items.LeftBehind(place=f"renewal/{name}.conf", reason=f"live/{name} is missing") for name in missing
    ]
    accounts = _read_accounts(tree, settings.values(), refusals)
    return found_items.FoundTree(
        client=CLIENT,
        accounts=tuple(accounts),
        certificates=tuple(certificates),
        practices=tuple(practices),
        refusals=tuple(refusals),
        remarks=tuple(_remark_programs(tree)),
    )


# --- settings ------------------------------------------------------------------------------------------------------

_Values = dict[str, str]


def _read_settings(tree: foreign_tree.ForeignTree) -> tuple[dict[str, _Values], list[found_items.LeftBehind]]:
    """The renewal settings by lineage."""
    settings, refusals = {}, []
    for file in tree.names("renewal"):
        if not file.endswith(".conf"):
            continue
        place = f"renewal/{file}"
        try:
            settings[file.removesuffix(".conf")] = parse_settings(tree.text(place))
        except foreign_tree.TreeError as error:
            refusals.append(found_items.LeftBehind(place=place, reason=str(error)))
        except configparser.Error as error:
            cause = str(error).splitlines()[0]
            refusals.append(found_items.LeftBehind(place=place, reason=f"cannot read its settings: {cause}"))
    return settings, refusals


def parse_settings(text: str) -> _Values:
    """The section [renewalparams], flat. Pure. Raises: configparser.Error."""
    parser = configparser.RawConfigParser(
        strict=False, delimiters=("=",), comment_prefixes=("#",), empty_lines_in_values=False
    )
    parser.read_string(f"[(top)]\n{text}")
    if not parser.has_section("renewalparams"):
        return {}
    return {key: _plain(value) for key, value in parser.items("renewalparams")}


def _plain(value: str) -> str:
    """Without the quotes that configobj puts around what holds commas."""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def read_practice(place: str, names: tuple[str, ...], values: _Values) -> found_items.Practice:
    """From the settings of one lineage. Pure."""
    method = values.get("authenticator", "")
    is_dns = method.startswith("dns-") or values.get("pref_challs", "").startswith("dns")
    secrets = (value for key, value in values.items() if key.startswith("dns_") and key.endswith("_credentials"))
    hooks = (values[key] for key in _HOOKS if values.get(key, "None") not in {"None", ""})
    return found_items.Practice(
        place=place,
        names=names,
        directory=values.get("server"),
        method=method or None,
        is_dns=is_dns,
        dns=providers.of_certbot(method) if is_dns else None,
        credentials=next(secrets, None),
        key_type=values.get("key_type"),
        profile=values.get("required_profile") or values.get("preferred_profile"),
        hooks=tuple(hooks),
    )


def _remark_programs(tree: foreign_tree.ForeignTree) -> collections.abc.Iterator[str]:
    for folder, when in (("pre", "before"), ("deploy", "after"), ("post", "after")):
        programs = [name for name in tree.names(f"renewal-hooks/{folder}") if not name.startswith(".")]
        if programs:
            shown = ", ".join(programs[:5])
            yield (
                f"certbot runs the programs in renewal-hooks/{folder} ({shown}) {when} each renewal; daemun runs one "
                "program, `acme.hook`, after each new certificate, with certbot's RENEWED_LINEAGE and RENEWED_DOMAINS"
            )


# --- accounts ------------------------------------------------------------------------------------------------------


def _read_accounts(
    tree: foreign_tree.ForeignTree,
    settings: collections.abc.Collection[_Values],
    refusals: list[found_items.LeftBehind],
) -> collections.abc.Iterator[found_items.FoundAccount]:
    for folder in _find_accounts(tree, "accounts", _DEEPEST):
        _, *path, identifier = folder.split("/")
        # On Linux the folders are the URL without "https://" (certbot/configuration.py, server_path).
        directory = "https://" + "/".join(path)
        uses = sum(values.get("account") == identifier for values in settings)
        try:
            yield _read_account(tree, folder, directory, uses)
        except (foreign_tree.TreeError, ValueError) as error:
            refusals.append(found_items.LeftBehind(place=folder, reason=str(error)))


def _find_accounts(tree: foreign_tree.ForeignTree, folder: str, deepest: int) -> collections.abc.Iterator[str]:
    """The folders that hold a key. Links to other accounts, as certbot makes for old servers, lead to the same ones."""
    if tree.is_file(f"{folder}/private_key.json"):
        yield folder
    elif deepest:
        for name in tree.names(folder):
            if tree.is_folder(f"{folder}/{name}"):
                yield from _find_accounts(tree, f"{folder}/{name}", deepest - 1)


def _read_account(tree: foreign_tree.ForeignTree, folder: str, directory: str, uses: int) -> found_items.FoundAccount:
    """Raises: TreeError, ValueError."""
    url = _object(tree, f"{folder}/regr.json").get("uri")
    created = ""
    if tree.is_file(f"{folder}/meta.json"):
        created = str(_object(tree, f"{folder}/meta.json").get("creation_dt", ""))
    found = account_port.ForeignAccount(
        directory=directory,
        url=url if isinstance(url, str) else None,
        email=_email(_object(tree, f"{folder}/regr.json").get("body")),
        key_pem=parse_jwk(tree.text(f"{folder}/private_key.json")),
    )
    return found_items.FoundAccount(place=folder, found=found, uses=uses, created=created)


def parse_jwk(text: str) -> bytes:
    """An account key (RFC 7517) as PEM. Raises: ValueError, without any of the key."""
    from josepy import errors as jose_errors  # noqa: PLC0415 - slow, and needed for this alone
    from josepy import jwk  # noqa: PLC0415

    try:
        found = jwk.JWK.json_loads(text).key
        pem: bytes = found.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    except (jose_errors.Error, ValueError, TypeError, AttributeError, KeyError):
        raise ValueError("the account's key is not a readable private JWK") from None
    acme_accounts.parse_key(pem)
    return pem


def _object(tree: foreign_tree.ForeignTree, path: str) -> dict[str, typing.Any]:
    try:
        value = json.loads(tree.text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, foreign_tree.TreeError):
            raise
        raise foreign_tree.TreeError(f'cannot use "{path}": it is not JSON') from None
    if not isinstance(value, dict):
        raise foreign_tree.TreeError(f'cannot use "{path}": it is not a JSON object')
    return value


def _email(body: object) -> str | None:
    contacts = body.get("contact") if isinstance(body, dict) else None
    found = (text for text in contacts or () if isinstance(text, str)) if isinstance(contacts, list) else iter(())
    return next((text.removeprefix("mailto:") for text in found if text.startswith("mailto:")), None)
