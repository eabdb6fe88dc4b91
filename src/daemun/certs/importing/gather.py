"""Reads the trees of other ACME clients and merges what is to be taken over of them. Blocking."""

import collections
import collections.abc
import dataclasses
import datetime
import pathlib
import shlex

from cryptography import x509

from daemun.certs.importing import acme_sh, certbot, companion, foreign_tree, found_items
from daemun.errors import ConfigError


def read_folders(folders: collections.abc.Sequence[pathlib.Path], now: datetime.datetime) -> found_items.FoundTree:
    """What is in all the folders together; places begin with the folder where there are several.

    Raises: ConfigError for a folder that cannot be read, or that no client left.
    """
    found = [one for folder in folders for one in _read_folder(folder, now, is_alone=len(folders) == 1)]
    return _merge(found)


def _read_folder(folder: pathlib.Path, now: datetime.datetime, *, is_alone: bool) -> list[found_items.FoundTree]:
    try:
        tree = foreign_tree.ForeignTree(folder)
        homes = acme_sh.find_homes(tree)
        found = [acme_sh.read(tree, home, now) for home in homes]
        if certbot.is_here(tree):
            found.append(certbot.read(tree, now))
        elif not homes and companion.is_here(tree):
            found.append(companion.read(tree, now))
    except foreign_tree.TreeError as error:
        raise ConfigError(f'cannot import "{folder}": {error}') from error
    if not found:
        inside = [str(folder / name) for name in tree.names() if _is_of_client(folder / name)]
        seen = ", ".join(tree.names()[:8]) or "nothing"
        raise ConfigError(
            f'cannot import "{folder}": it is no folder of certbot (with renewal/ and live/, as /etc/letsencrypt), of '
            "acme.sh (with ca/, usually ~/.acme.sh) or of acme-companion (/etc/acme.sh and /etc/nginx/certs); "
            + (f"name {' '.join(map(shlex.quote, inside))} instead" if inside else f"it holds {seen}")
        )
    return found if is_alone else [_place(one, str(folder)) for one in found]


def _is_of_client(folder: pathlib.Path) -> bool:
    """Whether a folder in the one that was named is what was meant."""
    try:
        tree = foreign_tree.ForeignTree(folder)
        return certbot.is_here(tree) or bool(acme_sh.find_homes(tree))
    except foreign_tree.TreeError:
        return False


def _place(found: found_items.FoundTree, folder: str) -> found_items.FoundTree:
    def placed(
        one: found_items.FoundAccount | found_items.FoundCertificate | found_items.LeftBehind | found_items.Practice,
    ) -> str:
        return f"{folder}/{one.place}"

    return dataclasses.replace(
        found,
        accounts=tuple(dataclasses.replace(one, place=placed(one)) for one in found.accounts),
        certificates=tuple(dataclasses.replace(one, place=placed(one)) for one in found.certificates),
        practices=tuple(dataclasses.replace(one, place=placed(one)) for one in found.practices),
        refusals=tuple(dataclasses.replace(one, place=placed(one)) for one in found.refusals),
    )


def _merge(found: list[found_items.FoundTree]) -> found_items.FoundTree:
    accounts, others = choose_accounts([one for part in found for one in part.accounts])
    certificates, unknown = _without_copies([one for part in found for one in part.certificates])
    taken = {one.bundle.names() for one in certificates}
    refusals = [one for part in found for one in part.refusals]
    return found_items.FoundTree(
        client=" and ".join(dict.fromkeys(part.client for part in found)),
        accounts=accounts,
        certificates=tuple(certificates),
        practices=tuple(one for part in found for one in part.practices if one.names in taken),
        refusals=(*refusals, *others, *unknown),
        remarks=tuple(dict.fromkeys(remark for part in found for remark in part.remarks)),
    )


def choose_accounts(
    found: list[found_items.FoundAccount],
) -> tuple[tuple[found_items.FoundAccount, ...], list[found_items.LeftBehind]]:
    """A CA knows one account of us: of several there, the one that most certificates were ordered by, else the
    newest."""
    by_directory: dict[str, list[found_items.FoundAccount]] = collections.defaultdict(list)
    for one in found:
        by_directory[one.found.directory].append(one)
    chosen, refusals = [], []
    for same in by_directory.values():
        best, *others = sorted(same, key=lambda one: (one.uses, one.created), reverse=True)
        chosen.append(best)
        reason = f"another account of the same CA is used ({best.place}); daemun has one for each CA"
        refusals += [
            found_items.LeftBehind(place=one.place, reason=reason) for one in others if one.found != best.found
        ]
    return tuple(chosen), refusals


def _without_copies(
    found: list[found_items.FoundCertificate],
) -> tuple[list[found_items.FoundCertificate], list[found_items.LeftBehind]]:
    """Each once: acme-companion keeps a copy for nginx, without the settings that name its CA."""
    first: dict[x509.Certificate, found_items.FoundCertificate] = {}
    for one in sorted(found, key=lambda one: one.directory is None):
        first.setdefault(one.bundle.leaf, one)
    certificates, refusals = [], []
    for one in first.values():
        directory = one.directory or found_items.guess_directory(one.bundle)
        if directory is not None:
            certificates.append(dataclasses.replace(one, directory=directory))
            continue
        reason = (
            f'nothing tells the ACME directory of its issuer, "{one.bundle.issuer}"; give the folder with the settings '
            "of the client, too (daemun orders another one)"
        )
        refusals.append(found_items.LeftBehind(place=one.place, reason=reason))
    return certificates, refusals
