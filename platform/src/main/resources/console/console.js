// The console: follows the status stream and the decisions, and draws them. It keeps nothing but
// the key, and that in this tab alone.
"use strict";

const KEY = "weft.key";
const RETRY_MILLIS = 2000;
const DECISIONS_MILLIS = 2000;
const DECISIONS_SHOWN = 50;
const byId = (id) => document.getElementById(id);

let following = null; // what ends the stream that is followed

// Elements: text is only ever set as text.

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function row(labels, cells) {
  return element("tr", {}, ...cells.map((cell, i) => {
    const made = element("td", {"data-label": labels[i]}, String(cell));
    if (typeof cell === "number") made.className = "number";
    return made;
  }));
}

function fill(table, rows) {
  byId(table).tBodies[0].replaceChildren(...rows);
}

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; count >= 1024 && unit < units.length - 1; unit++) count /= 1024;
  return (unit === 0 ? count : count.toFixed(1)) + " " + units[unit];
}

// Left out where there is none.
function seconds(millis) {
  return millis === undefined ? "-" : (millis / 1000).toFixed(1) + " s";
}

// The same function has the same colour on every device.
function hue(name) {
  let hash = 7;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) % 360;
  return String(hash);
}

const functionOf = (revision) => revision.replace(/-\d+(?=[.]|$)/, "");

// Drawing.

function segment(kind, name, part, whole) {
  const made = element("span", {class: kind});
  if (name) made.style.setProperty("--hue", hue(name));
  made.style.width = 100 * part / whole + "%";
  return made;
}

function kvBytes(device, instance) {
  return instance.blocks.chunks * device.memory.chunks.bytes;
}

function bar(device) {
  const memory = device.memory, whole = Math.max(memory.capacityBytes, 1), parts = [], told = [];
  for (const instance of device.instances) {
    const name = functionOf(instance.revision), kv = kvBytes(device, instance);
    if (instance.weightBytes + kv === 0) continue;
    parts.push(segment("weights", name, instance.weightBytes, whole), segment("kv", name, kv, whole));
    told.push(name + ": weights " + bytes(instance.weightBytes) + ", KV " + bytes(kv));
  }
  const steps = memory.chunks.activations * memory.chunks.bytes;
  parts.push(segment("steps", null, steps, whole));
  told.push("steps: " + bytes(steps), "in all " + bytes(memory.capacityBytes));
  return element("div", {class: "bar", role: "img", "aria-label": told.join("; ")}, ...parts);
}

const INSTANCE_LABELS = ["Instance", "Tier", "Running", "Waiting", "Headroom", "Weights", "KV", "Room, tokens"];
const HEADROOM = INSTANCE_LABELS.indexOf("Headroom");

function instanceRow(device, instance) {
  const blocks = instance.blocks, name = functionOf(instance.revision);
  const made = row(INSTANCE_LABELS, [
    "", instance.tier, instance.runningRequests, instance.waitingRequests,
    seconds(instance.headroomMillis), bytes(instance.weightBytes),
    bytes(kvBytes(device, instance)) + " in " + blocks.chunks + " chunks",
    blocks.capacity > 0 ? Math.max(0, blocks.capacity - blocks.planned) * blocks.tokensPerBlock : "-",
  ]);
  if (instance.headroomMillis < 0) made.cells[HEADROOM].className = "bad";
  const key = element("span", {class: "key weights", "aria-hidden": "true"});
  key.style.setProperty("--hue", hue(name));
  made.cells[0].append(key, instance.revision);
  return made;
}

function deviceCard(view) {
  const card = element("article", {class: "device"}, element("h3", {}, view.device));
  const status = view.status;
  if (!status) {
    card.append(element("p", {class: "bad"}, "away" + (view.absence ? ": " + view.absence : "")));
    return card;
  }
  const memory = status.memory, chunks = memory.chunks;
  card.append(
    element("p", {},
      status.deviceClass + ", " + status.phase + "; planned " + bytes(memory.plannedBytes) + ", held "
      + bytes(memory.actualBytes) + " of " + bytes(memory.capacityBytes) + "; "
      + chunks.held + " of " + chunks.total + " chunks"),
    bar(status));
  if (memory.kvLastsMillis !== undefined) {
    card.append(element("p", {class: "bad"},
      "KV memory is expected to last " + seconds(memory.kvLastsMillis) + " for what runs"));
  }
  if (status.instances.length > 0) {
    card.append(element("table", {"aria-label": "Instances on " + view.device},
      element("thead", {}, element("tr", {},
        ...INSTANCE_LABELS.map((label) => element("th", {scope: "col"}, label)))),
      element("tbody", {}, ...status.instances.map((instance) => instanceRow(status, instance)))));
  }
  return card;
}

function functionRow(view) {
  const status = view.status, ready = status.conditions.find((each) => each.type === "Ready");
  const progress = status.progress && status.progress.bytesTotal > 0
    ? " (" + Math.floor(100 * status.progress.bytesDone / status.progress.bytesTotal) + " %)" : "";
  const made = row(["Function", "Does", "Tier", "Held", "Ready"], [
    view.name, view.kind || "not known yet", status.tier + progress, status.heldRequests,
    ready.reason + ": " + ready.message,
  ]);
  if (ready.status === "FALSE" || ready.status === "false") made.cells[4].className = "bad";
  return made;
}

function drawSubjects(names) {
  const select = byId("subject"), chosen = select.value;
  const shown = [...select.options].slice(1).map((option) => option.value);
  if (shown.join() === names.join()) return;
  select.replaceChildren(select.options[0],
    ...names.map((name) => element("option", {value: name}, name)));
  select.value = names.includes(chosen) ? chosen : "";
}

function draw(event) {
  byId("devices").replaceChildren(...event.devices.map(deviceCard));
  fill("functions", event.functions.map(functionRow));
  drawSubjects(event.functions.map((view) => view.name));
}

function drawDecisions(list) {
  const labels = ["At", "Function", "Decision", "Device", "Why"];
  fill("decisions", list.decisions.reverse().map((decision) => row(labels, [
    new Date(decision.at).toLocaleTimeString(), decision.function,
    decision.kind.replaceAll("_", " "), decision.device || "-", decision.reason,
  ])));
}

// Following.

class Refused extends Error {}

async function get(path, signal) {
  const answer = await fetch("api/v1/" + path,
    {headers: {Authorization: "Bearer " + sessionStorage.getItem(KEY)}, signal});
  if (answer.status === 401 || answer.status === 403) {
    const told = await answer.json().catch(() => null);
    throw new Refused(told?.error?.message || "the key was refused");
  }
  if (!answer.ok) throw new Error("HTTP " + answer.status);
  return answer;
}

async function followStatus(signal) {
  const answer = await get("status/stream", signal);
  byId("state").textContent = "live";
  let text = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    text += next.value;
    const frames = text.split("\n\n");
    text = frames.pop();
    const data = frames.filter((frame) => frame.startsWith("data: "));
    if (data.length > 0) draw(JSON.parse(data.at(-1).slice(6)));
  }
  throw new Error("the stream ended");
}

async function showDecisions(signal) {
  const subject = byId("subject").value;
  const path = "decisions" + (subject ? "/" + encodeURIComponent(subject) : "");
  drawDecisions(await (await get(path + "?limit=" + DECISIONS_SHOWN, signal)).json());
}

function pause(millis, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, millis);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); });
  });
}

async function again(what, millis, signal, failed) {
  while (!signal.aborted) {
    try {
      await what(signal);
    } catch (failure) {
      if (signal.aborted) return;
      if (failure instanceof Refused) {
        leave(failure.message);
        return;
      }
      failed(failure);
    }
    await pause(millis, signal);
  }
}

function enter() {
  following?.abort();
  following = new AbortController();
  byId("enter").hidden = true;
  byId("console").hidden = false;
  byId("leave").hidden = false;
  byId("state").textContent = "connecting";
  const signal = following.signal;
  again(followStatus, RETRY_MILLIS, signal, (failure) => {
    byId("state").textContent = "not connected (" + failure.message + "); trying again";
  });
  again(showDecisions, DECISIONS_MILLIS, signal, () => {});
}

function leave(why) {
  following?.abort();
  sessionStorage.removeItem(KEY);
  byId("enter").hidden = false;
  byId("console").hidden = true;
  byId("leave").hidden = true;
  byId("refused").textContent = why;
  byId("state").textContent = "not connected";
  byId("key").focus();
}

byId("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, byId("key").value.trim());
  byId("key").value = "";
  byId("refused").textContent = "";
  enter();
});
byId("leave").addEventListener("click", () => leave(""));
byId("subject").addEventListener("change", () => {
  if (following) showDecisions(following.signal).catch(() => {});
});
if (sessionStorage.getItem(KEY)) enter();
else byId("key").focus();
