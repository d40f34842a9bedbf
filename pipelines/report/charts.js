// Draws every chart of the page from the specification that stands in it as JSON.
// Colours are the page's CSS variables, which the drawn SVG refers to by name: it follows the
// reader's theme, and paper, without being drawn again.
"use strict";
(() => {
  // The page's policy forbids code made from text: expressions are interpreted (ast).
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true,
    tooltip: { disableDefaultStyle: true, theme: "page" },
  };

  async function draw(figure) {
    const place = figure.querySelector(".drawing");
    try {
      const spec = JSON.parse(figure.querySelector("script").textContent);
      const { view } = await vegaEmbed(place, spec, options);
      await view.runAsync();
      figure.dataset.drawn = "yes";
    } catch (error) {
      place.textContent = "This chart could not be drawn.";
      console.error(error);
    }
  }

  // A chart takes its width from its place, also when that was hidden before.
  let waiting = 0;
  const places = new ResizeObserver(() => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => window.dispatchEvent(new Event("resize")));
  });

  for (const figure of document.querySelectorAll("figure.chart")) {
    draw(figure).then(() => places.observe(figure));
  }
})();
