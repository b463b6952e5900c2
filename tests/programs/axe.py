"""axe-core in a page of Chromium: what is at fault by WCAG 2.2 AA and by axe's own good practice.

Its source comes from npm, as the lock of tests/foreign/axe-core says, and is evaluated by the debugger, which
no policy of a page hinders; the page's own policy stays in force.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.programs.node import NPM, Package

_EVERYTHING = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
_LOOKS = {"type": "rule", "values": ["color-contrast", "target-size", "scrollable-region-focusable"]}
"""What may come out another way in other colours or at another width."""
_RUN = """async (runOnly) => {
  const found = await axe.run(document, {runOnly, rules: {"target-size": {enabled: true}}});
  return found.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.target.join(" ")}`));
}"""


def source(folder: Path) -> str:
    """The script. Skips the test where npm is not installed."""
    if NPM is None:
        pytest.skip("npm is not installed")
    package = Package("axe-core", folder)
    package.install()
    return (package.folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


def violations(page: Page, script: str, looks_only: bool = False) -> list[str]:
    """Rule and element of each fault; with `looks_only` of those that depend on colours and width."""
    page.evaluate(script)
    found: list[str] = page.evaluate(_RUN, _LOOKS if looks_only else _EVERYTHING)
    return found
