// The page: collects strokes, shows what Python answers. No number is computed here.
"use strict";

const $ = (id) => document.getElementById(id);
const config = JSON.parse($("config").textContent);
const example = JSON.parse($("example").textContent);
const names = ["lenet", "nn"];
const log = []; // what the worker said, for the test

// ---------------------------------------------------------------------------- showing

for (const name of names)
  for (let digit = 0; digit < 10; digit++) {
    const row = document.createElement("li");
    row.innerHTML = `<span>${digit}</span><i aria-hidden="true"><b></b></i><span></span>`;
    $(name).append(row);
  }

function paint(canvas, pixels) {
  const image = new ImageData(new Uint8ClampedArray(pixels), 28, 28);
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0);
}

function showAnswers(answers) {
  for (const name of names) {
    const answer = answers[name];
    [...$(name).children].forEach((row, digit) => {
      row.className = answer?.best === digit ? "best" : "";
      row.querySelector("b").style.transform = `scaleX(${answer?.p[digit] ?? 0})`;
      row.lastElementChild.textContent = answer?.texts[digit] ?? "";
    });
  }
}

let speaking;
function tell(text, wait) {
  // Read aloud when the pen rests, not at every point of a stroke.
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    if ($("told").textContent !== text) $("told").textContent = text;
  }, wait);
}

function figure(title, small, pixels, said) {
  const shown = document.createElement("figure");
  const caption = document.createElement("figcaption");
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 28;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${title}: ${said}`);
  caption.textContent = title;
  caption.append(Object.assign(document.createElement("small"), { textContent: small }));
  shown.append(caption, canvas);
  paint(canvas, pixels);
  return shown;
}

function show(shown, wait = 0) {
  if (shown.picture) paint($("seen").querySelector("canvas"), shown.picture);
  if (shown.answers) showAnswers(shown.answers);
  const pictures = (shown.evidence ?? []).map((e) => figure(e.title, e.fit, e.pixels, e.said));
  if (shown.added) pictures.push(figure("What was added", "ε · sign(dx)", shown.added, "the sign of dx"));
  $("evidence").replaceChildren(...pictures);
  $("legend").hidden = !shown.evidence;
  $("fooling").hidden = !shown.added;
  tell(shown.told, wait);
}

// ------------------------------------------------------------------------ asking Python

let worker;
let ready = false;
let answering = 0; // questions on their way
let drawingWaits = false;

function ask(task, ...values) {
  if (!ready) return;
  answering++;
  worker.postMessage({ task, with: values });
}

function askAboutDrawing() {
  if (!ready) return;
  // One question at a time: what is drawn meanwhile is asked for together.
  drawingWaits = answering > 0;
  if (drawingWaits) return;
  const { data, width } = ink.getImageData(0, 0, 280, 280);
  ask("draw", data, width);
}

function message(text, failed = false) {
  $("message").textContent = text;
  $("message").className = failed ? "failed" : "";
}

function fail(text) {
  ready = false;
  worker?.terminate();
  $("progress").hidden = true;
  $("retry").hidden = false;
  clearTimeout(silence);
  message(`${text} Without Python nobody answers; what you see below is an example.`, true);
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
let silence;
function watch(text) {
  // Nothing for twenty seconds is worth a word.
  clearTimeout(silence);
  silence = setTimeout(() => message(`${text} The network is slow: nothing came for 20 seconds.`), 20000);
}

const heard = {
  progress({ bytes, total }) {
    const text = `Python is on its way: ${megabytes(bytes)} of ${megabytes(total)} MB.`;
    $("progress").value = (0.9 * bytes) / total;
    message(text);
    watch(text);
  },
  starting() {
    clearTimeout(silence);
    message("Python is here and starts.");
    $("progress").value = 0.95;
  },
  ready({ versions, loading, starting }) {
    ready = true;
    const seconds = ((loading + starting) / 1000).toFixed(1);
    $("progress").hidden = true;
    $("versions").textContent = `, in ${versions}`;
    message(`Ready after ${seconds} s. Draw!`);
    for (const button of document.querySelectorAll("button")) button.disabled = false;
    if (strokes.length) askAboutDrawing();
  },
  failed({ text }) {
    fail(`Python could not start: ${text}`);
  },
  wrong({ text }) {
    answering--;
    // The last line of a traceback is the error itself.
    tell(`Python stumbled: ${text.trim().split("\n").pop()}`, 0);
  },
  done({ task, shown }) {
    answering--;
    show(shown, task === "draw" || task === "erase" ? 600 : 0);
    if (drawingWaits && !answering) askAboutDrawing();
  },
};

function start() {
  $("retry").hidden = true;
  $("progress").hidden = false;
  $("progress").value = 0;
  answering = 0;
  for (const button of document.querySelectorAll("main button:not(#undo, #clear)")) button.disabled = true;
  if (location.protocol === "file:")
    return fail("A page from a file may not load Python: serve the folder, with python -m http.server.");
  if (typeof WebAssembly !== "object" || typeof Worker !== "function")
    return fail("This browser cannot run Python: it has no WebAssembly, or it is switched off.");
  message("Python is on its way to your browser.");
  watch("Python is on its way.");
  worker = new Worker(config.worker);
  worker.onmessage = ({ data }) => {
    log.push(data);
    heard[data.kind](data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    fail("Python could not be loaded: the network does not answer.");
  };
  worker.postMessage({ task: "start", files: config.files });
}

// ------------------------------------------------------------------------------ boards

// Calls begin, move and end with places in [0, 1], from a pointer or from keys.
function board(element, steps, { begin, move, end, keys = {} }) {
  const canvas = element.querySelector("canvas");
  const pen = element.querySelector(".pen");
  const held = new Set();
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  let place = [0.5, 0.5];
  let down = false;

  function go(to, isDown) {
    place = to.map((value) => Math.min(Math.max(value, 0), 1));
    pen.style.left = `${100 * place[0]}%`;
    pen.style.top = `${100 * place[1]}%`;
    if (isDown && !down) begin(place);
    else if (isDown) move(place);
    else if (down) end();
    down = isDown;
    pen.classList.toggle("down", down);
  }
  function pointed(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return;
    canvas.setPointerCapture(event.pointerId);
    if (down) go(place, false); // the keyboard's stroke ends
    go(pointed(event), true);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    for (const point of event.getCoalescedEvents?.() ?? []) go(pointed(point), true);
    go(pointed(event), true);
  });
  canvas.addEventListener("lostpointercapture", () => go(place, false));
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (by[event.key]) {
      held.add(event.key); // two arrows at once go askew
      const moves = [...held].map((key) => by[key]);
      go(place.map((value, axis) => moves.reduce((sum, m) => sum + m[axis] / steps, value)), down);
    } else if (event.key === " ") {
      if (!event.repeat) go(place, !down);
    } else if (keys[event.key]) {
      if (down) go(place, false);
      keys[event.key]();
    } else return;
    event.preventDefault();
  });
  canvas.addEventListener("keyup", (event) => held.delete(event.key));
  canvas.addEventListener("blur", () => {
    held.clear();
    if (down) go(place, false);
  });
  go(place, false);
  return () => go(place, false);
}

const ink = $("drawing").querySelector("canvas").getContext("2d", { willReadFrequently: true });
let strokes = []; // each a list of places

function line(from, to) {
  ink.lineWidth = 24;
  ink.lineCap = ink.lineJoin = "round";
  ink.strokeStyle = "#000";
  ink.beginPath();
  ink.moveTo(280 * from[0], 280 * from[1]);
  ink.lineTo(280 * to[0], 280 * to[1]);
  ink.stroke();
}

function redraw() {
  ink.clearRect(0, 0, 280, 280);
  for (const stroke of strokes) {
    line(stroke[0], stroke[0]);
    stroke.slice(1).forEach((place, i) => line(stroke[i], place));
  }
  document.querySelector(".hint").hidden = strokes.length > 0;
  askAboutDrawing();
}

function undo() {
  strokes.pop();
  redraw();
}

function clear() {
  strokes = [];
  redraw();
}

const lift = board($("drawing"), 28, {
  begin(place) {
    strokes.push([place]);
    redraw();
  },
  move(place) {
    const stroke = strokes[strokes.length - 1];
    line(stroke[stroke.length - 1], place);
    stroke.push(place);
    askAboutDrawing();
  },
  end() {},
  keys: { Backspace: undo, Delete: clear },
});
$("undo").onclick = () => (lift(), undo());
$("clear").onclick = () => (lift(), clear());

let erased = "";
function erase([x, y]) {
  const cell = [y, x].map((value) => Math.min(Math.floor(28 * value), 27));
  if (String(cell) !== erased) ask("erase", ...cell);
  erased = String(cell);
}
board($("seen"), 28, { begin: erase, move: erase, end: () => (erased = "") });

// ----------------------------------------------------------------------------- buttons

const chosen = () => document.querySelector("input[name=network]:checked").value;
for (const button of document.querySelectorAll("[data-do]"))
  button.onclick = () => ask(button.dataset.do, ...(button.dataset.with?.split(",").map(Number) ?? []));
$("explain").onclick = () => {
  tell("Asking 1,000 times …", 0);
  ask("why", chosen());
};
$("fool").onclick = () => ask("fool", chosen());
$("retry").onclick = start;

if (example.picture) {
  // A picture at once: what a digit of the test set got when the page was built.
  const pixels = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  show({
    ...example,
    told: `An example from the test set. ${example.told}`,
    picture: pixels(example.picture),
    evidence: example.evidence.map((e) => ({ ...e, pixels: pixels(e.pixels) })),
  });
}
start();
