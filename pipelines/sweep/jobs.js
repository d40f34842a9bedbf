// A job that is pointed at, in a chart, in a table or with the keyboard, stands out everywhere.
"use strict";
(() => {
  const views = [];
  const marked = document.querySelectorAll("[data-job]");
  let shown = null;

  function show(job) {
    if (job === shown) return;
    shown = job;
    document.body.classList.toggle("one-job", job !== null);
    for (const element of marked) {
      element.classList.toggle("lit", Number(element.dataset.job) === job);
    }
    for (const view of views) view.signal("job", job).runAsync();
  }

  function jobOf(item) {
    return item && item.datum && typeof item.datum.job === "number" ? item.datum.job : null;
  }

  document.addEventListener("drawn", (event) => {
    const view = event.detail.view;
    if (!("job" in view.getState({ signals: (name) => name === "job" }).signals)) return;
    views.push(view);
    view.addEventListener("pointermove", (_, item) => show(jobOf(item)));
    view.addEventListener("pointerout", () => show(null));
    view.addEventListener("click", (_, item) => show(jobOf(item)));
  });

  for (const element of marked) {
    const job = Number(element.dataset.job);
    element.addEventListener("pointerenter", () => show(job));
    element.addEventListener("pointerleave", () => show(null));
    element.addEventListener("focusin", () => show(job));
    element.addEventListener("focusout", () => show(null));
  }
})();
