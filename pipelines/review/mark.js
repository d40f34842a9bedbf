// The mark on the wrong answer: from which word to which the first mistake reaches.

import { write } from "./text.js";

export class Mark {
  // element: where the wrong answer is shown. onMark: called when the mark stands elsewhere.
  // onChange: called when the reviewer put it there.
  constructor(element, onMark, onChange) {
    this.element = element;
    this.onMark = onMark;
    this.onChange = onChange;
    this.range = [0, 0];
    this.words = [];  // one element a word, in order; the last is the end of the answer
    this.dragFrom = null;
    element.addEventListener("pointerdown", (event) => this.#press(event));
    document.addEventListener("pointermove", (event) => this.#drag(event));
    document.addEventListener("pointerup", () => { this.dragFrom = null; });
  }

  get end() { return this.words.length - 1; }
  get isEnd() { return this.range[0] === this.end; }
  get isMoved() { return this.range.some((word, side) => word !== this.proposed[side]); }
  get text() { return this.#marked().map((part) => part.textContent).join(""); }

  // Shows an answer. pieces: [text, whether it is a word], in order.
  show(pieces, proposed) {
    this.words = [];
    this.proposed = proposed;
    const parts = pieces.map(([text, isWord]) => {
      const part = document.createElement("span");
      write(part, text);
      if (isWord) this.#add(part);
      return part;
    });
    const end = document.createElement("span");
    end.textContent = "end";
    end.classList.add("end");
    this.#add(end);
    this.element.replaceChildren(...parts, end);
  }

  put(first, last) {
    first = Math.max(0, Math.min(first, this.end));
    last = Math.max(first, Math.min(last, this.end));
    // The end of the answer is a place of its own, not the last of several words.
    if (last === this.end && first !== this.end) last = this.end - 1;
    for (const part of this.#marked()) part.classList.remove("marked");
    this.range = [first, last];
    for (const part of this.#marked()) part.classList.add("marked");
    this.onMark();
  }

  // What the reviewer does: puts the mark, and keeps it in sight.
  change(first, last) {
    this.put(first, last);
    this.scrollTo();
    this.onChange();
  }

  move(by) {
    const [first, last] = this.range;
    if (first + by < 0) return;
    // Beyond the last word lies the end of the answer.
    if (last + by >= this.end) this.change(this.end, this.end);
    else this.change(first + by, last + by);
  }

  stretch(by) {
    if (!this.isEnd) this.change(this.range[0], Math.max(this.range[0], this.range[1] + by));
  }

  scrollTo() {
    this.words[this.range[0]].scrollIntoView({ block: "nearest" });
  }

  #add(element) {
    const [first, last] = this.proposed;
    element.dataset.word = this.words.length;
    element.classList.add("word");
    element.classList.toggle("proposed", this.words.length >= first && this.words.length <= last);
    this.words.push(element);
  }

  // The elements from the first to the last marked word, with what stands between them.
  #marked() {
    const parts = [];
    const last = this.words[this.range[1]];
    for (let part = this.words[this.range[0]]; part; part = part.nextElementSibling) {
      parts.push(part);
      if (part === last) break;
    }
    return parts;
  }

  #wordAt(event) {
    const found = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-word]");
    return found && this.element.contains(found) ? Number(found.dataset.word) : null;
  }

  #press(event) {
    const word = event.button === 0 ? this.#wordAt(event) : null;
    if (word === null) return;
    if (event.shiftKey) {
      event.preventDefault();
      this.#span(this.range[0], word);
      return;
    }
    // A finger that moves scrolls the page; a mouse that moves marks a range.
    if (event.pointerType === "mouse") {
      event.preventDefault();
      this.element.focus({ preventScroll: true });
      this.dragFrom = word;
    }
    this.change(word, word);
  }

  #drag(event) {
    const word = this.dragFrom === null ? null : this.#wordAt(event);
    if (word !== null) this.#span(this.dragFrom, word);
  }

  #span(one, other) {
    this.change(Math.min(one, other), Math.max(one, other));
  }
}
