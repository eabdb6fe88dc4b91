"""A program of Debian's newest packages, unpacked beside the system with the libraries that it needs."""

import pathlib
import shutil
import tempfile

from daemun.nginx.builds import debian_packages, install_build


def unpack(package: str, program: str, folder: pathlib.Path) -> pathlib.Path:
    """program: its path in the package, "usr/bin/openssl". folder: a new one, or one where it was unpacked before.

    Blocking, seconds. Raises: EnvironmentProblemError when it cannot be had.
    """
    if not (folder / program).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            staging = pathlib.Path(name)
            fetched = debian_packages.fetch(
                staging,
                mirror=None,
                suites=debian_packages.SUITES,
                accept_expired=True,
                program=package,
                modules=(),
            )
            tree = staging / "tree"
            tree.mkdir(mode=0o755)
            install_build.unpack(fetched.files, tree)
            install_build.relocate(tree, folder, program)
            shutil.rmtree(folder, ignore_errors=True)
            tree.rename(folder)
    return folder / program
