"""acme-companion's /etc/nginx/certs, which nginx-proxy reads (github.com/nginx-proxy/acme-companion).

    NAME/{fullchain,key}.pem and .companion    the certificate of a container's first host
    HOST.crt, HOST.key                         links to it, or files that a person put there

Which CA issued one is in the settings of acme.sh, which has folders of its own (/etc/acme.sh).
"""

import datetime

from daemun.certs import bundle
from daemun.certs.importing import items
from daemun.certs.importing import tree as tree_

CLIENT = "acme-companion"
_DEFAULT = "default"
"""nginx-proxy's own certificate for unknown names."""


def is_here(tree: tree_.Tree) -> bool:
    return any(tree.is_file(f"{name}/.companion") for name in tree.names()) or any(_find_pairs(tree))


def read(tree: tree_.Tree, now: datetime.datetime) -> items.Found:
    """Files that a person put there are read, too: those of a CA that daemun knows are as good as others."""
    certificates: list[items.Certificate] = []
    refusals = []
    folders = [
        (name, f"{name}/fullchain.pem", f"{name}/key.pem") for name in tree.names() if tree.is_file(f"{name}/key.pem")
    ]
    for place, chain, key in (*folders, *_find_pairs(tree)):
        try:
            found = items.read_certificate(tree, chain, key, place=place, directory=None, now=now)
        except (tree_.TreeError, bundle.BundleError) as error:
            refusals.append(items.Refusal(place=place, reason=str(error)))
        else:
            if all(found.bundle.leaf != other.bundle.leaf for other in certificates):
                certificates.append(found)
    return items.Found(client=CLIENT, certificates=tuple(certificates), refusals=tuple(refusals))


def _find_pairs(tree: tree_.Tree) -> list[tuple[str, str, str]]:
    names = [name.removesuffix(".crt") for name in tree.names() if name.endswith(".crt")]
    pairs = [(f"{name}.crt", f"{name}.crt", f"{name}.key") for name in names if name != _DEFAULT]
    return [pair for pair in pairs if tree.is_file(pair[2])]
