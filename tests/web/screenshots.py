"""`make screenshots`: every page at 360 and 1440 px as docs/screenshots/PAGE-WIDTH.png, from seeded data.

What stands on the pages is made up, under reserved names. A picture is kept with at most 256 colours, which
text on plain ground does not exceed by much: the browser counts them, and a palette PNG is written here
(PNG Specification, third edition, sections 9 and 11).
"""

import base64
import struct
import tempfile
import zlib
from pathlib import Path

from playwright.sync_api import Page

from tests.programs.browser import Window, chromium, window
from tests.web.seeded import seeded
from tests.web.test_accessible import NARROW, SCREENSHOTS, WIDE, visit
from tests.web.visits import VISITS

_TALLEST = 2200
"""Pixels of a page that are shown."""
_COUNT = """async (png) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height), brush = canvas.getContext("2d");
  brush.drawImage(image, 0, 0);
  const raw = brush.getImageData(0, 0, image.width, image.height).data, out = new Uint8Array(raw.length / 4);
  for (let bits = 8; ; bits--) {
    const mask = 256 - (1 << (8 - bits)), seen = new Map();
    for (let at = 0; at < out.length && seen.size <= 256; at++) {
      const key = ((raw[4 * at] & mask) << 16) | ((raw[4 * at + 1] & mask) << 8) | (raw[4 * at + 2] & mask);
      if (!seen.has(key)) seen.set(key, [seen.size, raw[4 * at], raw[4 * at + 1], raw[4 * at + 2]]);
      out[at] = seen.get(key)[0];
    }
    if (seen.size > 256) continue;
    let text = "";
    for (let at = 0; at < out.length; at += 8192) text += String.fromCharCode(...out.subarray(at, at + 8192));
    return [image.width, [...seen.values()].map((one) => one.slice(1)), btoa(text)];
  }
}"""


def small(blank: Page, png: bytes) -> bytes:
    """The same picture with a palette; `blank` is a page without a policy."""
    width, palette, text = blank.evaluate(_COUNT, base64.b64encode(png).decode())
    points = base64.b64decode(text)
    lines = b"".join(b"\0" + points[at : at + width] for at in range(0, len(points), width))
    head = struct.pack(">IIBBBBB", width, len(points) // width, 8, 3, 0, 0, 0)
    colours = bytes(part for colour in palette for part in colour)
    parts = ((b"IHDR", head), (b"PLTE", colours), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


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
    ):
        blank = browser.new_page()
        with window(browser, world.service, reduced_motion="reduce") as view:
            for one in VISITS:
                for size in (NARROW, WIDE):
                    view.page.set_viewport_size(size)
                    visit(view, world, one)
                    file = SCREENSHOTS / f"{one.name}-{size['width']}.png"
                    file.write_bytes(small(blank, picture(view)))
    total = sum(file.stat().st_size for file in SCREENSHOTS.glob("*.png"))
    print(f"{2 * len(VISITS)} pictures, {total / 1e6:.1f} MB, in {SCREENSHOTS}")


if __name__ == "__main__":
    main()
