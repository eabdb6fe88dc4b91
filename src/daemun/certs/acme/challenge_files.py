"""HTTP-01 proofs that nginx does not give by itself, as files that it prefers to its own answer (DESIGN.md decision 8).

nginx answers with the thumbprint of the shared account key it was configured with. Accounts with keys of their own
(imported ones), and all of them between a new shared key and the reload that brings it to nginx, need a file each.
"""

import collections.abc
import contextlib
import os
import pathlib
import re
import secrets
import time

import structlog

from daemun import causes, errors, regular_files
from daemun.certs.acme import prover_port

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LEFT_BEHIND_S = 3600.0
"""A file of ours that is older belongs to an order that a killed daemun began: no CA looks at it any more."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}\Z")
_LONGEST_BYTES = 512


class ChallengeFiles:
    """`prover_port.Prover` for HTTP-01.

    answered: the thumbprint that nginx answers with now; None: not known, so that every proof gets a file.
    worker_gid: the group of nginx's workers; None: they run as the same account.
    """

    def __init__(
        self, folder: pathlib.Path, answered: collections.abc.Callable[[], str | None], *, worker_gid: int | None
    ) -> None:
        self._folder = folder
        self._answered = answered
        self._worker_gid = worker_gid

    def present(self, proofs: collections.abc.Sequence[prover_port.Proof]) -> None:
        for proof in proofs:
            if proof.content != f"{proof.token}.{self._answered()}":
                self._write(self._path(proof), proof)

    def remove(self, proofs: collections.abc.Sequence[prover_port.Proof]) -> None:
        for proof in proofs:
            try:
                self._path(proof).unlink(missing_ok=True)
            except (OSError, errors.RetryableError) as error:
                log.warning("a proof is left behind", host=proof.host, reason=str(error))

    def sweep(self, thumbprints: collections.abc.Collection[str]) -> None:
        """Remove what a killed daemun left behind. thumbprints: of our accounts, by which its files are known from
        those of other ACME clients."""
        before = time.time() - LEFT_BEHIND_S
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                with contextlib.suppress(OSError):
                    is_old = path.is_file() and not path.is_symlink() and path.stat().st_mtime < before
                    if is_old and _thumbprint_in(path) in thumbprints:
                        path.unlink()

    def _path(self, proof: prover_port.Proof) -> pathlib.Path:
        """Raises: RetryableError: the CA's token is none, and could lead anywhere."""
        if not _TOKEN.match(proof.token):
            raise errors.RetryableError(
                f'cannot validate "{proof.host}": the CA gave a token of other characters than RFC 8555 section 8.3 '
                "allows; check that `acme.directory` is the URL of a CA"
            )
        return self._folder / proof.token

    def _write(self, path: pathlib.Path, proof: prover_port.Proof) -> None:
        draft = path.with_name(f".~{secrets.token_hex(8)}")  # no token begins like this: nginx never gives it away
        try:
            self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            with contextlib.ExitStack() as undo:
                undo.callback(draft.unlink, missing_ok=True)
                draft.write_text(proof.content)
                if self._worker_gid is not None:
                    os.chown(draft, -1, self._worker_gid)
                draft.chmod(0o640)
                draft.replace(path)
        except OSError as error:
            raise errors.RetryableError(
                f'cannot show the CA that "{proof.host}" is ours: cannot write "{path}" '
                f"({causes.describe(error)}); free some space, or correct the rights of its folder"
            ) from error


def _thumbprint_in(path: pathlib.Path) -> str | None:
    """Of the account whose proof the file is; None: it is something else."""
    content = regular_files.read(path, _LONGEST_BYTES)
    token, _, thumbprint = content.decode("ascii", "replace").partition(".")
    return thumbprint if token == path.name else None
