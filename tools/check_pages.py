"""Open a built site in Chromium, as a reader would, and check what only a browser can tell.

usage: python tools/check_pages.py build/site [--pictures DIR]

Every page is loaded at the width of a desk and of a phone: no error in the console, no request that fails, no picture
missing, nothing wider than a phone. A search has to find pages, the copy button to copy, thumbnails to show, solutions
to unfold, the dark scheme to be dark. No page may ask anything of another host. --pictures saves pictures of some of
them.

Needs Playwright (the extra "docs") and Chromium (Debian's package "chromium"). Where either is missing, it says so and
checks nothing.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WIDTHS = {"desk": (1280, 800), "phone": (400, 800)}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SHOWN = ("index", "course/index", "course/plot_06_svm", "guides/choosing", "reference/index", "api/fastclf.KNN")


class Quiet(SimpleHTTPRequestHandler):
    """A server that does not tell of each request."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve a folder; yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=root)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Reader:
    """A browser's page at one width, and what went wrong in it."""

    def __init__(self, browser: Any, address: str, width: str, scheme: str = "light") -> None:
        size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
        self.context = browser.new_context(viewport=size, color_scheme=scheme)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
        self.page = self.context.new_page()
        self.address, self.width, self.where, self.wrong = address, width, "", list[str]()
        self.page.on("console", lambda message: self.note(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.note(str(error)))
        self.page.on("requestfailed", lambda request: self.note(f"not loaded: {request.url}"))
        self.page.on("request", lambda request: self.ask(request.url))

    def note(self, line: str) -> None:
        """Keep a line about the page that is open."""
        self.wrong.append(f"{self.where} ({self.width}): {line}")

    def ask(self, url: str) -> None:
        """Note a request of another host."""
        if not url.startswith((self.address, "data:", "blob:")):
            self.note(f"asks another host: {url}")

    def open(self, name: str) -> None:
        """Load a page, and every picture on it."""
        self.where = name
        self.page.goto(f"{self.address}/{name}", wait_until="load")
        self.page.evaluate("for (const image of document.images) image.loading = 'eager'")
        self.page.wait_for_function("[...document.images].every(image => image.complete)")

    def expect(self, so: bool, otherwise: str) -> None:
        """Note what is not as it should be."""
        if not so:
            self.note(otherwise)


def check_page(reader: Reader, name: str) -> None:
    """Check one page's pictures and width."""
    reader.open(name)
    missing = "[...document.images].filter(image => image.naturalWidth == 0).map(image => image.src)"
    for source in reader.page.evaluate(missing):
        reader.note(f"missing picture: {source}")
    wide = reader.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    reader.expect(wide <= 0, f"{wide} pixels wider than the window")


def check_search(reader: Reader) -> None:
    """Look for a word that several pages have."""
    reader.open("search.html?q=hinge")
    reader.page.wait_for_selector("ul.search li a", timeout=20_000)
    reader.page.wait_for_load_state("networkidle")  # it fetches what it found
    found = reader.page.eval_on_selector_all("ul.search li a", "links => links.map(link => link.href)")
    reader.expect(any("fastclf.losses.hinge" in link for link in found), "a search does not find 'hinge'")


def check_course(reader: Reader) -> None:
    """Check thumbnails, the copy button and a folded solution."""
    reader.open("course/index.html")
    pages = reader.page.locator(".sphx-glr-thumbcontainer img")
    sizes = pages.evaluate_all("images => images.map(image => image.naturalWidth * image.clientWidth)")
    reader.expect(len(sizes) >= 10 and all(sizes), f"thumbnails do not show: {sizes}")
    reader.open("course/plot_06_svm.html")
    code = reader.page.locator("div.highlight pre").first
    code.hover()
    reader.page.locator("button.copybtn").first.click()
    copied = reader.page.evaluate("navigator.clipboard.readText()")
    reader.expect(copied.strip() == code.inner_text().strip(), f"copied {copied[:40]!r}")
    solution = reader.page.locator("details.solution").first
    inside = solution.locator("div.highlight").first
    reader.expect(not inside.is_visible(), "a solution is open")
    solution.locator("summary").click()
    reader.expect(inside.is_visible(), "a solution does not unfold")


def check_dark(reader: Reader) -> None:
    """Check that the background is dark and the text light."""
    reader.open("index.html")
    shade = "name => getComputedStyle(document.body)[name].match(/\\d+/g).slice(0, 3).reduce((sum, x) => sum + +x, 0)"
    back, text = (reader.page.evaluate(shade, name) for name in ("backgroundColor", "color"))
    reader.expect(back < 200 < 500 < text, f"not dark: background {back}, text {text} of 765")


def save(reader: Reader, folder: Path, scheme: str) -> None:
    """Save pictures of some pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SHOWN:
        reader.open(f"{name}.html")
        file = folder / f"{name.replace('/', '-')}-{reader.width}-{scheme}.png"
        reader.page.screenshot(path=file, full_page=reader.width == "desk")


def checked(browser: Any, address: str, root: Path, pictures: Path | None) -> list[str]:
    """Return what is wrong with a site."""
    wrong = []
    names = sorted(str(file.relative_to(root)) for file in root.rglob("*.html") if "_static" not in file.parts)
    for width in WIDTHS:
        reader = Reader(browser, address, width)
        for name in names:
            check_page(reader, name)
        check_search(reader)
        if width == "desk":
            check_course(reader)
        dark = Reader(browser, address, width, "dark")
        check_dark(dark)
        if pictures is not None:
            save(reader, pictures, "light")
            save(dark, pictures, "dark")
        wrong += reader.wrong + dark.wrong
        reader.context.close()
        dark.context.close()
    print(f"{len(names)} pages at {len(WIDTHS)} widths")
    return wrong


def main() -> int:
    """Check the site; fail if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path)
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="save pictures of some pages")
    options = parser.parse_args()
    if not (options.site / "index.html").is_file():
        parser.error(f"{options.site}: holds no index.html")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("pages were NOT opened in a browser: Playwright is missing (pip install '.[docs]')")
        return 0
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        print(f"pages were NOT opened in a browser: there is none of {', '.join(BROWSERS)} (apt-get install chromium)")
        return 0
    root = options.site.resolve()
    with served(root) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        wrong = checked(browser, address, root, options.pictures)
        browser.close()
    print("\n".join(wrong) or "all is as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
