// A click on an artifact of the lineage opens what is known of it and shows what it was made from.
// Without this script the same links lead to the same places.
"use strict";
(() => {
  const graph = document.querySelector(".lineage");
  if (!graph) return;
  const stageOf = (element) => element.dataset.stage;

  function mark(stage) {
    for (const node of graph.querySelectorAll(".node")) {
      const chosen = stageOf(node) === stage;
      node.classList.toggle("chosen", chosen);
      if (chosen) node.setAttribute("aria-current", "true");
      else node.removeAttribute("aria-current");
    }
    for (const edge of graph.querySelectorAll(".edge")) {
      edge.classList.toggle("chosen", [edge.dataset.from, edge.dataset.to].includes(stage));
    }
  }

  function open(stage) {
    for (const details of graph.querySelectorAll("details")) {
      details.open = stageOf(details) === stage;
      if (details.open) details.scrollIntoView({ block: "nearest" });
    }
    mark(stage);
  }

  graph.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-stage]");
    if (!link) return;
    event.preventDefault();
    open(stageOf(link));
  });
  for (const details of graph.querySelectorAll("details")) {
    details.addEventListener("toggle", () => {
      if (details.open) mark(stageOf(details));
    });
  }
})();
