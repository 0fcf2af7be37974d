// The operator's page. Shows what the server says and says what the person does; keeps nothing.
"use strict";

const id = (name) => document.getElementById(name);
const BEAT_MS = 20;
// At rest a beat in so many is said: often enough that a page in charge never seems late.
const REST_BEATS = 3;
const RECONNECT_MS = 1000;
const PICTURE_OLD_MS = 1500;
const STICK_REST = 0.12;
const RATES_PX = 250;
const LOSS_PX = 96;

// What a key pushes, base frame: x away from the base, y to the left, z up.
const PUSHES = {
  w: [1, 0, 0, 0, 0, 0], s: [-1, 0, 0, 0, 0, 0],
  a: [0, 1, 0, 0, 0, 0], d: [0, -1, 0, 0, 0, 0],
  r: [0, 0, 1, 0, 0, 0], f: [0, 0, -1, 0, 0, 0],
  j: [0, 0, 0, -1, 0, 0], l: [0, 0, 0, 1, 0, 0],
  i: [0, 0, 0, 0, 1, 0], k: [0, 0, 0, 0, -1, 0],
  q: [0, 0, 0, 0, 0, 1], e: [0, 0, 0, 0, 0, -1],
  x: [0, 0, 0, 0, 0, 0], m: [0, 0, 0, 0, 0, 0], o: [0, 0, 0, 0, 0, 0],
};
// What a key, and what a trigger of a gamepad, tells the gripper.
const GRIPS = { m: "close", o: "open" };
const PAD_GRIPS = { 6: "close", 7: "open" };
const SAYS = {
  g: "success", b: "failure", n: "reset", h: "release", y: "keep", c: "discard", u: "undo",
};
// Of a gamepad in the standard layout.
const PAD_SAYS = { 1: "soft_stop", 2: "failure", 3: "success", 8: "release" };
// While a demonstration waits for a word.
const PAD_REVIEWS = { 2: "discard", 3: "keep", 8: "undo" };
const PAD_PAUSE = 9;

// ---- the connection ----

const page = {
  socket: null, sequence: 0, unlocked: false, drives: false, armed: false,
  events: [], subject: {}, scene: null, curves: null, refusal: "",
};

function connect() {
  const socket = new WebSocket(`ws://${location.host}/socket`);
  socket.binaryType = "arraybuffer";
  page.socket = socket;
  socket.onopen = () => {
    connection("connected", true);
    const token = location.hash.slice(1);
    if (token) send({ type: "unlock", token });
    else access(false);
  };
  socket.onmessage = ({ data }) =>
    typeof data === "string" ? hear(JSON.parse(data)) : show(new Uint8Array(data));
  socket.onclose = () => {
    page.unlocked = false;
    arm(false);
    buttons();
    const ended = page.scene && page.scene.ended;
    connection(ended ? "the run has ended" : "connection lost, trying again", false);
    banner();
    setTimeout(connect, RECONNECT_MS);
  };
}

const isOpen = () => page.socket && page.socket.readyState === WebSocket.OPEN;

function send(message) {
  if (isOpen()) page.socket.send(JSON.stringify(message));
}

function hear(message) {
  switch (message.type) {
    case "hello":
      page.subject = message.subject;
      page.events = message.events;
      page.drives = message.drives;
      subject();
      break;
    case "unlocked":
      page.unlocked = true;
      access(true);
      break;
    case "refused":
      said(message.why);
      if (!page.unlocked) access(false);
      break;
    case "took":
      said(`${words(message.event)}: told the actor`);
      break;
    case "scene":
      page.scene = message.scene;
      scene();
      break;
    case "curves":
      page.curves = message.curves;
      curves();
      break;
  }
}

const words = (event) => ({
  start: "Start", keep: "Keep", discard: "Discard", undo: "Undo", pause: "Pause", success: "Success", failure: "Failure", reset: "End and reset",
  release: "Hand back", soft_stop: "Soft stop", recover: "Let the arm move again",
})[event] || event;

function connection(text, ok) {
  id("connection").textContent = text;
  id("connection").className = ok ? "pill ok" : "pill bad";
}

function access(unlocked) {
  id("access").hidden = unlocked;
  buttons();
}

let saidTimer = 0;
function said(text) {
  id("said").textContent = text;
  clearTimeout(saidTimer);
  saidTimer = setTimeout(() => { id("said").textContent = ""; }, 6000);
}

// ---- what is shown ----

function subject() {
  const { run, task, cell, cameras, axes } = page.subject;
  document.body.classList.toggle("folder", !page.subject.live);
  document.title = `${run} · reins console`;
  id("run").textContent = run;
  id("subject").textContent = `${task} in cell ${cell}`;
  const figures = cameras.map((name, number) => {
    const figure = document.createElement("figure");
    figure.className = "old";
    figure.dataset.camera = number;
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `camera ${name}, as the policy sees it`);
    canvas.width = canvas.height = 128;
    const caption = document.createElement("figcaption");
    caption.textContent = name;
    figure.append(canvas, caption);
    return figure;
  });
  id("cameras").replaceChildren(...figures);
  const used = { w: "x", s: "x", a: "y", d: "y", r: "z", f: "z", j: "roll", l: "roll",
    i: "pitch", k: "pitch", q: "yaw", e: "yaw", m: "gripper", o: "gripper" };
  for (const button of document.querySelectorAll("[data-push]")) {
    const axis = used[button.dataset.push];
    button.hidden = axis !== undefined && !axes.includes(axis);
  }
  for (const pad of document.querySelectorAll(".pad")) {
    pad.hidden = !pad.querySelector("button:not([hidden])");
  }
  buttons();
}

const pictureAt = [];
function show(bytes) {
  const figure = document.querySelector(`#cameras figure[data-camera="${bytes[0]}"]`);
  if (!figure) return;
  createImageBitmap(new Blob([bytes.subarray(1)], { type: "image/jpeg" })).then((picture) => {
    const canvas = figure.firstChild;
    if (canvas.width !== picture.width) canvas.width = picture.width;
    if (canvas.height !== picture.height) canvas.height = picture.height;
    canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    pictureAt[bytes[0]] = performance.now();
    figure.classList.remove("old");
  }, () => {});
}

const percent = (share) => (share === null || share === undefined ? "–" : `${Math.round(100 * share)} %`);
const count = (number) => number.toLocaleString("en");
function put(name, text, bad) {
  const element = id(name);
  if (element.textContent !== text) element.textContent = text;
  element.classList.toggle("bad", Boolean(bad));
}

function scene() {
  const { scene } = page;
  const wanted = (have, want) => (want > 0 ? `${count(have)} of ${count(want)}` : count(have));
  put("demonstrations", wanted(scene.demonstrations, scene.demonstrations_wanted));
  put("env-steps", wanted(scene.env_steps, scene.env_steps_wanted));
  id("progress").value = scene.env_steps_wanted > 0 ? scene.env_steps / scene.env_steps_wanted : 0;
  put("success-autonomous", percent(scene.rates.success_autonomous));
  put("success-assisted", percent(scene.rates.success_assisted));
  put("interventions", percent(scene.rates.interventions));
  const version = scene.policy_version;
  put("policy", version === null ? "none yet" : `v${version}, ${count(scene.policy_lag)} behind`);
  const { health } = scene;
  put("link", health.link, !health.link_connected);
  const outbox = `${count(health.outbox_depth)} records wait`;
  put("disk", health.disk_trouble || outbox, health.disk_trouble);
  put("timing", `${health.step_ms.toFixed(0)} ms, ${count(health.missed_deadlines)} missed`);
  arms();
  gate();
  troubles();
  banner();
  buttons();
}

function banner() {
  const { scene } = page;
  if (!scene) return;
  const mine = scene.driver === "human" && page.armed && pushing;
  let state = scene.driver;
  let text = { policy: "The policy drives", human: mine ? "You drive" : "A person drives", nobody: "Nobody drives" }[scene.driver];
  if (reviewing()) {
    [state, text] = ["nobody", scene.kept ? "Kept unless you say otherwise" : "Not kept unless you say otherwise"];
  }
  if (scene.paused) [state, text] = ["nobody", "Paused"];
  if (scene.stopped) [state, text] = ["stopped", "Stopped"];
  if (scene.ended) [state, text] = ["nobody", "Ended"];
  if (!page.subject.live) [state, text] = ["nobody", "Curves"];
  if (!isOpen() && !scene.ended) [state, text] = ["stopped", "Connection lost"];
  id("banner").dataset.driver = state;
  put("driver", text);
  put("activity", hint(state));
  const { episode } = scene;
  const limit = page.subject.episode_steps;
  put("episode", episode ? `${episode.kind} ${episode.number} · step ${episode.steps}${limit ? ` of ${limit}` : ""}` : "");
}

/// What the operator can do now, where the actor has nothing else to say.
function hint(state) {
  const { scene } = page;
  if (scene.activity !== "driving" || !page.drives || !page.unlocked || !isOpen()) return scene.activity;
  if (state === "human") return "Let go, and after a moment the policy drives again.";
  return page.armed ? "Push to take over." : "To take over, press T and push.";
}

function troubles() {
  const list = id("troubles");
  list.hidden = page.scene.troubles.length === 0;
  const now = page.scene.troubles.join("\n");
  if (list.dataset.told === now) return;
  list.dataset.told = now;
  list.replaceChildren(...page.scene.troubles.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
}

let gateTold = "";
function gate() {
  const { gate_counts: counts, gate_notes: notes } = page.scene;
  put("gate-counts", counts.length ? counts.map(([name, n]) => `${name} ${count(n)}`).join(" · ") : "nothing yet");
  const newest = notes.slice(-8).reverse();
  const told = JSON.stringify(newest);
  if (told === gateTold) return;
  gateTold = told;
  id("gate-notes").replaceChildren(...newest.map(({ episode, step, events }) => {
    const item = document.createElement("li");
    const [where, what] = [document.createElement("span"), document.createElement("span")];
    where.textContent = `${episode}/${step}`;
    what.textContent = events.join(", ");
    item.append(where, what);
    return item;
  }));
}

const reviewing = () => Boolean(page.scene) && page.scene.kept !== null;
/// Start and pause share a key.
const startOrPause = () => (reviewing() || (page.scene && page.scene.paused) ? "start" : "pause");

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function arms() {
  const { arm } = page.scene;
  if (!arm) return;
  const mm = (m) => m.map((x) => (1000 * x).toFixed(0)).join(", ");
  put("tcp", mm(arm.tcp_m));
  put("tilt", arm.tcp_deg.map((x) => x.toFixed(0)).join(", "));
  const behind = Math.hypot(...arm.tcp_m.map((x, i) => x - arm.target_m[i]));
  put("behind", (1000 * behind).toFixed(1));
  const corners = page.subject.workspace_m;
  if (!corners) return;
  const canvas = id("above");
  const side = 180;
  const { context } = fit(canvas, side, side);
  // Left: from above, the base below. Right: the height.
  const [low, high] = corners;
  const [wide, tall] = [130, 160];
  const scale = Math.min(wide / (high[1] - low[1]), tall / (high[0] - low[0]));
  const box = [(high[1] - low[1]) * scale, (high[0] - low[0]) * scale];
  const left = (wide - box[0]) / 2 + 6, top = 10 + (tall - box[1]) / 2;
  const place = (m) => [left + (high[1] - m[1]) * scale, top + (high[0] - m[0]) * scale];
  const height = (m) => top + box[1] * (1 - (m[2] - low[2]) / (high[2] - low[2]));
  context.lineWidth = 1;
  context.strokeStyle = color("still");
  context.strokeRect(left, top, ...box);
  context.strokeRect(156, top, 14, box[1]);
  for (const [m, fill, size] of [[arm.target_m, color("orange"), 7], [arm.tcp_m, color("blue"), 4.5]]) {
    const [x, y] = place(m);
    context.fillStyle = context.strokeStyle = fill;
    context.beginPath();
    context.arc(x, y, size, 0, 2 * Math.PI);
    if (size > 5) { context.lineWidth = 2; context.stroke(); } else context.fill();
    context.fillRect(152, height(m) - 1, 22, size > 5 ? 2 : 3);
  }
}

// ---- curves ----

/// Makes the canvas sharp and clean; sizes in CSS pixels.
function fit(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

const short = (value) => {
  const size = Math.abs(value);
  if (size < 10000 && Number.isInteger(value)) return value.toFixed(0);
  if (size >= 10000) return `${(value / 1000).toFixed(0)}k`;
  if (size >= 100 || value === 0) return value.toFixed(0);
  if (size >= 1) return value.toFixed(1);
  return size >= 0.001 ? value.toPrecision(2) : value.toExponential(0);
};

function plot(canvas, lines, range, height) {
  const { context, width } = fit(canvas, canvas.clientWidth || 300, height);
  const points = lines.flatMap(({ points }) => points);
  context.font = "12px system-ui, 'DejaVu Sans', sans-serif";
  context.fillStyle = color("soft");
  if (points.length === 0) {
    context.fillText("nothing yet", 8, height / 2);
    return;
  }
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  let [bottom, ceiling] = range || [Math.min(...ys), Math.max(...ys)];
  if (bottom === ceiling) [bottom, ceiling] = [bottom - 0.5, ceiling + 0.5];
  const [first, last] = [Math.min(...xs), Math.max(Math.max(...xs), Math.min(...xs) + 1)];
  const [left, right, top, floor] = [54, width - 8, 8, height - 20];
  const x = (value) => left + (right - left) * (value - first) / (last - first);
  const y = (value) => floor - (floor - top) * (value - bottom) / (ceiling - bottom);
  context.strokeStyle = color("line");
  context.lineWidth = 1;
  context.textBaseline = "middle";
  for (const share of [0, 0.5, 1]) {
    const value = bottom + share * (ceiling - bottom);
    context.beginPath();
    context.moveTo(left, y(value));
    context.lineTo(right, y(value));
    context.stroke();
    context.textAlign = "right";
    context.fillText(range ? `${Math.round(100 * value)} %` : short(value), left - 6, y(value));
  }
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
  context.fillText(short(first), left, height - 5);
  context.textAlign = "right";
  context.fillText(short(last), right, height - 5);
  for (const line of lines) {
    context.strokeStyle = context.fillStyle = line.color;
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.beginPath();
    line.points.forEach(([px, py], i) => (i ? context.lineTo(x(px), y(py)) : context.moveTo(x(px), y(py))));
    context.stroke();
    const end = line.points[line.points.length - 1];
    if (end) {
      context.beginPath();
      context.arc(x(end[0]), y(end[1]), 3, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

function curves() {
  const colors = [color("blue"), color("green"), color("orange")];
  const rates = page.curves.rates.map((series, i) => ({ ...series, color: colors[i % 3] }));
  id("rates-legend").replaceChildren(...rates.map((line) => {
    const entry = document.createElement("span");
    const mark = document.createElement("i");
    mark.style.background = line.color;
    entry.append(mark, line.name);
    return entry;
  }));
  const { losses } = page.curves;
  const holder = id("losses");
  if (holder.children.length !== losses.length) {
    holder.replaceChildren(...losses.map(() => {
      const figure = document.createElement("figure");
      figure.className = "card";
      const caption = document.createElement("figcaption");
      caption.append(document.createElement("h2"), document.createElement("b"));
      figure.append(caption, document.createElement("canvas"));
      return figure;
    }));
  }
  plot(id("rates"), rates, [0, 1], RATES_PX);
  losses.forEach((series, i) => {
    const [caption, canvas] = holder.children[i].children;
    const end = series.points[series.points.length - 1];
    caption.children[0].textContent = series.name;
    caption.children[1].textContent = end ? short(end[1]) : "";
    plot(canvas, [{ ...series, color: color("blue") }], null, LOSS_PX);
  });
}

let resized = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resized);
  resized = requestAnimationFrame(() => page.curves && curves());
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page.curves && curves());

setInterval(() => {
  const now = performance.now();
  for (const figure of document.querySelectorAll("#cameras figure")) {
    figure.classList.toggle("old", !(now - pictureAt[figure.dataset.camera] < PICTURE_OLD_MS));
  }
}, 500);

// ---- commands ----

function can(event) {
  return page.unlocked && page.events.includes(event);
}

function say(event) {
  if (!can(event)) return;
  send({ type: "say", event });
}

/// The arm moves after this, so that it is asked for twice.
let sure = 0;
function recover(button) {
  if (button.classList.contains("sure")) {
    say("recover");
    unsure(button);
    return;
  }
  button.classList.add("sure");
  button.textContent = "Cell is clear: press again";
  sure = setTimeout(() => unsure(button), 4000);
}

function unsure(button) {
  clearTimeout(sure);
  button.classList.remove("sure");
  button.textContent = "Let the arm move again";
}

function buttons() {
  const { scene } = page;
  const fits = {
    start: startOrPause() === "start", pause: startOrPause() === "pause", recover: scene && scene.stopped,
    keep: reviewing(), success: !reviewing(), failure: !reviewing(), reset: !reviewing(),
  };
  for (const button of document.querySelectorAll("[data-say]")) {
    const event = button.dataset.say;
    button.hidden = !page.events.includes(event) || (event in fits && !fits[event]);
    button.disabled = !page.unlocked || !isOpen() || Boolean(scene && scene.ended);
  }
  id("drive").hidden = !page.drives;
  id("arm").disabled = !page.unlocked || !isOpen();
}

for (const button of document.querySelectorAll("[data-say]")) {
  button.addEventListener("click", () =>
    button.dataset.say === "recover" ? recover(button) : say(button.dataset.say));
}

// ---- the hand ----

const held = new Set();
let pushing = false;
let slow = false;
let beats = 0;
let padBefore = [];

function arm(on) {
  page.armed = on && page.unlocked && page.drives;
  if (!page.armed) letGoOfKeys();
  id("arm").setAttribute("aria-pressed", String(page.armed));
  id("drive").classList.toggle("armed", page.armed);
}

function letGoOfKeys() {
  held.clear();
  marks();
}

function marks() {
  for (const button of document.querySelectorAll("[data-push]")) {
    button.classList.toggle("on", held.has(button.dataset.push));
  }
}

function press(key) {
  if (!page.armed) return;
  held.add(key);
  marks();
  beat();
}

function release(key) {
  if (held.delete(key)) {
    marks();
    beat();
  }
}

id("arm").addEventListener("click", () => arm(!page.armed));
id("speed").addEventListener("input", () => { id("speed-said").textContent = `${id("speed").value} %`; });

for (const button of document.querySelectorAll("[data-push]")) {
  const key = button.dataset.push;
  button.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    button.setPointerCapture(event.pointerId);
    press(key);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    button.addEventListener(end, () => release(key));
  }
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  // With the keyboard on the button itself.
  button.addEventListener("keydown", (event) => {
    if (event.key === " " || event.key === "Enter") { event.preventDefault(); press(key); }
  });
  button.addEventListener("keyup", (event) => {
    if (event.key === " " || event.key === "Enter") release(key);
  });
}

addEventListener("keydown", (event) => {
  slow = event.shiftKey;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key.toLowerCase();
  if (key === "escape") { say("soft_stop"); event.preventDefault(); return; }
  if (event.repeat) return;
  if (key in PUSHES) press(key);
  else if (key === "t") arm(!page.armed);
  else if (key === "p") say(startOrPause());
  else if (key in SAYS) say(SAYS[key]);
});
addEventListener("keyup", (event) => {
  slow = event.shiftKey;
  const key = event.key.toLowerCase();
  if (key in PUSHES) release(key);
});
// Keys that are let go of elsewhere are never heard of.
addEventListener("blur", letGoOfKeys);

function gamepad() {
  const pad = [...(navigator.getGamepads ? navigator.getGamepads() : [])].find((pad) => pad && pad.connected);
  put("pad-said", pad ? `Gamepad: ${pad.id.split("(")[0].trim()}.` : "No gamepad.");
  if (!pad) { padBefore = []; return null; }
  const pressed = pad.buttons.map((button) => button.pressed);
  pressed.forEach((now, number) => {
    if (!now || padBefore[number] || !page.armed) return;
    if (number === PAD_PAUSE) say(startOrPause());
    else if (reviewing() && number in PAD_REVIEWS) say(PAD_REVIEWS[number]);
    else if (number in PAD_SAYS) say(PAD_SAYS[number]);
  });
  padBefore = pressed;
  const stick = (value = 0) => {
    const size = Math.abs(value);
    return size < STICK_REST ? 0 : Math.sign(value) * (size - STICK_REST) / (1 - STICK_REST);
  };
  const [sideways, forwards, turn, height] = pad.axes.slice(0, 4).map(stick);
  const twist = [-forwards || 0, -sideways || 0, -height || 0, 0, 0, -turn || 0];
  const holds = pressed[4] || pressed[5] || padGrip();
  return twist.some((x) => x !== 0) || holds ? twist : null;
}

const padGrip = () => PAD_GRIPS[Object.keys(PAD_GRIPS).find((number) => padBefore[number])];

/// What the hand tells the gripper now; null for nothing.
function grip() {
  if (!page.armed) return null;
  return GRIPS[[...held].find((key) => key in GRIPS)] || padGrip() || null;
}

/// What the hand pushes now; null at rest.
function push() {
  const sticks = gamepad();
  if (!page.armed || (held.size === 0 && !sticks)) return null;
  const sum = sticks ? [...sticks] : [0, 0, 0, 0, 0, 0];
  for (const key of held) PUSHES[key].forEach((x, i) => { sum[i] += x; });
  const scale = (id("speed").value / 100) * (slow ? 1 / 3 : 1);
  return sum.map((x) => Number((Math.max(-1, Math.min(1, x)) * scale).toFixed(3)));
}

function beat() {
  if (!page.unlocked || !page.drives || document.hidden) return;
  const now = push();
  const was = pushing;
  pushing = now !== null;
  beats += 1;
  if (!pushing && !was && beats % REST_BEATS !== 0) return;
  page.sequence += 1;
  send({ type: "hand", sequence: page.sequence, sent_ms: performance.now(), push: now, gripper: grip() });
}
setInterval(beat, BEAT_MS);

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return;
  letGoOfKeys();
  pushing = false;
  send({ type: "let_go" });
});
addEventListener("pagehide", () => send({ type: "let_go" }));

connect();
