// The current view, and the controls that change it.

const view = { number: 0, step: 0, line: 0, unit: 0, every: false, printing: false };

function show(number) {
  view.number = number;
  view.trace = data.sources[number];
  view.lines = findLines();
  view.step = Math.min(1, view.trace.output.length);
  find("headline").textContent = view.trace.title;
  find("tags").hidden = !view.trace.tags.length;
  find("tags").replaceChildren("Tags: ", ...view.trace.tags.map((tag) => makeSymbol([tag, false])));
  find("step").max = view.trace.output.length;
  find("line").replaceChildren(
    ...view.lines.map((line, index) => make("option", { value: index }, line.name)),
  );
  drawPicture();
  view.line = Math.min(view.line, view.lines.length - 1);
  followUnit(...(number === 0 && !view.initialized ? findStrongest() : [view.line, view.unit]));
  view.initialized = true;
  goTo(view.step);
}

// The unit that carries most over the bridge, in the layer that outputs the symbols.
function findStrongest() {
  const layer = view.trace.decoder[view.trace.decoder.length - 1];
  const array = layer.arrays.cell || layer.arrays.hidden;
  const unit = unitOfRow(array, 0, 0, array.shape[1]);
  const index = view.lines.findIndex((line) => line.decoder === layer && unit >= line.shift);
  const fits = view.lines.findIndex(
    (line) => line.decoder === layer && unit >= line.shift && unit - line.shift < maxUnits(line),
  );
  const chosen = Math.max(0, fits < 0 ? index : fits);
  return [chosen, unit - view.lines[chosen].shift];
}

function goTo(step) {
  view.step = Math.max(0, Math.min(view.trace.output.length, step));
  find("step").value = view.step;
  find("back").disabled = view.step === 0;
  find("forth").disabled = view.step === view.trace.output.length;
  describeStep();
  const token = view.step ? view.trace.output[view.step - 1][0] : "nothing yet";
  find("step").setAttribute("aria-valuetext", `step ${view.step}, outputs ${token}`);
}

function redraw() {
  drawPicture();
  followUnit(view.line, view.unit);
  describeStep();
}

function showTip(event, words) {
  const tip = find("tip");
  tip.textContent = words;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - width - 4);
  const below = event.clientY + 18 + height < window.innerHeight;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${below ? event.clientY + 18 : event.clientY - height - 12}px`;
}

// Show a value where an element is pointed at, or tapped: a tap moves no pointer, and the tip stays
// until the next one.
function showValues(element, describe) {
  element.addEventListener("pointermove", (event) => showTip(event, describe(event)));
  element.addEventListener("pointerleave", hideTip);
  element.addEventListener("click", (event) => showTip(event, describe(event)));
}

function hideTip() {
  find("tip").hidden = true;
}

function drawLegend() {
  const scale = (name, limit, low) => {
    const canvas = paint(121, 1, (column) => low + ((1 - low) * column) / 120);
    canvas.setAttribute("aria-hidden", "true");
    const ends = low ? [`−${limit}`, `+${limit}`] : ["0", `${limit}`];
    return make("span", { class: "scale" }, make("b", {}, name), ends[0], canvas, ends[1]);
  };
  const scales = data.scales.map(([name, limit]) => scale(name, limit, -1));
  if (data.sources.some((source) => source.attention || source.top)) {
    const names = data.sources.some((source) => source.attention) ? "attention, probability" : "probability";
    scales.push(scale(names, 1, 0));
  }
  const every = make("input", { type: "checkbox", id: "every" });
  const label = make("label", { id: "every-label", class: "screen", hidden: "" }, every, " every unit in a row of its own");
  every.addEventListener("change", () => {
    view.every = every.checked;
    redraw();
  });
  find("legend").replaceChildren(...scales, label);
}

function describeModel() {
  const cells = data.sources[0].encoder.some((layer) => layer.arrays.cell);
  find("vectors").textContent = cells
    ? "in every layer a vector it shows, hidden, and one it keeps to itself, cell"
    : "in every layer one vector, hidden";
  find("lead-attention").textContent = data.sources.some((source) => source.attention)
    ? "At each step it may also look back at the source, by attention."
    : "";
  find("origin").textContent = `${data.run}, made by ${data.made_by}.`;
  find("choose").hidden = data.sources.length < 2;
  find("source").replaceChildren(
    ...data.sources.map((source, index) => make("option", { value: index }, source.title)),
  );
}

function listen() {
  find("source").addEventListener("change", (event) => show(Number(event.target.value)));
  find("step").addEventListener("input", (event) => goTo(Number(event.target.value)));
  find("back").addEventListener("click", () => goTo(view.step - 1));
  find("forth").addEventListener("click", () => goTo(view.step + 1));
  find("line").addEventListener("change", (event) => followUnit(Number(event.target.value), view.unit));
  find("unit").addEventListener("change", (event) => followUnit(view.line, Math.round(event.target.value) - 1));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("select, input");
    if (typing || event.altKey || event.ctrlKey || event.metaKey) return;
    const steps = { ArrowLeft: view.step - 1, ArrowRight: view.step + 1, Home: 0, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    goTo(steps[event.key]);
  });
  for (const kind of ["pointermove", "click"]) {
    find("picture").addEventListener(kind, (event) => {
      const cell = event.target.closest("[data-tip]");
      if (cell) showTip(event, cell.dataset.tip);
    });
  }
  document.addEventListener("pointerdown", hideTip);
  find("picture").addEventListener("pointerout", (event) => {
    if (event.target.matches("[data-tip]")) hideTip();
  });
  const print = (printing) => {
    if (view.printing === printing) return;
    view.printing = printing;
    redraw();
  };
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (width !== window.innerWidth && !view.printing) redraw();
    width = window.innerWidth;
  });
}

drawLegend();
describeModel();
show(0);
listen();
