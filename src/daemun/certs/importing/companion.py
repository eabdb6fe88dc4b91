"""acme-companion's /etc/nginx/certs, which nginx-proxy reads (github.com/nginx-proxy/acme-companion).

    NAME/{fullchain,key}.pem and .companion    the certificate of a container's first host
    HOST.crt, HOST.key                         links to it, or files that a person put there

Which CA issued one is in the settings of acme.sh, which has folders of its own (/etc/acme.sh).
"""

import datetime

from daemun.certs.importing import foreign_tree, found_items
from daemun.certs.served import bundle

CLIENT = "acme-companion"
_DEFAULT = "default"
"""nginx-proxy's own certificate for unknown names."""


def is_here(tree: foreign_tree.ForeignTree) -> bool:
    return any(tree.is_file(f"{name}/.companion") for name in tree.names()) or any(_find_pairs(tree))


def read(tree: foreign_tree.ForeignTree, now: datetime.datetime) -> found_items.FoundTree:
    """Files that a person put there are read, too: those of a CA that daemun knows are as good as others."""
    certificates: list[found_items.FoundCertificate] = []
    refusals = []
    folders = [
        (name, f"{name}/fullchain.pem", f"{name}/key.pem") for name in tree.names() if tree.is_file(f"{name}/key.pem")
    ]
    for place, chain, key in (*folders, *_find_pairs(tree)):
        try:
            found = found_items.read_certificate(tree, chain, key, place=place, directory=None, now=now)
        except (foreign_tree.TreeError, bundle.BundleError) as error:
            refusals.append(found_items.LeftBehind(place=place, reason=str(error)))
        else:
            if all(found.bundle.leaf != other.bundle.leaf for other in certificates):
                certificates.append(found)
    return found_items.FoundTree(client=CLIENT, certificates=tuple(certificates), refusals=tuple(refusals))


def _find_pairs(tree: foreign_tree.ForeignTree) -> list[tuple[str, str, str]]:
    names = [name.removesuffix(".crt") for name in tree.names() if name.endswith(".crt")]
    pairs = [(f"{name}.crt", f"{name}.crt", f"{name}.key") for name in names if name != _DEFAULT]
    return [pair for pair in pairs if tree.is_file(pair[2])]
