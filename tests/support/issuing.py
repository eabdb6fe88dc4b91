"""A state directory with managers that come and go on it, and what they ask of CAs."""

import collections.abc
import pathlib
import threading
import typing

from cryptography import x509

from daemun.certs import certificate_manager
from daemun.certs.acme import acme_accounts
from daemun.certs.served import bundle as bundle_
from daemun.certs.served import live_folder
from daemun.control import stored_values
from daemun.control.lease import Lease
from daemun.core import layout, model
from daemun.store import file_store
from tests.support import clock, pebble


class StateDirectory:
    """With the store, the clock and the paths that managers use which come and go on it.

    options: of each manager, unless it gets others.
    """

    def __init__(self, state: pathlib.Path, **options: typing.Any) -> None:
        self.paths = layout.Layout(str(state))
        self.live = pathlib.Path(self.paths.live)
        self.store = file_store.FileStore(pathlib.Path(self.paths.store))
        self.clock = clock.FakeClock()
        self._options = options

    @property
    def thumbprint(self) -> str:
        """Of the account's key, which is made here if there is none yet."""
        return acme_accounts.thumbprint(acme_accounts.load_or_create_key(self.store))

    def new_manager(self, **options: typing.Any) -> certificate_manager.Manager:
        return certificate_manager.Manager(self.store, self.paths, self.clock, **{**self._options, **options})

    async def manager(
        self, acme: model.Acme, *specs: model.CertificateSpec, **options: typing.Any
    ) -> certificate_manager.Manager:
        """That has prepared these certificates."""
        certs = self.new_manager(**options)
        certs.configure(acme)
        assert await certs.prepare(specs) == ()
        await certs.confirm()
        return certs

    def write(self, name: str, content: bytes) -> str:
        """A file beside the store. Returns its path."""
        path = pathlib.Path(self.paths.state) / name
        path.write_bytes(content)
        return str(path)

    def bundle(self, name: str) -> bundle_.Bundle:
        """What nginx serves."""
        found = live_folder.read(self.live, name)
        assert found is not None
        return found

    def leaf(self, name: str) -> x509.Certificate:
        """Of the certificate that nginx serves."""
        return self.bundle(name).leaf


class StoreThatStops(file_store.FileStore):
    """Of this state directory; sets `stop` as if daemun were killed right after the order came into the store."""

    def __init__(self, of: StateDirectory) -> None:
        super().__init__(pathlib.Path(of.paths.store))
        self.stop = threading.Event()

    def commit(
        self, changes: collections.abc.Collection[stored_values.KeyChange], *, lease: Lease | None = None
    ) -> None:
        super().commit(changes, lease=lease)
        if any(change.key.endswith("order.json") for change in changes):
            self.stop.set()


def spec(*names: str, **ordering: typing.Any) -> model.CertificateSpec:
    return model.CertificateSpec(
        name=names[0],
        host=names[0],
        names=names,
        mode=model.TlsMode.ACME,
        ordering=model.Ordering(**ordering),
    )


def authority(ca: pebble.Pebble, **options: typing.Any) -> model.Authority:
    return model.Authority(**{"directory": ca.directory, "ca_file": str(ca.ca_file), **options})


def asking(*authorities: model.Authority | pebble.Pebble) -> model.Acme:
    """These CAs, in this order."""
    chosen = (one if isinstance(one, model.Authority) else authority(one) for one in authorities)
    return model.Acme(authorities=tuple(chosen))
