// Every token's facts stand in its title, a line each: what became of it, then who says what.
// Texts of models reach the page as text alone: what is shown here is cloned or set as text.
(() => {
  "use strict";
  const view = document.getElementById("token-view");
  if (!view) return;
  view.classList.add("scripted");
  const answers = [...view.querySelectorAll("details.answer")];
  const POINTED = ".t, .tokens del";

  // The browser's own tooltip would cover the panel.
  const tips = new WeakMap();
  for (const told of view.querySelectorAll(".tokens [title]")) {
    tips.set(told, told.title);
    told.removeAttribute("title");
  }

  const FEW = 12;
  const more = view.querySelector(".more");
  const chosen = { outcome: "all", family: "", many: false };
  const fits = {
    all: () => true,
    changed: (answer) => "changed" in answer.dataset,
    wrong: (answer) => answer.dataset.turned === "wrong",
    right: (answer) => answer.dataset.turned === "right",
  };

  function filter() {
    let count = 0;
    for (const answer of answers) {
      const fitting = wanted(answer);
      count += fitting;
      answer.hidden = !fitting || (count > FEW && !chosen.many);
    }
    more.hidden = count <= FEW || chosen.many;
    more.textContent = `show the other ${count - FEW}`;
    view.querySelector(".shown").textContent = `${count} of ${answers.length} answers`;
    hide();
  }

  for (const group of view.querySelectorAll(".filters")) {
    group.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (!button) return;
      chosen[group.dataset.filter] = button.value;
      for (const one of group.children) one.setAttribute("aria-pressed", one === button);
      filter();
    });
  }

  function wanted(answer) {
    const family = !chosen.family || answer.dataset.family === chosen.family;
    return family && fits[chosen.outcome](answer);
  }

  // Paper has no button: every answer that fits is printed, and open.
  let before = null;
  addEventListener("beforeprint", () => {
    before ??= answers.map(({ hidden, open }) => ({ hidden, open }));
    for (const answer of answers) {
      answer.hidden = !wanted(answer);
      answer.open = true;
    }
  });
  addEventListener("afterprint", () => {
    before?.forEach((state, place) => Object.assign(answers[place], state));
    before = null;
  });

  more.addEventListener("click", () => {
    chosen.many = true;
    filter();
  });

  view.querySelector(".legend").addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    const off = button.getAttribute("aria-pressed") === "true";
    for (const one of view.querySelectorAll(".legend button")) {
      one.setAttribute("aria-pressed", one === button && !off);
    }
    if (off) delete view.dataset.only;
    else view.dataset.only = button.dataset.fate;
  });

  const openAll = view.querySelector(".open-all");
  openAll.addEventListener("click", () => {
    const open = openAll.textContent === "open all";
    for (const answer of answers) answer.open = open;
    openAll.textContent = open ? "close all" : "open all";
  });

  const panel = document.createElement("div");
  panel.className = "token-panel";
  panel.setAttribute("role", "status");
  panel.hidden = true;
  document.body.append(panel);
  let current = null;
  let pinned = false;

  function element(name, content, className) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (content) made.append(content);
    return made;
  }

  function shownToken(token) {
    const copy = element(token.tagName === "DEL" ? "del" : "bdi");
    copy.append(...[...token.childNodes].map((node) => node.cloneNode(true)));
    return copy;
  }

  // The token and, where it replaced another one, that one beside it.
  function pairOf(token) {
    if (token.tagName === "DEL") return [token, token.nextElementSibling];
    const before = token.previousElementSibling;
    return before && before.tagName === "DEL" ? [before, token] : [token];
  }

  function table(tokens) {
    const made = element("table");
    const columns = tokens.map((token) => {
      const facts = tips.get(token).split("\n").slice(1);
      return new Map(facts.map((fact) => {
        const space = fact.indexOf(" ");
        return [fact.slice(0, space), fact.slice(space + 1)];
      }));
    });
    const head = made.createTHead().insertRow();
    head.append(element("th"), ...tokens.map((token) => element("td", shownToken(token))));
    const body = made.createTBody();
    for (const who of new Set(columns.flatMap((column) => [...column.keys()]))) {
      const row = body.insertRow();
      const label = element("th", who);
      label.scope = "row";
      row.append(label, ...columns.map((column) => element("td", column.get(who) ?? "–")));
    }
    return made;
  }

  function whereabouts(token) {
    const cycle = token.closest(".cycle");
    const own = token.tagName === "DEL" ? token.nextElementSibling : token;
    const place = [...cycle.querySelectorAll(".t")].indexOf(own) + 1;
    return `token ${place} of ${tips.get(cycle)}`;
  }

  function show(told) {
    current?.classList.remove("at");
    current = told;
    const close = element("button", "×");
    close.type = "button";
    close.setAttribute("aria-label", "Close");
    close.addEventListener("click", hide);
    if (told.classList.contains("cycle")) {
      panel.replaceChildren(close, element("p", tips.get(told)));
    } else {
      const tokens = pairOf(told);
      const fate = tips.get(tokens.at(-1)).split("\n")[0];
      panel.replaceChildren(
        close, element("p", fate, `fate ${tokens.at(-1).className}`), table(tokens), element("p", whereabouts(told), "where"),
      );
    }
    told.classList.add("at");
    panel.hidden = false;
    place();
  }

  function place() {
    if (panel.hidden || !current) return;
    // Of a token that is broken over lines, the first part.
    const box = current.getClientRects()[0];
    if (!box || box.bottom < 0 || box.top > innerHeight) return hide();
    const { offsetWidth: width, offsetHeight: height } = panel;
    const below = box.bottom + 8 + height < innerHeight;
    panel.style.top = `${below ? box.bottom + 8 : Math.max(4, box.top - 8 - height)}px`;
    panel.style.left = `${Math.max(12, Math.min(box.left, document.documentElement.clientWidth - width - 12))}px`;
  }

  function hide() {
    current?.classList.remove("at");
    current = null;
    pinned = false;
    panel.hidden = true;
  }

  view.addEventListener("pointerover", ({ target, pointerType }) => {
    if (pinned || pointerType === "touch") return;
    const told = target.closest(POINTED) ?? target.closest(".cycle");
    if (told && told.closest(".tokens")) show(told);
    else hide();
  });
  view.addEventListener("pointerleave", () => pinned || hide());
  document.addEventListener("click", ({ target }) => {
    if (panel.contains(target)) return;
    const told = target.closest(".tokens") && (target.closest(POINTED) ?? target.closest(".cycle"));
    const again = pinned && told === current;
    hide();
    if (!told || again) return;
    show(told);
    pinned = true;
  });
  addEventListener("scroll", place, { passive: true, capture: true });
  addEventListener("resize", place);
  addEventListener("keydown", ({ key }) => key === "Escape" && hide());

  function step(tokens, key, at) {
    const moves = { ArrowRight: 1, ArrowLeft: -1 };
    if (key in moves) return at + moves[key];
    if (key === "Home") return 0;
    if (key === "End") return tokens.length - 1;
    const cycles = tokens.map((token) => token.closest(".cycle"));
    if (key === "ArrowDown") return cycles.lastIndexOf(cycles[at]) + 1;
    if (key === "ArrowUp") return cycles.indexOf(cycles[cycles.indexOf(cycles[at]) - 1]);
    return NaN;
  }

  for (const answer of view.querySelectorAll(".tokens")) {
    answer.tabIndex = 0;
    answer.setAttribute("role", "group");
    answer.setAttribute(
      "aria-label", "Answer, token by token: left and right lead to a token, up and down to a cycle",
    );
    answer.addEventListener("keydown", (event) => {
      const tokens = [...answer.querySelectorAll(".t")];
      const at = current && answer.contains(current) ? tokens.indexOf(pairOf(current).at(-1)) : -1;
      const rtl = answer.dir === "rtl" && { ArrowLeft: "ArrowRight", ArrowRight: "ArrowLeft" };
      const next = step(tokens, (rtl && rtl[event.key]) || event.key, at);
      if (Number.isNaN(next)) return;
      event.preventDefault();
      const token = tokens[Math.max(0, Math.min(next, tokens.length - 1))];
      token.scrollIntoView({ block: "nearest" });
      show(token);
      pinned = true;
    });
    answer.addEventListener("blur", () => pinned && !panel.matches(":hover") && hide());
  }

  filter();
})();
