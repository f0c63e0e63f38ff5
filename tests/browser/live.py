"""Draw on the live page in headless Chromium, with every outside host blocked.

    .venv-browser/bin/python tests/browser/live.py --pyodide FOLDER [--page FOLDER]

Builds the page with the Pyodide in FOLDER (or takes the built one: --page
build/site/live), serves it, and at 1280 and 390 pixels, light and dark, checks that

1. Python is ready within 10 s, and a stroke is answered within 50 ms in the worker;
2. ten drawn digits are read, at least nine rightly by LeNet; LIME takes 2 s at most;
3. why, shift, erase, thicken, noise, fool, undo and clear do what they say, by mouse and by
   keys;
4. nothing is requested from elsewhere, nothing scrolls sideways, the console is silent;
5. without Python, without WebAssembly and with a wrong file the page says so.

Screenshots land in build/browser/, for somebody to look at.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from around import SHOTS, chromium, served
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests"))

from strokes import DIGITS  # noqa: E402

VIEWS = {  # name: (width, height, colours, finger)
    "1280": (1280, 800, "light", False),
    "1280-dark": (1280, 800, "dark", False),
    "390": (390, 844, "light", True),
    "390-dark": (390, 844, "dark", True),
}
READY, ANSWER, WHY = 10_000, 50, 2_000  # milliseconds, in the quickest of four visits


@contextlib.contextmanager
def opened(browser, address, view="1280", script=None, answer=None):
    """A page, and a list of what went wrong: console, errors, requests elsewhere.

    `answer(route)` may answer a request itself, and returns whether it did.
    """
    width, height, colours, finger = VIEWS[view]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=colours,
        has_touch=finger,
    )
    page = context.new_page()
    wrong = []

    def only_here(route):
        if not route.request.url.startswith((address, "data:", "blob:")):
            wrong.append(f"asked for {route.request.url}")
            route.abort()
        elif not (answer and answer(route)):
            route.continue_()

    context.route("**/*", only_here)
    page.on("console", lambda m: wrong.append(f"console {m.type}: {m.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    if script:
        page.add_init_script(script)
    page.goto(address)
    try:
        yield page, wrong
    finally:
        context.close()


def said(page, kind, task=None):
    """What the worker said of one kind, the last first."""
    found = [m for m in page.evaluate("log") if m["kind"] == kind]
    return [m for m in found[::-1] if task is None or m["task"] == task]


def until(page, true, seconds):
    """Wait for an expression; the page's own policy forbids wait_for_function."""
    end = time.monotonic() + seconds
    while not page.evaluate(true):
        assert time.monotonic() < end, f"not within {seconds} s: {true}"
        page.wait_for_timeout(10)


def ready(page):
    until(page, "log.some(m => ['ready', 'failed'].includes(m.kind))", 60)
    assert not said(page, "failed"), said(page, "failed")[0]["text"]
    (message,) = said(page, "ready")
    return message["loading"] + message["starting"]


def rest(page):
    """Wait until every question is answered, and no Python stumbled."""
    until(page, "answering === 0 && !drawingWaits", 20)
    assert not said(page, "wrong"), said(page, "wrong")


def draw(page, strokes, board="#drawing"):
    canvas = page.locator(f"{board} canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for stroke in strokes:
        for i, (x, y) in enumerate(stroke):
            page.mouse.move(
                box["x"] + float(x) * box["width"], box["y"] + float(y) * box["height"]
            )
            if i == 0:
                page.mouse.down()
        page.mouse.up()
    rest(page)


def best(page, network="lenet"):
    return page.evaluate(
        "name => [...$(name).children].findIndex(row => row.className === 'best')",
        network,
    )


def pixels(page, selector="#seen canvas"):
    """A picture of 28 x 28 on the page: (28, 28, 4)."""
    found = page.evaluate(
        "s => [...document.querySelector(s).getContext('2d').getImageData(0, 0, 28, 28).data]",
        selector,
    )
    return np.array(found).reshape(28, 28, 4)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()
    rest(page)


def screenshot(page, name):
    page.wait_for_timeout(900)  # the sentence comes when the pen rests
    page.screenshot(path=SHOTS / f"live-{name}.png", full_page=True)


def no_sideways(page):
    wide = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide[0] <= wide[1], f"the page scrolls sideways: {wide}"


def reads_ten_digits(page):
    right = {"lenet": 0, "nn": 0}
    for digit, strokes in DIGITS.items():
        press(page, "Clear")
        draw(page, strokes)
        for name in right:
            right[name] += best(page, name) == digit
    assert right["lenet"] >= 9, right
    return right, [m["ms"] for m in said(page, "done", "draw")]


def explains(page, view):
    """Both networks, two pictures each, both colours; returns how long it took."""
    press(page, "Clear")
    draw(page, DIGITS[4])
    for network in ("784-128-10", "LeNet"):
        page.get_by_label(network, exact=True).check()
        press(page, "Why?")
        assert page.locator("#evidence figure").count() == 2
        shown = pixels(page, "#evidence canvas").astype(int)
        assert (shown[..., 2] > shown[..., 0] + 60).any(), "no blue"
        screenshot(page, f"{view}-why-{network}")
        page.get_by_text("asked 1,000 times. For 4").wait_for()
        no_sideways(page)
    return [m["ms"] for m in said(page, "done", "why")]


def changes(page, view):
    """Every button does what it says to the picture."""
    drawn = pixels(page)
    press(page, "Shift right")
    press(page, "Shift down")
    assert (pixels(page) == np.roll(drawn, (1, 1), (0, 1))).all()
    press(page, "Shift up")
    press(page, "Shift left")
    assert (pixels(page) == drawn).all()
    press(page, "Thicken")
    thick = pixels(page)
    assert (thick <= drawn).all() and (thick < drawn).any()
    press(page, "Add noise")
    assert (pixels(page) != thick).any(axis=2).mean() > 0.3
    screenshot(page, f"{view}-noise")
    press(page, "As drawn")
    assert (pixels(page) == drawn).all()
    draw(page, [[(0.1, 0.5), (0.3, 0.5), (0.5, 0.5), (0.7, 0.5), (0.9, 0.5)]], "#seen")
    assert (pixels(page)[14, [3, 8, 14, 19, 25], 0] == 255).all()
    assert (pixels(page) != drawn).any()
    screenshot(page, f"{view}-erased")
    press(page, "As drawn")
    before = best(page)
    press(page, "Fool it")
    assert best(page) != before and page.locator("#evidence figure").count() == 1
    page.get_by_text("is enough: LeNet said 4").wait_for()
    screenshot(page, f"{view}-fooled")
    no_sideways(page)


def keys(page):
    """A one drawn with arrows and space; taken back; a part of the picture erased."""
    press(page, "Clear")
    assert best(page) == -1
    canvas = page.locator("#drawing canvas")
    canvas.focus()
    for key, times in [("ArrowUp", 9), (" ", 1), ("ArrowDown", 18), (" ", 1)]:
        for _ in range(times):
            page.keyboard.press(key)
    rest(page)
    assert best(page) == 1 and best(page, "nn") == 1
    expect(page.locator("#told")).to_contain_text("LeNet says 1", timeout=3000)
    page.locator("#seen canvas").focus()
    whole = pixels(page)
    for _ in range(11):  # from where the mouse left it
        page.keyboard.press("ArrowLeft")
    page.keyboard.press(" ")
    rest(page)
    erased = pixels(page)
    assert (erased != whole).any() and (erased[13:15, 13:15] == 255).all()
    canvas.focus()
    page.keyboard.press("Backspace")
    rest(page)
    assert best(page) == -1 and (pixels(page) == 255).all()
    draw(page, DIGITS[4])
    press(page, "Undo stroke")
    assert page.evaluate("strokes.length") == 1


def walk(browser, address, view):
    with opened(browser, address, view) as (page, wrong):
        # Before Python is there: the example.
        assert best(page) == 3 and page.locator("#evidence figure").count() == 2
        no_sideways(page)
        page.screenshot(path=SHOTS / f"live-{view}-at-once.png", full_page=True)
        taken = ready(page)
        right, answers = reads_ten_digits(page)
        lime = explains(page, view)
        changes(page, view)
        keys(page)
        no_sideways(page)
        assert not wrong, "\n".join(wrong)
    print(
        f"{view}: ready after {taken / 1000:.1f} s; {len(answers)} answers in "
        f"{np.median(answers):.0f} ms (median), {max(answers):.0f} at most; LIME in "
        f"{lime[0] / 1000:.2f} (LeNet) and {lime[1] / 1000:.2f} s; right of ten: LeNet "
        f"{right['lenet']}, 784-128-10 {right['nn']}",
        flush=True,
    )
    return taken, np.median(answers), max(lime)


def touches(browser, address):
    """A finger draws and does not scroll the page."""
    with opened(browser, address, "390") as (page, wrong):
        ready(page)
        session = page.context.new_cdp_session(page)
        box = page.locator("#drawing canvas").bounding_box()
        for i in range(12):
            x = box["x"] + box["width"] * 0.5
            y = box["y"] + box["height"] * (0.2 + 0.05 * i)
            session.send(
                "Input.dispatchTouchEvent",
                {
                    "type": "touchMove" if i else "touchStart",
                    "touchPoints": [{"x": x, "y": y}],
                },
            )
        session.send(
            "Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []}
        )
        rest(page)
        assert best(page) == 1, best(page)
        assert page.evaluate("scrollY") == 0, "the finger scrolled the page"
        assert not wrong, "\n".join(wrong)


def missing(browser, address):
    """What the page says when Python cannot come, and that it can be asked again."""

    def says(text, **how):
        with opened(browser, address, **how) as (page, _):
            sentence = page.locator("#message.failed")
            sentence.wait_for(timeout=20_000)
            assert text in sentence.inner_text(), sentence.inner_text()
            assert "below is an example" in sentence.inner_text()
            assert best(page) == 3, "the example stays"
            no_sideways(page)
            yield page

    broken = []

    def cut(route):
        if broken and route.request.url.endswith(".wasm"):
            route.abort()
            return True
        return False

    broken.append(True)
    for page in says("pyodide.asm.wasm did not come from 127.0.0.1", answer=cut):
        screenshot(page, "1280-no-python")
        broken.clear()
        page.evaluate("log.length = 0")
        page.get_by_role("button", name="Try again").click()
        ready(page)
        draw(page, DIGITS[1])
        assert best(page) == 1

    def forge(route):
        if route.request.url.endswith("pyodide.asm.js"):
            route.fulfill(body="postMessage('mine')", content_type="text/javascript")
            return True
        return False

    for page in says("is not the expected file, so it is not run", answer=forge):
        assert "mine" not in page.evaluate("log")

    def no_worker(route):
        if "worker.js" in route.request.url:
            route.abort()
            return True
        return False

    for page in says("the network does not answer", view="390", answer=no_worker):
        screenshot(page, "390-no-python")
    for _ in says("it has no WebAssembly", script="delete window.WebAssembly"):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pyodide", type=Path, help="a folder with Pyodide's files")
    parser.add_argument("--page", type=Path, help="a page that is built, with Python")
    parser.add_argument(
        "--slow", type=float, default=1, help="how much slower this machine may be"
    )
    options = parser.parse_args()
    if not (options.pyodide or options.page):
        parser.error("say where Python is: --pyodide FOLDER, or --page FOLDER")
    SHOTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = options.page
        if folder is None:
            folder = Path(scratch) / "live"
            build = [sys.executable, str(ROOT / "tools" / "live.py"), str(folder)]
            subprocess.run([*build, "--pyodide", str(options.pyodide)], check=True)
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox"]
        )
        with served(folder) as address:
            # Other work on the machine makes a visit slow; the page can only do so in each.
            times = np.min([walk(browser, address, view) for view in VIEWS], axis=0)
            limits = options.slow * np.array([READY, ANSWER, WHY])
            assert (times < limits).all(), f"too slow: {times} ms, limits {limits}"
            touches(browser, address)
            missing(browser, address)
        browser.close()
    print("the live page works; look at build/browser/live-*.png")


if __name__ == "__main__":
    main()
