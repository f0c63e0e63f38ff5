"""The course as an attendee meets it: JupyterLab in a real browser, from an empty
clone.

    make test-browser                     all notebooks
    make test-browser ONLY="00_intro deeper/01_nn"     some of them

Clones the repository, starts `make lab` in the clone, and drives it with headless
Chromium:

1. opens each notebook and its exercise copy, runs nothing and saves: the files stay as they were,
   and on 1024 x 768 pixels no line of code and no equation is cut;
2. opens each notebook, *Run All Cells*, waits: no error, every cell has run, the figures are there,
   and every instrument's picture changes when somebody moves its controls;
3. opens its exercise copy, *Run All Cells* with everything blank: no error, each blank is named;
   then types a wrong answer to each exercise and sees the check's diagnosis, types the right one
   and sees the check pass;
4. interrupts a cell that trains: it says where it stopped, and the cells below do not run.

Screenshots land in build/browser/, for somebody to look at.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from around import SHOTS, chromium
from playwright.sync_api import Error, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]

from test_exercises import answered, known_answers, read_exercises  # noqa: E402

from course import every_notebook, key, read  # noqa: E402
from exercises import copy_of  # noqa: E402

TOKEN = "rehearsal"
SECONDS = 600  # the longest that one notebook may take
CLONE = []  # the folder in which the course is opened
SETTINGS = {  # all cells in the page at once, so that what is below can be looked at as well
    "@jupyterlab/notebook-extension/tracker": '{"windowingMode": "none"}',
}


@contextlib.contextmanager
def clone(folder):
    """The repository as it would be committed now: tracked and new files, nothing
    ignored.
    """
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    yield folder


@contextlib.contextmanager
def lab(folder):
    """`make lab` in the clone; yields its address, leaves no process behind."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = folder / "build" / "settings"
    for name, text in SETTINGS.items():
        path = settings / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    flags = (
        f"--no-browser --port={port} --ServerApp.port_retries=0 "
        f"--LabApp.user_settings_dir={settings} --LabApp.workspaces_dir={folder}/build/space "
        "--LabApp.expose_app_in_browser=True"
    )
    log = open(folder / "build" / "lab.log", "w+")
    process = subprocess.Popen(
        ["make", "lab", f"LAB_FLAGS={flags}"],
        cwd=folder,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=os.environ
        | {"JUPYTER_TOKEN": TOKEN, "TQDM_DISABLE": "1", "SCRATCHML_STILL": "0"},
    )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/api/status?token={TOKEN}", process, log)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def wait_for(url, process, log, seconds=420):
    for _ in range(seconds):
        try:
            return urllib.request.urlopen(url, timeout=10).read()
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(1)
    log.seek(0)
    sys.exit(f"make lab serves nothing:\n{log.read()}")


def name_of(path):
    """The notebook's name, as part of a file name: deeper-01_nn."""
    return key(ROOT / path).replace("/", "-")


ARRIVED = """([index, source]) =>
    jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.getSource()
        === source"""


class Notebook:
    """One notebook open in JupyterLab."""

    def __init__(self, page, address, path):
        self.page, self.name = page, name_of(path)
        page.goto(f"{address}/lab/tree/{path}?token={TOKEN}&reset")
        self.panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        expect(
            self.panel.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        ).to_be_visible(timeout=60_000)
        self.cells = self.panel.locator(".jp-Notebook-cell")

    def menu(self, menu, entry):
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.get_by_text(entry, exact=True).click()

    def run_all(self):
        """*Run All Cells*, once more where the kernel was not ready for it."""
        begun = self.panel.get_by_text(re.compile(r"^\[(\*|\d+)\]:$")).first
        for _ in range(6):
            self.menu("Run", "Run All Cells")
            with contextlib.suppress(AssertionError):
                expect(begun).to_be_visible(timeout=10_000)
                return
        raise AssertionError(f"{self.name}: Run All Cells runs nothing")

    def wait(self):
        """Until nothing is queued or running; returns how many code cells have run."""
        prompts = self.panel.locator(".jp-CodeCell .jp-InputPrompt")
        idle = self.panel.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(0.5)
            texts = prompts.all_inner_texts()
            ran = sum(bool(re.fullmatch(r"\[\d+\]:", text)) for text in texts)
            # A folded cell has no prompt to look at; the kernel knows.
            if ran and "[*]:" not in texts and idle.count():
                return ran
        raise AssertionError(f"{self.name}: still running after {SECONDS} s")

    def errors(self):
        """What stands in red: exceptions and anything written to stderr."""
        return self.panel.locator(
            "[data-mime-type='application/vnd.jupyter.stderr'], "
            "[data-mime-type='application/vnd.jupyter.error']"
        ).all_inner_texts()

    def is_code(self, index):
        return "jp-CodeCell" in self.cells.nth(index).get_attribute("class")

    def type(self, index, source):
        """Replace the source of a cell, as somebody at the keyboard would, and run
        it.
        """
        self.cells.nth(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(source)
        # The editor hands its text to the notebook a moment after it shows it.
        self.page.wait_for_function(ARRIVED, arg=[index, source], timeout=60_000)
        self.run(index)

    def run(self, index):
        prompt = self.cells.nth(index).locator(".jp-InputPrompt")
        before = prompt.inner_text()
        prompt.click()
        self.page.keyboard.press("Control+Enter")
        expect(prompt).not_to_have_text(before, timeout=60_000)
        self.wait()

    def output(self, index):
        return "\n".join(
            self.cells.nth(index).locator(".jp-OutputArea-output").all_inner_texts()
        )

    def photograph(self, name, cells):
        """One picture of each of these cells."""
        for number, index in enumerate(cells):
            self.cells.nth(index).screenshot(path=SHOTS / f"{name}-{number}.png")

    def scan(self, name, height=4000):
        """Pictures of the whole notebook, from top to bottom."""
        self.page.set_viewport_size({"width": 1300, "height": height})
        scroller = self.panel.locator(".jp-WindowedPanel-outer")
        total = scroller.evaluate("element => element.scrollHeight")
        for number, top in enumerate(range(0, total, height - 200)):
            scroller.evaluate(f"element => element.scrollTop = {top}")
            self.page.wait_for_timeout(300)
            scroller.screenshot(path=SHOTS / f"{name}-{number}.png", timeout=120_000)

    def close(self):
        """Shut the kernel down: the next notebook has the memory to itself."""
        self.page.evaluate(
            """async token => {
                const base = location.origin + '/api/sessions';
                const sessions = await (await fetch(`${base}?token=${token}`)).json();
                for (const s of sessions)
                    await fetch(`${base}/${s.id}?token=${token}`, {method: 'DELETE',
                        headers: {Authorization: `token ${token}`}});
            }""",
            TOKEN,
        )


def run_all(page, address, path):
    """Open a notebook, run all of it; complain about errors, unrun cells, missing
    figures.
    """
    committed = read(ROOT / path)
    codes = [
        cell
        for cell in committed.cells
        if cell.cell_type == "code" and cell.source.strip()
    ]
    notebook = Notebook(page, address, path)
    notebook.menu("Edit", "Clear Outputs of All Cells")  # the committed ones
    start = time.monotonic()
    notebook.run_all()
    ran, seconds = notebook.wait(), time.monotonic() - start
    played = play(notebook, path)
    notebook.scan(name_of(path))
    assert not notebook.errors(), f"{path}:\n" + "\n".join(notebook.errors())
    open_ones = [
        c for c in codes if not c.metadata.get("jupyter", {}).get("source_hidden")
    ]
    assert ran == len(open_ones), f"{path}: {ran} of {len(open_ones)} cells have run"
    figures = notebook.panel.locator(".jp-OutputArea-output img").count()
    outputs = [output.get("data", {}) for cell in codes for output in cell.outputs]
    expected = sum("image/png" in data for data in outputs)
    assert figures >= expected, (
        f"{path}: {figures} figures, {expected} in the committed notebook"
    )
    html = sum("text/html" in data for data in outputs)
    shown = notebook.panel.locator("[data-mime-type='text/html']").count()
    assert shown >= html, (
        f"{path}: {shown} HTML outputs, {html} in the committed notebook"
    )
    print(
        f"{path}: {ran} cells in {seconds:.0f} s, {figures} figures, {shown} HTML, "
        f"{played} instruments, no error",
        flush=True,
    )
    notebook.close()


CONTROLS = ", ".join(
    (
        ".noUi-handle",
        "input[type=checkbox]",
        ".widget-toggle-buttons button:not(.mod-active)",
        ".widget-toggle-button",
        "input[type=text]",
        "textarea",
    )
)


def play(notebook, path):
    """Move every control of every instrument; returns how many instruments there are."""
    calls = sum(
        "interactive." in cell.source
        for cell in read(ROOT / path).cells
        if cell.cell_type == "code"
    )
    boxes = notebook.panel.locator(".widget-vbox:has(> .widget-image)")
    assert boxes.count() == calls, f"{path}: {boxes.count()} of {calls} instruments"
    for number in range(calls):
        box = boxes.nth(number)
        box.scroll_into_view_if_needed()
        controls = box.locator(CONTROLS)
        assert controls.count(), f"{path}: instrument {number + 1} has no control"
        moved = [move(box, controls.nth(i)) for i in range(min(controls.count(), 8))]
        assert any(moved), f"{path}: instrument {number + 1} stands still"
        trouble = box.locator("> .widget-html").inner_text().strip()
        assert not trouble, f"{path}: instrument {number + 1}: {trouble}"
        box.screenshot(path=SHOTS / f"{notebook.name}-instrument-{number + 1}.png")
    return calls


def move(box, control):
    """Move one control, as a hand would; does the picture change?"""
    image = box.locator("> .widget-image")
    before = image.get_attribute("src")
    kind = control.evaluate("e => e.className + ' ' + (e.type || '')")
    changed = f"e => e.src != {before!r}"
    for key_pressed in ("ArrowRight", "ArrowLeft"):
        if "noUi-handle" in kind:
            control.focus()
            control.press(key_pressed)
        elif "text" in kind and "button" not in kind:
            control.click()
            control.press("End")
            control.type("a")
            control.press("Tab")
        else:
            control.click()
        with contextlib.suppress(Error):
            handle = image.element_handle()
            box.page.wait_for_function(changed, arg=handle, timeout=8000)
            return True
    return False


def blanks(page, address, path):
    """Run the exercise copy with everything blank, then answer each exercise."""
    solved = ROOT / path
    known, _ = known_answers(key(solved))
    tasks = read_exercises(read(solved), known)
    copy = copy_of(solved).relative_to(ROOT).as_posix()
    ids = [cell.id for cell in read(ROOT / copy).cells]
    notebook = Notebook(page, address, copy)
    notebook.run_all()
    ran = notebook.wait()
    assert not notebook.errors(), f"{copy}:\n" + "\n".join(notebook.errors())
    said = notebook.panel.get_by_text("still blank: ").count()
    assert said == len(tasks), f"{copy}: {said} of {len(tasks)} blanks are named"
    print(f"{copy}: {ran} cells run with {said} exercises blank", flush=True)
    for task in tasks.values():
        answer(notebook, task, ids.index(read(solved).cells[task.index].id))
    print(f"{copy}: {len(tasks)} exercises answered wrongly and rightly", flush=True)
    notebook.close()


def answer(notebook, task, index):
    """One exercise, wrongly and then rightly; its check is the next code cell."""
    wrong, pattern = task.wrong[0]
    check = next(i for i in range(index + 1, index + 4) if notebook.is_code(i))
    for source, message in (
        (answered(task.source, wrong), pattern),
        (task.source, None),
    ):
        notebook.type(index, source)
        notebook.run(check)
        said = " ".join(f"{notebook.output(index)} {notebook.output(check)}".split())
        kind = "right" if message is None else "wrong"
        notebook.photograph(f"{notebook.name}-{task.name}-{kind}", [index, check])
        if message is None:
            assert "Error" not in said and "CheckFailed" not in said, (
                f"{task.name!r}: {said}"
            )
        else:
            assert re.search(message, said, re.DOTALL), (
                f"{task.name!r}: no {message!r} in\n{said}"
            )


CUT = """panel => {
    const wide = e => e.scrollWidth > e.clientWidth + 1;
    const lines = [...panel.querySelectorAll('.jp-CodeCell .cm-scroller')].filter(wide);
    const room = e => e.closest('.jp-RenderedMarkdown').clientWidth;
    const maths = [...panel.querySelectorAll('mjx-container[display=true]')].filter(
        e => e.firstElementChild.getBoundingClientRect().width > room(e) + 1);
    return [...lines, ...maths].map(e => e.textContent.slice(0, 80));
}"""


def untouched(page, address, path):
    """Open both copies on a small screen, run nothing and save."""
    page.set_viewport_size({"width": 1024, "height": 768})
    for name in (path, copy_of(ROOT / path).relative_to(ROOT).as_posix()):
        file = CLONE[0] / name
        before = file.read_bytes()
        notebook = Notebook(page, address, name)
        page.wait_for_timeout(3000)  # for the formulas
        cut = notebook.panel.evaluate(CUT)
        assert not cut, f"{name} is cut on 1024 x 768:\n" + "\n".join(cut)
        notebook.menu("File", "Save Notebook")
        page.wait_for_timeout(2000)
        assert file.read_bytes() == before, f"opening {name} changes it"
        notebook.close()
    print(f"{path}: opening changes nothing, nothing is cut on 1024 x 768", flush=True)


def stops(page, address, path):
    """Interrupt the training of deeper/01's sizes: the queue stops, with a sentence."""
    if "deeper/01_nn" not in path:
        return
    ids = [cell.id for cell in read(ROOT / path).cells]
    notebook = Notebook(page, address, path)
    notebook.menu("Edit", "Clear Outputs of All Cells")
    notebook.run_all()
    trains = notebook.cells.nth(ids.index("nb01-066"))
    # The cell before is folded: its figure says that it has run.
    before = notebook.cells.nth(ids.index("range-test")).locator("img")
    expect(before).to_be_visible(timeout=1000 * SECONDS)
    page.wait_for_timeout(1500)
    notebook.menu("Kernel", "Interrupt Kernel")
    notebook.wait()
    said = " ".join(trains.inner_text().split())
    assert re.search(r"stopped in epoch \d+; the model is usable", said), said
    after = notebook.cells.nth(ids.index("nb01-070")).locator(".jp-InputPrompt")
    assert "[ ]" in after.inner_text(), "the cells below ran on"
    print(f"{path}: stop stops", flush=True)
    notebook.close()


def main(only):
    SHOTS.mkdir(parents=True, exist_ok=True)
    paths = [
        path.relative_to(ROOT).as_posix()
        for path in every_notebook()
        if not only or key(path) in only
    ]
    with tempfile.TemporaryDirectory() as folder, clone(Path(folder) / "clone") as copy:
        (copy / "build").mkdir(exist_ok=True)
        CLONE.append(copy)
        with lab(copy) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium(), args=["--no-sandbox"]
            )
            failed = 0
            for step in (untouched, run_all, blanks, stops):
                for path in paths:
                    page = browser.new_page(viewport={"width": 1300, "height": 900})
                    try:
                        step(page, address, path)
                    except (AssertionError, Error) as error:
                        failed += 1
                        print(f"FAILED {step.__name__} {path}: {error}", flush=True)
                        page.screenshot(path=SHOTS / f"failed-{name_of(path)}.png")
                    page.close()
            browser.close()
    print(f"screenshots: {SHOTS.relative_to(ROOT)}/")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
