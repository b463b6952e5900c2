"""axe-core in a page of Chromium: what is at fault by WCAG 2.2 AA and by axe's own good practice.

Its source comes from npm, as the lock of tests/foreign/axe-core says, and is evaluated by the debugger, which
no policy of a page hinders; the page's own policy stays in force.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.programs.node import NPM, Package

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """async (tags) => {
  const found = await axe.run(document, {
    runOnly: {type: "tag", values: tags}, rules: {"target-size": {enabled: true}},
  });
  return found.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.target.join(" ")}`));
}"""


def source(folder: Path) -> str:
    """The script. Skips the test where npm is not installed."""
    if NPM is None:
        pytest.skip("npm is not installed")
    package = Package("axe-core", folder)
    package.install()
    return (package.folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


def violations(page: Page, script: str) -> list[str]:
    """Rule and element of each fault."""
    page.evaluate(script)
    found: list[str] = page.evaluate(_RUN, _TAGS)
    return found
