// The review page: what is shown, and what the reviewer does. Positions are words, by number;
// the server alone counts characters.

import { ask, Refused, token } from "./connection.js";
import { fill, write } from "./text.js";

const DRAFT = "review-draft";
const RETRY_MILLISECONDS = 2000;
const $ = (id) => document.getElementById(id);

let overview = null;
let item = null;
let spans = [];         // one element a word, in order; the last is the end of the answer
let mark = [0, 0];      // first and last marked word
let busy = false;
let retry = null;
let dragFrom = null;

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
  showWrong(found.pieces);
  showDecided(found);
  setMark(...(found.marked || found.proposed));
  const draft = readDraft();
  if (draft && draft.id === found.id && draft.mark[1] < spans.length) {
    setMark(...draft.mark);
    $("note").value = draft.note;
  }
  $("wrong").focus({ preventScroll: true });
  spans[mark[0]].scrollIntoView({ block: "nearest" });
}

function showWrong(pieces) {
  spans = [];
  const parts = pieces.map(([text, isWord]) => {
    const part = document.createElement("span");
    write(part, text);
    if (isWord) addWord(part);
    return part;
  });
  const end = document.createElement("span");
  end.textContent = "end";
  end.classList.add("end");
  addWord(end);
  $("wrong").replaceChildren(...parts, end);
}

function addWord(element) {
  element.dataset.word = spans.length;
  element.classList.add("word");
  const [first, last] = item.proposed;
  element.classList.toggle("proposed", spans.length >= first && spans.length <= last);
  spans.push(element);
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

function setMark(first, last) {
  const end = spans.length - 1;
  first = Math.max(0, Math.min(first, end));
  last = Math.max(first, Math.min(last, end));
  // The end of the answer is a place of its own, not the last of several words.
  if (last === end && first !== end) last = end - 1;
  mark = [first, last];
  for (const part of $("wrong").children) part.classList.remove("marked");
  let part = spans[first];
  while (part) {
    part.classList.add("marked");
    if (part === spans[last]) break;
    part = part.nextElementSibling;
  }
  const moved = first !== item.proposed[0] || last !== item.proposed[1];
  write($("mark"), first === end ? "the answer stops too early" : markedText());
  $("moved").textContent = moved ? "(moved)" : "(as proposed)";
  $("accept-label").textContent = moved ? "Accept moved" : "Accept";
}

function markedText() {
  let text = "";
  for (let part = spans[mark[0]]; part; part = part.nextElementSibling) {
    text += part.textContent;
    if (part === spans[mark[1]]) break;
  }
  return text;
}

// ---- what the reviewer does ----

function move(by) {
  const size = mark[1] - mark[0];
  const end = spans.length - 1;
  let first = mark[0] + by;
  if (first < 0) return;
  if (first + size >= end) first = by > 0 && mark[1] === end - 1 ? end : Math.min(first, end);
  userMarks(first, first === end ? end : first + size);
}

function stretch(by) {
  if (mark[0] === spans.length - 1) return;
  userMarks(mark[0], Math.max(mark[0], mark[1] + by));
}

function userMarks(first, last) {
  setMark(first, last);
  keepDraft();
  spans[mark[0]].scrollIntoView({ block: "nearest" });
}

function keepDraft() {
  sessionStorage.setItem(DRAFT, JSON.stringify(
    { id: item.id, place: item.place, mark, note: $("note").value }));
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
      marked: verdict === "keep" ? mark : null, note: $("note").value,
    });
    sessionStorage.removeItem(DRAFT);
    showOverview(found);
    $("saved").textContent = `saved ${new Date().toLocaleTimeString()}`;
    await goTo(found.next);
  });
}

function undo() {
  attempt(async () => {
    const before = item;
    const found = await ask("/api/undo", {});
    sessionStorage.removeItem(DRAFT);
    showOverview(found);
    $("saved").textContent = "taken back";
    await goTo(found.next, before);
  });
}

async function goTo(place) {
  if (place === null) {
    $("tuple").hidden = true;
    $("done").hidden = false;
  } else {
    showItem(await ask(`/api/items/${place}`));
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
  back: () => move(-1),
  forth: () => move(1),
  shorter: () => stretch(-1),
  longer: () => stretch(1),
  end: () => userMarks(spans.length - 1, spans.length - 1),
  proposed: () => userMarks(...item.proposed),
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

function wordAt(event) {
  const found = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-word]");
  return found && $("wrong").contains(found) ? Number(found.dataset.word) : null;
}

$("wrong").addEventListener("pointerdown", (event) => {
  const word = event.button === 0 ? wordAt(event) : null;
  if (word === null) return;
  if (event.shiftKey) {
    event.preventDefault();
    userMarks(Math.min(mark[0], word), Math.max(mark[0], word));
  } else {
    // A finger that moves scrolls the page; a mouse that moves marks a range.
    if (event.pointerType === "mouse") {
      event.preventDefault();
      $("wrong").focus({ preventScroll: true });
      dragFrom = word;
    }
    userMarks(word, word);
  }
});
document.addEventListener("pointermove", (event) => {
  if (dragFrom === null) return;
  const word = wordAt(event);
  if (word !== null) userMarks(Math.min(dragFrom, word), Math.max(dragFrom, word));
});
document.addEventListener("pointerup", () => { dragFrom = null; });

function start() {
  attempt(async () => {
    const found = await ask("/api/session");
    showOverview(found);
    const draft = readDraft();
    const kept = draft && draft.place < found.total ? await ask(`/api/items/${draft.place}`) : null;
    if (kept && kept.id === draft.id) await goTo(kept.place);
    else await goTo(found.next);
  });
}

if (token) start();
else problem("Open the address that the terminal printed: it ends in #, followed by a token.");
