// Beside the picture: the step in words, the likely symbols, one unit through time.

const CHART = { width: 340, left: 34, right: 6, top: 5, bottom: 5 };

function describeStep() {
  const { output, read, probabilities, attention, source } = view.trace;
  const step = view.step;
  const words = [make("b", {}, `Step ${step} of ${output.length}: `)];
  if (step === 0) {
    words.push("no output yet; the decoder has the state from the bridge.");
  } else {
    words.push("reads ", makeSymbol(read[step - 1]), ", outputs ", makeSymbol(output[step - 1]));
    if (probabilities) words.push(` (${percent(probabilities[step - 1])})`);
    if (attention && source.length) {
      const weights = source.map((_, index) => valueAt(attention, step - 1, index));
      const strongest = weights.indexOf(Math.max(...weights));
      const at = `, place ${strongest + 1} (${percent(weights[strongest])})`;
      words.push("; attends most to ", makeSymbol(source[strongest]), at);
    }
    const open = probabilities && step === output.length && !output[step - 1][1];
    words.push(open ? ", and is cut off there." : "."); // values have no end to come to
  }
  find("sentence").replaceChildren(...words);
  showBars();
  markStep();
}

function showBars() {
  const { top, output, probabilities } = view.trace;
  find("symbols").hidden = !top;
  if (!top) return;
  const step = view.step;
  find("symbols-hint").textContent = step
    ? `The likeliest symbols at step ${step}, with their probabilities.`
    : "At a step of decoding, the likeliest symbols stand here. Go one step on.";
  if (!step) return find("bars").replaceChildren();
  const outputToken = output[step - 1];
  const isOutput = ([text, special]) => text === outputToken[0] && special === outputToken[1];
  const rows = [...top[step - 1]];
  if (!rows.some(isOutput)) rows.push([...outputToken, probabilities[step - 1]]);
  const elements = rows.map((row) => {
    const probability = row[2];
    const bar = make("svg", { "aria-hidden": "true" });
    bar.append(make("rect", { width: "100%", height: "100%", class: "bar-back" }));
    bar.append(make("rect", { width: `${100 * probability}%`, height: "100%", class: "bar-front" }));
    return make(
      "div",
      { class: isOutput(row) ? "bar-row output" : "bar-row" },
      makeSymbol(row),
      bar,
      make("span", { class: "number" }, percent(probability)),
    );
  });
  find("bars").replaceChildren(...elements);
}

function markStep() {
  const { attention } = view.trace;
  const mark = view.stepMark;
  mark.style.gridColumn = view.start + view.step;
  mark.style.gridRow = `${view.decoderRow} / ${view.nextRow}`;
  view.outputCells.forEach((cell, index) => cell.classList.toggle("current", index === view.step - 1));
  view.sourceCells.forEach((cell, index) => {
    if (attention && view.step) shade(cell, valueAt(attention, view.step - 1, index));
    else cell.style.background = cell.style.color = "";
  });
  drawCharts();
  showColumn(mark);
}

// Where the picture is wider than the window, go where the step is.
function showColumn(mark) {
  const box = find("scroll");
  const [frame, inner] = [mark.getBoundingClientRect(), box.getBoundingClientRect()];
  if (frame.right > inner.right) box.scrollLeft += frame.right - inner.right + frame.width * 3;
  if (frame.left < inner.left) box.scrollLeft -= inner.left - frame.left + frame.width * 3;
}

// One unit, as the encoder's layer and the decoder's that belongs to it show it. Where a bridge
// hands over unchanged, both are one line; of two directions joined, the second comes after.
function findLines() {
  const { encoder, decoder } = view.trace;
  const bidirectional = new Set(encoder.map((layer) => layer.backwards)).size > 1;
  const unchanged = ["Copy", "HiddenOnly"].includes(data.bridge);
  const number = (layer) => layer.name.split(" ")[1];
  const lines = encoder.map((layer) => {
    const decoderLayer = decoder.find((candidate) => number(candidate) === number(layer)) || null;
    const shift = bidirectional && unchanged && layer.backwards ? unitsOf(layer) : 0;
    const direction = bidirectional ? (layer.backwards ? ", backwards" : ", forwards") : "";
    return { name: number(layer) + direction, encoder: layer, decoder: decoderLayer, shift, unchanged };
  });
  const unmatched = decoder.filter((layer) => !encoder.some((candidate) => number(candidate) === number(layer)));
  for (const layer of unmatched) {
    lines.push({ name: number(layer), encoder: null, decoder: layer, shift: 0, unchanged: false });
  }
  return lines;
}

const unitsOf = (layer) => (layer ? layer.arrays.hidden.shape[1] : 0);
const maxUnits = (line) => Math.max(unitsOf(line.encoder), unitsOf(line.decoder) - line.shift);

// The followed unit as a heat map counts it, or null where it is none of its units.
function unitIn(heat) {
  const line = view.lines[view.line];
  if (line[heat.side] !== heat.layer) return null;
  const unit = view.unit + (heat.side === "decoder" ? line.shift : 0);
  return unit < heat.array.shape[1] ? unit : null;
}

function followUnitIn(heat, unit) {
  const fits = (line) => {
    if (line[heat.side] !== heat.layer) return false;
    const lineUnit = unit - (heat.side === "decoder" ? line.shift : 0);
    return lineUnit >= 0 && (!line.unchanged || lineUnit < unitsOf(line.encoder));
  };
  const current = view.lines[view.line];
  const line = fits(current) ? current : view.lines.find(fits);
  followUnit(view.lines.indexOf(line), unit - (heat.side === "decoder" ? line.shift : 0));
}

function followUnit(line, unit) {
  view.line = line;
  view.unit = Math.max(0, Math.min(maxUnits(view.lines[line]) - 1, unit));
  find("line").value = line;
  find("unit").value = view.unit + 1;
  find("unit").max = maxUnits(view.lines[line]);
  for (const heat of view.heats) markUnit(heat);
  drawCharts();
}

function markUnit(heat) {
  const unit = unitIn(heat);
  for (const mark of heat.marks) {
    mark.hidden = unit === null;
    mark.style.top = `${(100 * (Math.floor((unit ?? 0) / heat.size) + 0.5)) / heat.rows}%`;
  }
  const last = heat.layer.backwards ? 0 : heat.array.shape[0] - 1;
  const time = heat.side === "decoder" ? Math.min(view.step, last) : last;
  heat.box.setAttribute("aria-valuenow", (unit ?? 0) + 1);
  heat.box.setAttribute(
    "aria-valuetext",
    unit === null
      ? "no unit of this layer is followed"
      : `unit ${unit + 1}, ${whenIn(heat.side, time)}: ${write(valueAt(heat.array, time, unit))}`,
  );
}

function drawCharts() {
  const line = view.lines[view.line];
  const sides = ["encoder", "decoder"].filter((side) => line[side]);
  const names = [...new Set(sides.flatMap((side) => Object.keys(line[side].arrays)))];
  find("follow-hint").textContent = describeLine(line);
  CHART.height = names.length > 3 ? 48 : 66;
  const charts = names.map((name, index) => drawChart(line, name, index === names.length - 1));
  find("charts").replaceChildren(...charts);
  for (const heat of view.heats) markUnit(heat);
}

function describeLine(line) {
  const [unit, encoderUnits, decoderUnits] = [view.unit + 1, unitsOf(line.encoder), unitsOf(line.decoder)];
  const lacking = view.unit >= encoderUnits ? "encoder" : view.unit + line.shift >= decoderUnits ? "decoder" : "";
  if (lacking) return `The ${lacking} has no unit ${unit} in a layer ${line.name}.`;
  if (!line.unchanged) {
    return (
      `The bridge ${data.bridge} does not hand unit ${unit} over unchanged: ` +
      "left and right of the dashed line are two different units."
    );
  }
  return line.shift
    ? `In the decoder it is unit ${unit + line.shift}, after those of the other direction.`
    : "Left of the dashed line it is in the encoder, right of it in the decoder.";
}

// The times of a chart from left to right: each symbol read, then the first state, each output symbol.
function timesOf(line, name) {
  const times = [];
  const [count, steps] = [view.trace.source.length, view.trace.output.length];
  const add = (side, time, column) => {
    const array = line[side] && line[side].arrays[name];
    const unit = view.unit + (side === "decoder" ? line.shift : 0);
    const exists = array && unit < array.shape[1];
    times.push({ side, time, column, value: exists ? valueAt(array, time, unit) : NaN });
  };
  for (let time = 0; time < count; time++) add("encoder", time, time);
  for (let time = 0; time <= steps; time++) add("decoder", time, count + time);
  return times;
}

const limitsOf = (name) => Object.values(data.limits).map((limits) => limits[name] || 0);

function drawChart(line, name, withSymbols) {
  const times = timesOf(line, name);
  const values = times.map(({ value }) => value).filter((value) => !Number.isNaN(value));
  const high = isOpening(name) ? 1 : Math.max(...limitsOf(name), ...values.map(Math.abs));
  const low = isOpening(name) ? 0 : -high;
  const inner = CHART.width - CHART.left - CHART.right;
  const gap = inner / Math.max(1, times.length);
  const x = (column) => CHART.left + gap * (column + 0.5);
  const deep = CHART.height - CHART.top - CHART.bottom;
  const y = (value) => CHART.top + ((high - value) / (high - low)) * deep;
  const symbols = withSymbols && gap >= 8;
  const height = CHART.height + (withSymbols ? 18 : 0);
  const bridge = x(view.trace.source.length - 0.5);
  const drawing = make("svg", { viewBox: `0 0 ${CHART.width} ${height}`, role: "img" });
  const rule = (x1, y1, x2, y2, more) => make("line", { x1, y1, x2, y2, ...more });
  const word = (text, at, down, anchor) => make("text", { x: at, y: down, "text-anchor": anchor }, text);
  const currentX = x(view.trace.source.length + view.step);
  drawing.append(
    rule(CHART.left, y(Math.max(low, 0)), CHART.width, y(Math.max(low, 0)), { class: "zero" }),
    rule(bridge, 0, bridge, CHART.height, { class: "border" }),
    rule(currentX, 0, currentX, CHART.height, { class: "step-line screen" }),
    word(String(+high.toPrecision(3)), CHART.left - 5, y(high) + 6, "end"),
    word(String(+low.toPrecision(3)), CHART.left - 5, y(low), "end"),
  );
  for (const side of ["encoder", "decoder"]) {
    const finite = times.filter((sample) => sample.side === side && !Number.isNaN(sample.value));
    const points = finite.map((sample) => `${x(sample.column).toFixed(1)} ${y(sample.value).toFixed(1)}`);
    if (points.length) {
      drawing.append(make("path", { d: `M${points.join("L")}`, class: "curve" }));
    }
    const small = { r: Math.min(2.6, gap / 3), class: "dot" };
    drawing.append(...finite.map((sample) => make("circle", { cx: x(sample.column), cy: y(sample.value), ...small })));
  }
  if (withSymbols) drawing.append(...labelTimes(times, x, symbols, word));
  listenToChart(drawing, times, gap, name);
  const at = times.find((sample) => sample.side === "decoder" && sample.time === view.step);
  const value = at && !Number.isNaN(at.value) ? `${write(at.value)} ${whenIn("decoder", view.step)}` : "";
  drawing.setAttribute("aria-label", `${arrayName(name)} of unit ${view.unit + 1} over time; ${value}`);
  const head = make("h3", {}, `${arrayName(name)} `, make("span", {}, value));
  return make("div", { class: "chart", "data-array": name }, head, drawing);
}

function labelTimes(times, x, symbols, word) {
  const down = CHART.height + 12;
  if (!symbols) {
    const middle = (side) => {
      const columns = times.filter((sample) => sample.side === side).map((sample) => sample.column);
      return word(side, x((columns[0] + columns[columns.length - 1]) / 2), down, "middle");
    };
    return ["encoder", "decoder"].filter((s) => times.some((t) => t.side === s)).map(middle);
  }
  const { source, output } = view.trace;
  const texts = [...source, ["", true], ...output];
  const room = Math.max(1, Math.floor((x(1) - x(0)) / 6.5));
  return texts.flatMap(([text, special], index) => {
    if (special) return []; // ends, and the state that was handed over
    return word(shorten([...text], Math.max(2, room)), x(index), down, "middle");
  });
}

function listenToChart(drawing, times, gap, name) {
  const at = (event) => {
    const frame = drawing.getBoundingClientRect();
    const across = ((event.clientX - frame.left) / frame.width) * CHART.width;
    return times[Math.max(0, Math.min(times.length - 1, Math.floor((across - CHART.left) / gap)))];
  };
  showValues(drawing, (event) => {
    const { side, time, value } = at(event);
    return `${side}, ${arrayName(name)}, ${whenIn(side, time)}\n${write(value)}`;
  });
  drawing.addEventListener("click", (event) => {
    const { side, time } = at(event);
    if (side === "decoder") goTo(time);
  });
}
