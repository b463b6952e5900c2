"""`make screenshots`: every page at 360 and 1440 px as docs/screenshots/PAGE-WIDTH.png, from seeded data.

What stands on the pages is made up, under reserved names. A picture is kept with at most 256 colours, which
text on plain ground does not exceed by much.
"""

import io
import tempfile
from pathlib import Path

from PIL import Image

from tests.programs.browser import Window, chromium, window
from tests.web.seeded import seeded
from tests.web.test_accessible import NARROW, SCREENSHOTS, WIDE, visit
from tests.web.visits import VISITS

_TALLEST = 2200
"""Pixels of a page that are shown."""


def small(png: bytes) -> bytes:
    """The same picture with a palette."""
    packed = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def picture(view: Window) -> bytes:
    """The page from its top, as far as is shown."""
    page = view.page
    size = page.viewport_size or WIDE
    height = min(_TALLEST, max(size["height"], page.evaluate("document.documentElement.scrollHeight")))
    clip = {"x": 0, "y": 0, "width": size["width"], "height": height}
    return page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]


def main() -> None:
    """Make all of them anew."""
    SCREENSHOTS.mkdir(exist_ok=True)
    for old in SCREENSHOTS.glob("*.png"):
        old.unlink()
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium() as browser,
        seeded(Path(folder) / "home") as world,
        window(browser, world.service, reduced_motion="reduce") as view,
    ):
        for one in VISITS:
            for size in (NARROW, WIDE):
                view.page.set_viewport_size(size)
                visit(view, world, one)
                file = SCREENSHOTS / f"{one.name}-{size['width']}.png"
                file.write_bytes(small(picture(view)))
    total = sum(file.stat().st_size for file in SCREENSHOTS.glob("*.png"))
    print(f"{2 * len(VISITS)} pictures, {total / 1e6:.1f} MB, in {SCREENSHOTS}")


if __name__ == "__main__":
    main()
