// Texts of prompts and answers are other people's: they reach the page through here, as text and
// never as markup.

export function fill(list, lines) {
  list.replaceChildren(...lines.map((line) => {
    const entry = document.createElement("li");
    entry.textContent = line;
    return entry;
  }));
}

// Characters that would hide or reorder text are shown by their number instead.
const HIDDEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu;

export function write(element, text) {
  element.replaceChildren();
  const readable = text.replaceAll("\r\n", "\n");
  let end = 0;
  for (const found of readable.matchAll(HIDDEN)) {
    element.append(readable.slice(end, found.index));
    const sign = document.createElement("span");
    sign.className = "sign";
    sign.textContent = "U+" + found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    element.append(sign);
    end = found.index + found[0].length;
  }
  element.append(readable.slice(end));
}
