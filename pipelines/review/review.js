// The review page: what is shown, and what the reviewer does. Positions are words, by number;
// the server alone counts characters.

import { ask, Refused, token } from "./connection.js";
import { Mark } from "./mark.js";
import { fill, write } from "./text.js";

const DRAFT = "review-draft";
const RETRY_MILLISECONDS = 2000;
const $ = (id) => document.getElementById(id);

let overview = null;
let item = null;
let busy = false;
let retry = null;
const mark = new Mark($("wrong"), showMark, keepDraft);

// Runs one request at a time. What fails is said, and nothing on the page moves on.
async function attempt(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
    problem("");
  } catch (error) {
    if (error instanceof Refused) problem(error.message);
    else lost();
  } finally {
    busy = false;
  }
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function lost() {
  problem("The review server does not answer, so nothing is being saved. Start it again with the "
    + "same command; this page goes on by itself.");
  if (retry === null) retry = setInterval(reconnect, RETRY_MILLISECONDS);
}

async function reconnect() {
  try {
    const found = await ask("/api/session");
    clearInterval(retry);
    retry = null;
    problem("");
    showOverview(found);
    if (!item) start();
  } catch (error) {
    if (error instanceof Refused) problem(error.message);
  }
}

// ---- showing ----

const NAMES = { accept: "accepted", move: "moved", reject: "rejected", skip: "skipped" };

function showOverview(found) {
  overview = found;
  document.title = `${found.decided}/${found.total} · ${found.name}`;
  $("name").textContent = found.name;
  $("reviewer").textContent = found.reviewer;
  $("file").textContent = found.file;
  $("progress").max = found.total;
  $("progress").value = found.decided;
  $("count").textContent = `${found.decided} of ${found.total} decided`;
  fill($("verdicts"), Object.entries(NAMES)
    .filter(([verdict]) => found.counts[verdict])
    .map(([verdict, name]) => `${found.counts[verdict]} ${name}`));
  fill($("agreement"), found.agreement.map((pair) => {
    if (!pair.shared) return `${pair.second}: no tuple in common yet`;
    const kappa = pair.kappa === null ? "" : `, κ ${pair.kappa.toFixed(2)}`;
    const places = pair.both_kept
      ? `, ${pair.exact} of ${pair.both_kept} mistakes at the same place` : "";
    return `${pair.second}: ${pair.same_verdict} of ${pair.shared} decisions the same${kappa}${places}`;
  }));
}

function showItem(found) {
  item = found;
  $("tuple").hidden = false;
  $("done").hidden = true;
  $("place").textContent = `${found.place + 1} of ${overview.total} · ${found.prompt_id}`;
  write($("prompt"), found.prompt || "(the prompt's text is not in this file: --prompts FILE)");
  write($("reference"), found.reference);
  $("reference-line").hidden = !found.reference;
  write($("correct"), found.correct);
  write($("drafter"), `by ${found.drafter}`);
  write($("evidence"), found.evidence ? `Proposed: ${found.evidence} · ` : "Proposed with ");
  $("confidence").textContent = `confidence ${Math.round(found.confidence * 100)} %`;
  $("note").value = found.note;
  showDecided(found);
  mark.show(found.pieces, found.proposed);
  mark.put(...(found.marked || found.proposed));
  const draft = readDraft();
  if (draft && draft.id === found.id) {
    mark.put(...draft.mark);
    $("note").value = draft.note;
  }
  $("wrong").focus({ preventScroll: true });
  mark.scrollTo();
}

function showDecided(found) {
  const lines = [];
  if (found.verdict) lines.push(`You ${NAMES[found.verdict]} this one.`);
  for (const other of found.others) {
    lines.push(`${other.reviewer} ${NAMES[other.verdict]} it${other.text ? `: “${other.text.trim()}”` : ""}.`);
  }
  write($("decided"), lines.join(" "));
  $("decided").hidden = !lines.length;
}

function showMark() {
  write($("mark"), mark.isEnd ? "the answer stops too early" : mark.text);
  $("moved").textContent = mark.isMoved ? "(moved)" : "(as proposed)";
  $("accept-label").textContent = mark.isMoved ? "Accept moved" : "Accept";
}

// ---- what the reviewer does ----

function keepDraft() {
  sessionStorage.setItem(DRAFT, JSON.stringify(
    { id: item.id, place: item.place, mark: mark.range, note: $("note").value }));
}

function readDraft() {
  try {
    return JSON.parse(sessionStorage.getItem(DRAFT));
  } catch {
    return null;
  }
}

function decide(verdict) {
  if (!item || $("tuple").hidden) return;
  const shown = item;
  attempt(async () => {
    const found = await ask("/api/decisions", {
      place: shown.place, tuple_id: shown.id, verdict,
      marked: verdict === "keep" ? mark.range : null, note: $("note").value,
    });
    sessionStorage.removeItem(DRAFT);
    await goTo(found.next, found);
    $("saved").textContent = `saved ${new Date().toLocaleTimeString()}`;
  });
}

function undo() {
  attempt(async () => {
    const found = await ask("/api/undo", {});
    sessionStorage.removeItem(DRAFT);
    await goTo(found.next, found);
    $("saved").textContent = "taken back";
  });
}

// Shows another tuple, and the progress with it in the same moment: whoever sees that a decision
// was counted can make the next one.
async function goTo(place, progress = overview) {
  const found = place === null ? null : await ask(`/api/items/${place}`);
  showOverview(progress);
  if (found) {
    showItem(found);
  } else {
    $("tuple").hidden = true;
    $("done").hidden = false;
  }
  const nothing = $("tuple").hidden;
  for (const button of document.querySelectorAll("footer button")) {
    button.disabled = nothing && button.dataset.do !== "undo";
  }
}

function browse(by) {
  const shown = item ? item.place : overview.total - 1;
  const from = $("tuple").hidden && by < 0 ? shown + 1 : shown;
  const place = Math.max(0, Math.min(overview.total - 1, from + by));
  attempt(() => goTo(place));
}

const ACTIONS = {
  accept: () => decide("keep"),
  reject: () => decide("reject"),
  skip: () => decide("skip"),
  undo,
  back: () => mark.move(-1),
  forth: () => mark.move(1),
  shorter: () => mark.stretch(-1),
  longer: () => mark.stretch(1),
  end: () => mark.change(mark.end, mark.end),
  proposed: () => mark.change(...item.proposed),
  previous: () => browse(-1),
  next: () => browse(1),
  help: () => $("help").showModal(),
  note: () => $("note").focus(),
};
const KEYS = {
  a: "accept", enter: "accept", r: "reject", s: "skip", u: "undo", e: "end", escape: "proposed",
  p: "previous", n: "next", c: "note", "?": "help",
};
const NEEDS_ITEM = new Set(["back", "forth", "shorter", "longer", "end", "proposed", "note"]);

function act(name) {
  if (!overview || (NEEDS_ITEM.has(name) && (!item || $("tuple").hidden))) return;
  ACTIONS[name]();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || $("help").open) return;
  if (event.target === $("note")) {
    if (event.key === "Escape") $("wrong").focus();
    return;
  }
  let name = KEYS[event.key.toLowerCase()];
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    // In text that runs from right to left, the left arrow leads on.
    const leftToRight = getComputedStyle($("wrong")).direction === "ltr";
    const on = (event.key === "ArrowRight") === leftToRight;
    name = event.shiftKey ? (on ? "longer" : "shorter") : (on ? "forth" : "back");
  } else if (event.repeat || (event.key === "Enter" && event.target.closest("button"))) {
    return;  // a held key decides once; Enter on a button is that button's
  }
  if (!name) return;
  event.preventDefault();
  act(name);
});

document.querySelector("footer").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (button) act(button.dataset.do);
});
$("help-button").addEventListener("click", () => act("help"));
$("note").addEventListener("input", () => item && keepDraft());

function start() {
  attempt(async () => {
    const found = await ask("/api/session");
    const draft = readDraft();
    const kept = draft && draft.place < found.total ? await ask(`/api/items/${draft.place}`) : null;
    await goTo(kept && kept.id === draft.id ? kept.place : found.next, found);
  });
}

if (token) start();
else problem("Open the address that the terminal printed: it ends in #, followed by a token.");
