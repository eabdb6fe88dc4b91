"""axe-core, which finds what of a page not everybody can use (WCAG 2.2 A and AA), in a tab of the tests' browser."""

import functools
import json

from scripts import frontend
from tests.support import browser

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@functools.cache
def _script() -> str:
    """The version of frontend/package-lock.json."""
    return (frontend.install_packages() / "axe-core/axe.min.js").read_text()


async def find_faults(page: browser.Page) -> list[str]:
    """What axe finds in the page as it is now: rule, element, why."""
    await page.value(f"{_script()};1")
    options = json.dumps({"runOnly": _RULES, "resultTypes": ["violations"]})
    found = await page.value(f"axe.run({options}).then((result) => JSON.stringify(result.violations))")
    return [
        f"{rule['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for rule in json.loads(found)
        for node in rule["nodes"]
    ]
