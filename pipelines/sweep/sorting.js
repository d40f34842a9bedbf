// Tables whose headings are buttons are sorted by them: numbers the largest first, names from A on,
// the other way at the second press. What has no value stays last.
"use strict";
(() => {
  const NEXT = { ascending: "descending", descending: "ascending" };

  function keyOf(row, column) {
    const cell = row.cells[column];
    return "value" in cell.dataset ? cell.dataset.value : cell.textContent.trim();
  }

  function compare(one, other, numeric, down) {
    if (one === "" || other === "") return (one === "") - (other === "");
    const order = numeric ? Number(one) - Number(other) : one.localeCompare(other);
    return down ? -order : order;
  }

  function sort(heading) {
    const table = heading.closest("table");
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const column = heading.cellIndex;
    const keys = new Map(rows.map((row) => [row, keyOf(row, column)]));
    const numeric = [...keys.values()].every((key) => key === "" || Number.isFinite(Number(key)));
    const before = heading.getAttribute("aria-sort");
    const way = NEXT[before] || (numeric ? "descending" : "ascending");
    for (const other of table.tHead.querySelectorAll("[aria-sort]")) {
      other.setAttribute("aria-sort", other === heading ? way : "none");
    }
    const down = way === "descending";
    rows.sort((a, b) => compare(keys.get(a), keys.get(b), numeric, down));
    body.append(...rows);
  }

  for (const button of document.querySelectorAll("th[aria-sort] button")) {
    button.addEventListener("click", () => sort(button.closest("th")));
  }
})();
