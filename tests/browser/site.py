"""The site in a real browser, with every outside host blocked.

    make test-site                        build/site, every page and every deck

Each page, 1280 and 390 pixels wide: no failed request, no error on the console, every
formula drawn, no sideways scrolling, an alt text for every picture. Each deck, as the
speaker pages through it: nothing cut off, nothing below 24 pixels, no empty slide, no
more slides than its minutes allow. Screenshots land in build/browser/.
"""

import sys
from pathlib import Path

from around import SHOTS, chromium, served
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from course import COURSE  # noqa: E402

SITE = ROOT / "build" / "site"
WIDTHS = (1280, 390)
SLIDES = {"00_intro": 20}  # at most; a slide a minute for the others
SMALLEST = 24  # pixels of text on a slide
FORMULAS = 30_000  # milliseconds to draw them

PAGE_FAULTS = """() => {
    const found = [];
    const wide = document.documentElement.scrollWidth - innerWidth;
    if (wide > 1) {
        const guilty = [...document.querySelectorAll('article *')].filter(
            e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('pre, table, mjx-container'));
        found.push(`scrolls sideways by ${wide} pixels: ` + guilty.slice(0, 2).map(
            e => e.tagName + ' ' + e.textContent.trim().slice(0, 60)).join(' | '));
    }
    for (const image of document.querySelectorAll('article img'))
        if (!image.alt || !image.alt.trim() || /\\.(png|svg)$/.test(image.alt))
            found.push('a picture without alt text: ' + image.src.slice(-40));
    for (const e of document.querySelectorAll('.math'))
        if (!e.querySelector('mjx-container'))
            found.push('a formula is not drawn: ' + e.textContent.slice(0, 60));
    for (const e of document.querySelectorAll('mjx-merror, [data-mml-node=merror]'))
        found.push('a formula is wrong: ' + e.textContent.slice(0, 60));
    return found;
}"""

SLIDE_FAULTS = """smallest => {
    const found = [];
    const page = document.querySelector('section.present section.present .page');
    const scale = Reveal.getScale();
    const box = page.getBoundingClientRect();
    const parts = [...page.querySelectorAll(
        '.text_cell_render, pre, img, table, mjx-container, .output_html > *')].filter(
        e => !e.closest('aside'));
    for (const e of parts) {
        const r = e.getBoundingClientRect();
        const over = Math.max(r.bottom - box.bottom, r.right - box.right) / scale;
        if (over > 2 || (e.tagName == 'PRE' && e.scrollWidth > e.clientWidth + 2))
            found.push(`${e.tagName} is cut off by ${Math.round(over)}: ` + e.textContent.slice(0, 50));
        if (e.tagName == 'IMG' && r.height / scale < 180)
            found.push('a picture is squeezed to ' + Math.round(r.height / scale) + ' pixels');
    }
    const walk = document.createTreeWalker(page, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const e = walk.currentNode.parentElement;
        if (!walk.currentNode.textContent.trim() || e.closest('aside, mjx-container, .output_html')) continue;
        const size = parseFloat(getComputedStyle(e).fontSize);
        if (size < smallest) { found.push(`text of ${size} pixels: ` + e.textContent.slice(0, 40)); break; }
    }
    const said = parts.map(e => e.tagName == 'IMG' ? 'a whole picture' : e.textContent.trim()).join('');
    if (said.length < 12) found.push('is nearly empty');
    return found;
}"""


class Watched:
    """A page that may ask this site alone, and what went wrong in it."""

    def __init__(self, browser, address, width, height=900):
        self.page = browser.new_page(viewport={"width": width, "height": height})
        self.trouble = []
        self.page.route("**/*", lambda route: self.gate(route, address))
        self.page.on("console", self.heard)
        self.page.on("pageerror", lambda error: self.trouble.append(f"error: {error}"))
        self.page.on("response", self.answered)

    def gate(self, route, address):
        if route.request.url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            self.trouble.append(f"asks another host: {route.request.url}")
            route.abort()

    def heard(self, message):
        if message.type == "error":
            self.trouble.append(f"console: {message.text}")

    def answered(self, response):
        if response.status >= 400:
            self.trouble.append(f"{response.status} for {response.url}")


def check_page(browser, address, name, width):
    watched = Watched(browser, address, width)
    page = watched.page
    page.goto(f"{address}/{name}", wait_until="load")
    page.wait_for_function(
        "() => !window.MathJax || (MathJax.startup && MathJax.startup.promise)",
        timeout=FORMULAS,
    )
    page.evaluate("() => window.MathJax ? MathJax.startup.promise : null")
    faults = watched.trouble + page.evaluate(PAGE_FAULTS)
    shot = name.replace("/", "-").removesuffix(".html")
    page.screenshot(path=SHOTS / f"site-{shot}-{width}.png")
    page.close()
    return [f"{name}, {width} pixels: {fault}" for fault in faults]


def check_deck(browser, address, part):
    watched = Watched(browser, address, 1280, 720)
    page = watched.page
    page.goto(f"{address}/slides/{part.name}.html", wait_until="load")
    page.wait_for_function(
        "() => document.body.classList.contains('ready')", timeout=FORMULAS
    )
    count = page.evaluate("Reveal.getTotalSlides()")
    faults = []
    if count > SLIDES.get(part.name, part.minutes):
        faults.append(f"{count} slides for {part.minutes} minutes")
    for number in range(count):
        page.evaluate(
            "n => { const s = Reveal.getSlides()[n], i = Reveal.getIndices(s);"
            " Reveal.slide(i.h, i.v, 99); }",
            number,
        )
        page.wait_for_timeout(60)
        found = page.evaluate(SLIDE_FAULTS, SMALLEST)
        faults += [f"slide {number + 1}: {fault}" for fault in found]
        page.screenshot(path=SHOTS / f"slides-{part.name}-{number + 1:02}.png")
    page.close()
    print(f"slides/{part.name}.html: {count} slides", flush=True)
    return [f"{part.name}, {fault}" for fault in faults + watched.trouble]


def main(only):
    SHOTS.mkdir(parents=True, exist_ok=True)
    names = sorted(
        path.relative_to(SITE).as_posix()
        for path in SITE.rglob("*.html")
        if path.relative_to(SITE).parts[0]
        not in ("slides", "live", "_static", "_modules")
    )
    faults = []
    with sync_playwright() as playwright, served(SITE) as address:
        address = address.rstrip("/")
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox"]
        )
        for name in names if not only or "pages" in only else ():
            for width in WIDTHS:
                faults += check_page(browser, address, name, width)
        for part in COURSE:
            if not only or part.name in only:
                faults += check_deck(browser, address, part)
        browser.close()
    print("\n".join(faults) or f"{len(names)} pages and {len(COURSE)} decks: no fault")
    return min(len(faults), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
