// Python beside the page: downloads Pyodide, numpy and the course's scratchml, compares
// each file with its known hash, and answers questions one after the other.
"use strict";

const say = (kind, more) => postMessage({ kind, ...more });
const download = self.fetch.bind(self);
const files = new Map(); // name -> Uint8Array, whole and as expected
let python; // Pyodide
let page; // the Page of page.py

// From here on nothing is fetched: Pyodide gets what was downloaded, or an error.
self.fetch = async (url) => {
  const name = new URL(url, location).pathname.split("/").pop();
  if (!files.has(name)) throw new Error(`${name} is not among the files of this page`);
  const type = name.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
  return new Response(files.get(name), { headers: { "Content-Type": type } });
};

async function get({ name, url, integrity }, arrived) {
  const address = new URL(url, location);
  // Where the browser keeps its hash functions from a page (http), it compares itself.
  const check = self.crypto.subtle ? {} : { integrity };
  const chunks = [];
  try {
    const response = await download(address, check);
    if (!response.ok) throw new Error(`status ${response.status}`);
    const reader = response.body.getReader();
    for (let part; !(part = await reader.read()).done; ) {
      chunks.push(part.value);
      arrived(part.value.length);
    }
  } catch (error) {
    throw new Error(`${name} did not come from ${address.host} (${error.message}).`);
  }
  const content = await new Blob(chunks).arrayBuffer();
  if (self.crypto.subtle) {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-384", content));
    if (`sha384-${btoa(String.fromCharCode(...hash))}` !== integrity)
      throw new Error(`${name} from ${address.host} is not the expected file, so it is not run.`);
  }
  files.set(name, new Uint8Array(content));
}

async function getAll(list) {
  const total = list.reduce((sum, file) => sum + file.bytes, 0);
  let bytes = 0;
  let said = 0;
  await Promise.all(
    list.map((file) =>
      get(file, (more) => {
        bytes += more;
        if (bytes === total || performance.now() - said > 100) {
          said = performance.now();
          say("progress", { bytes, total });
        }
      }),
    ),
  );
}

function run(script) {
  const url = URL.createObjectURL(new Blob([files.get(script)], { type: "text/javascript" }));
  importScripts(url);
  URL.revokeObjectURL(url);
}

async function start(list) {
  const begin = performance.now();
  await getAll(list);
  const loaded = performance.now();
  say("starting");
  run("pyodide.js");
  run("pyodide.asm.js");
  python = await loadPyodide({ indexURL: new URL("pyodide/", location).href });
  await python.loadPackage("numpy", { messageCallback() {} });
  python.unpackArchive(files.get("scratchml.zip"), "zip");
  for (const name of ["page.py", "live_nn.npz", "live_lenet.npz"])
    python.FS.writeFile(name, files.get(name));
  page = python.runPython("from page import Page; Page()");
  page.warm_up();
  const versions = python.runPython(
    "import sys, numpy; f'Python {sys.version.split()[0]}, numpy {numpy.__version__}'",
  );
  files.clear();
  const now = performance.now();
  say("ready", { versions, loading: loaded - begin, starting: now - loaded });
}

onmessage = async ({ data }) => {
  if (data.task === "start") {
    try {
      await start(data.files);
    } catch (error) {
      say("failed", { text: error.message });
    }
    return;
  }
  const begin = performance.now();
  try {
    // A canvas's bytes as a memoryview: numpy would read a JavaScript array one by one.
    const values = data.with.map((value) => (ArrayBuffer.isView(value) ? python.toPy(value) : value));
    const result = page[data.task](...values);
    const shown = result.toJs({ dict_converter: Object.fromEntries });
    result.destroy();
    say("done", { task: data.task, ms: performance.now() - begin, shown });
  } catch (error) {
    say("wrong", { task: data.task, text: error.message });
  }
};
