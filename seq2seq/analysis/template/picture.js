// The picture: encoder, hand-over, decoder, its likely symbols and its attention.
//
// A grid with a column for names and one for each step. The decoder begins in the column in which
// the encoder ends, so that the state passed by the bridge goes straight down; where there is no room
// for that, it begins on the left.

const HANDOVER = 104; // pixels from the encoder down to the decoder, at least
const COMFORT = 24; // pixels of a column that leave nothing to wish for
const MAX_LETTERS = 14; // of an upright symbol

function drawPicture() {
  const picture = find("picture");
  view.heats = [];
  view.nextRow = 1;
  setColumns(picture);
  picture.replaceChildren();
  drawEncoder(picture);
  drawHandover(picture);
  drawDecoder(picture);
  view.stepMark = placeElement(picture, make("div", { class: "overlay step-mark" }), 1, 1);
  describePooling();
}

// Columns are as wide as the labels want, if there is room; where there is not, the picture scrolls.
function setColumns(picture) {
  const { source, output, encoder, decoder } = view.trace;
  const style = getComputedStyle(document.documentElement);
  const gutter = parseInt(style.getPropertyValue("--gutter"), 10);
  const width = (view.printing ? 680 : find("scroll").clientWidth - 12) - gutter;
  const preferred = Math.min(92, Math.max(40, 8 * longestOf([...source, ...output]) + 12));
  const room = (columns) => Math.min(preferred, Math.floor(width / columns));
  view.time = source.length;
  const read = Math.max(1, view.time);
  const stairs = read + output.length;
  view.last = read + 1; // the grid's column where the encoder ends
  const steps = room(stairs) >= Math.min(preferred, COMFORT) && width - read * room(stairs) >= 240;
  view.start = steps ? view.last : 2; // the one where the decoder starts
  const count = steps ? stairs : Math.max(read, output.length + 1);
  view.column = Math.max(view.printing ? 5 : 12, room(count));
  view.textWidth = width - (view.start - 1) * view.column - 20; // the room beside the hand-over
  const arrays = [...encoder, ...decoder].flatMap((layer) => Object.keys(layer.arrays));
  view.height = arrays.length > 8 ? 96 : 160; // of a heat map, about
  document.documentElement.style.setProperty("--column", `${view.column}px`);
  document.documentElement.style.setProperty("--visible", `${gutter + width}px`);
  const columns = `repeat(${count}, var(--column))`;
  picture.style.gridTemplateColumns = `var(--gutter) ${columns} minmax(0, 1fr)`;
}

const longestOf = (symbols) => Math.max(...symbols.map(([text]) => [...text].length), 1);

// Put an element into the grid, over columns from `column` on.
function placeElement(picture, element, column, columns, row = null, rows = 1) {
  element.style.gridColumn = `${column} / span ${columns}`;
  element.style.gridRow = `${row === null ? view.nextRow : row} / span ${rows}`;
  picture.append(element);
  return element;
}

function placeName(picture, column, name, under = "") {
  const element = make("div", { class: "row-name" }, name);
  if (under) element.append(make("small", {}, under));
  element.style.gridColumn = `1 / ${column}`;
  element.style.gridRow = view.nextRow;
  picture.append(element);
}

function placePart(picture, name, words) {
  const element = make("div", { class: "part" }, `${name} `, make("span", {}, words));
  element.style.gridRow = view.nextRow++;
  picture.append(element);
}

// A row of symbols, one a column; a symbol that is too long for its column stands upright.
function placeSymbols(picture, column, symbols, classes = "") {
  const cells = symbols.map((symbol, number) => {
    const cell = makeCell(symbol, MAX_LETTERS);
    if (!cell.classList.contains("fits")) cell.classList.add("upright");
    if (classes) cell.classList.add(classes);
    return placeElement(picture, cell, column + number, 1);
  });
  view.nextRow++;
  return cells;
}

// A symbol in a box: "fits" if the box is wide enough; cut off visibly, and whole in a tip.
function makeCell([text, special], limit, tip = quote([text, special])) {
  const letters = [...text];
  const fits = (special ? 6.5 : 8) * letters.length <= view.column;
  const shown = fits ? text : shorten(letters, limit);
  const cell = make("div", { class: special ? "cell special" : "cell" }, shown);
  if (fits) cell.classList.add("fits");
  cell.dataset.tip = tip;
  return cell;
}

function drawEncoder(picture) {
  const { source, encoder } = view.trace;
  const readers = encoder.some((layer) => !layer.backwards) ? "layers marked ← read" : "it reads";
  const direction = encoder.some((layer) => layer.backwards) ? `; ${readers} from the end` : "";
  placePart(picture, "Encoder", `its state after each symbol of the source${direction}`);
  placeName(picture, 2, "reads");
  view.sourceCells = placeSymbols(picture, 2, source);
  for (const layer of encoder) drawLayer(picture, layer, "encoder", 2, view.time);
}

function drawDecoder(picture) {
  const { output, decoder, read } = view.trace;
  const first = view.start + 1; // the column of the first step
  view.decoderRow = view.nextRow + 1;
  placePart(picture, "Decoder", "its initial state, and its state after each symbol");
  placeName(picture, view.start, "reads");
  placeSymbols(picture, first, read);
  for (const layer of decoder) {
    drawLayer(picture, layer, "decoder", view.start, output.length + 1);
  }
  placeName(picture, view.start, "outputs");
  view.outputCells = placeSymbols(picture, first, output, "below");
  if (view.trace.top && view.trace.top.length) drawLikely(picture, first);
  if (view.trace.attention) drawAttention(picture, first);
}

function drawLayer(picture, layer, side, column, columns) {
  const label = layer.name.replace(side, "layer").replace(" backwards", " ←");
  const ends = layer.backwards ? 0 : columns - 1;
  for (const [name, array] of Object.entries(layer.arrays)) {
    placeName(picture, column, arrayName(name), label);
    const heat = { layer, side, name, array };
    drawHeat(picture, heat, column, columns);
    if (isState(name)) markHanded(heat.box, side === "encoder" ? ends : 0, columns);
    view.nextRow++;
  }
}

// Frame the column of the bridge: its input, or its output.
function markHanded(box, time, columns) {
  const frame = make("div", { class: "handed" });
  frame.style.left = `${(100 * time) / columns}%`;
  frame.style.width = `${100 / columns}%`;
  box.append(frame);
}

function drawHeat(picture, heat, column, columns) {
  const units = heat.array.shape[1];
  heat.size = view.every ? 1 : Math.ceil(units / MAX_ROWS);
  heat.rows = Math.ceil(units / heat.size);
  const limit = data.limits[heat.side][heat.name];
  const at = (time, row) =>
    valueAt(heat.array, time, unitOfRow(heat.array, time, row, heat.size)) / limit;
  heat.box = make("div", {
    class: "heat",
    tabindex: 0,
    role: "slider",
    "aria-orientation": "vertical",
    "aria-label": `${heat.layer.name}, ${arrayName(heat.name)}: unit to follow`,
    "aria-valuemin": 1,
    "aria-valuemax": units,
  });
  heat.marks = ["unit", "unit right"].map((name) => make("div", { class: name, hidden: "" }));
  heat.box.append(paint(columns, heat.rows, at), ...heat.marks);
  heat.box.style.height = `${2 + heat.rows * Math.max(1, Math.round(view.height / heat.rows))}px`;
  placeElement(picture, heat.box, column, columns);
  view.heats.push(heat);
  const touched = (event) => touchHeat(heat, event);
  showValues(heat.box, (event) => {
    const { time, unit, words } = touched(event);
    const never = heat.side === "decoder" && time === 0 && !isState(heat.name);
    const value = never ? "no step led here" : write(valueAt(heat.array, time, unit));
    return `${words}\nunit ${unit + 1}: ${value}`;
  });
  heat.box.addEventListener("click", (event) => followUnitIn(heat, touched(event).unit));
  heat.box.addEventListener("keydown", (event) => {
    const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    followUnitIn(heat, Math.max(0, Math.min(units - 1, (unitIn(heat) ?? 0) + move)));
  });
}

// What stands under the pointer.
function touchHeat(heat, event) {
  const frame = heat.box.getBoundingClientRect();
  const [columns, units] = heat.array.shape;
  const inside = (fraction, count) => Math.max(0, Math.min(count - 1, Math.floor(fraction * count)));
  const time = inside((event.clientX - frame.left) / frame.width, columns);
  const row = inside((event.clientY - frame.top - 1) / (frame.height - 2), heat.rows);
  const unit = unitOfRow(heat.array, time, row, heat.size);
  let words = `${heat.layer.name}, ${arrayName(heat.name)}, ${whenIn(heat.side, time)}`;
  const end = Math.min((row + 1) * heat.size, units);
  if (heat.size > 1) words += `\nof units ${row * heat.size + 1} to ${end} the farthest from 0:`;
  return { time, unit, words };
}

const possessive = (side) => `the ${side}'s`;

// A time in words: after which symbol.
function whenIn(side, time) {
  if (side === "decoder" && time === 0) return "as handed over";
  const number = side === "encoder" ? time : time - 1;
  const [text, special] = (side === "encoder" ? view.trace.source : view.trace.output)[number];
  const symbol = special ? `the ${text}` : `${quote([text], 24)} (${number + 1})`;
  return side === "encoder" ? `after ${symbol}` : `generating ${symbol}`;
}

function drawHandover(picture) {
  const { encoder } = view.trace;
  const forwards = encoder.some((layer) => !layer.backwards);
  const backwards = encoder.some((layer) => layer.backwards); // it ends at the first symbol
  const ends = [forwards && "last", backwards && "first"].filter(Boolean).join(" and ");
  const description = data.bridge_description ? `: ${data.bridge_description}` : "";
  const words = make(
    "div",
    { class: "handover-words" },
    make("p", {}, `${ends} column: how the encoder ends`),
    make("p", {}, make("b", {}, `bridge ${data.bridge}`), description),
    make("p", {}, "first column: how the decoder starts"),
  );
  words.style.gridColumn = `${view.start + 1} / -1`;
  words.style.gridRow = view.nextRow;
  words.style.maxWidth = `${view.textWidth}px`;
  picture.append(words);
  const height = Math.max(HANDOVER, words.scrollHeight + 8);
  const middle = height / 2;
  const x = (column) => view.column * (column - 1.5); // of the middle of a grid's column
  const to = x(view.start);
  const lines = [forwards && view.last, backwards && 2]
    .filter(Boolean)
    .map((column) => (column === view.start ? `M${to} 3V` : `M${x(column)} 3V14H${to}V`) + middle);
  const box = { x: to - 11, y: middle - 11, width: 22, height: 22, rx: 4 };
  const width = view.column * (view.last - 1);
  const arrow = make(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, class: "arrow", "aria-hidden": "true" },
    make("path", { d: lines.join("") }),
    make("path", { d: `M${to} ${middle}V${height - 3}m-5 -9l5 9l5 -9` }),
    make("rect", box),
    make("path", { d: `M${to - 7} ${middle + 5}q7 -13 14 0`, class: "thin" }),
  );
  placeElement(picture, arrow, 2, view.last - 1);
  view.nextRow++;
}

function drawLikely(picture, first) {
  placeName(picture, view.start, "likely");
  view.trace.top.forEach((symbols, number) => {
    const limit = Math.max(1, Math.floor(view.column / 8));
    const cells = symbols.map(([text, special, probability]) => {
      const tip = `${quote([text, special])}: ${percent(probability)}`;
      const cell = makeCell([text, special], limit, tip);
      shade(cell, probability);
      return cell;
    });
    placeElement(picture, make("div", { class: "likely" }, ...cells), first + number, 1);
  });
  view.nextRow++;
}

function drawAttention(picture, first) {
  const { attention, source, output } = view.trace;
  const height = Math.max(15, Math.min(24, Math.round(260 / Math.max(1, view.time))));
  const beside = make("div", { class: "sources-beside" });
  beside.append(...source.map((symbol) => makeCell(symbol, MAX_LETTERS)));
  const longest = Math.min(MAX_LETTERS, longestOf(source));
  const columns = Math.ceil((8 * longest + 8) / view.column);
  const start = Math.max(1, view.start + 1 - columns);
  if (start > 1) placeName(picture, start, "attends to", "attention");
  placeElement(picture, beside, start, view.start + 1 - start);
  const box = make("div", { class: "heat", role: "img", "aria-label": "attention weights" });
  box.append(paint(output.length, view.time, (step, position) => valueAt(attention, step, position)));
  for (const element of [box, beside]) element.style.height = `${2 + height * view.time}px`;
  placeElement(picture, box, first, output.length);
  showValues(box, (event) => {
    const frame = box.getBoundingClientRect();
    const inside = (fraction, count) => Math.max(0, Math.min(count - 1, Math.floor(fraction * count)));
    const step = inside((event.clientX - frame.left) / frame.width, output.length);
    const position = inside((event.clientY - frame.top) / frame.height, view.time);
    const weight = percent(valueAt(attention, step, position));
    const sourceToken = `${quote(source[position])} (${position + 1})`;
    return `${whenIn("decoder", step + 1)}\nattends to ${sourceToken}: ${weight}`;
  });
  view.nextRow++;
}

// The colour of a share from 0 to 1 behind a text that stays legible.
function shade(element, fraction) {
  element.style.background = `rgb(${colour(fraction)})`;
  element.style.color = fraction > 0.6 ? "#fff" : "#1b1f24"; // on colours that are light in any mode
}

function describePooling() {
  const shared = view.heats.find((heat) => heat.size > 1);
  const wide = view.heats.some((heat) => heat.array.shape[1] > MAX_ROWS);
  const limitOf = (heat) => data.limits[heat.side][heat.name];
  const beyond = view.heats.filter((heat) => greatest(heat.array) > limitOf(heat) * 1.001);
  const words = [];
  if (shared) {
    words.push(
      `${shared.array.shape[1]} units share ${shared.rows} rows: each shows the one of ` +
        `${shared.size} neighbours that is farthest from 0.`,
    );
  }
  const sentences = beyond.map(
    (heat) => `Beyond ±${limitOf(heat)}, ${possessive(heat.side)} ${heat.name} is as dark as there.`,
  );
  words.push(...new Set(sentences));
  if (view.heats.some((heat) => levels(heat.array).includes(NO_NUMBER))) {
    words.push("Grey: there is no value.");
  }
  find("pooled").textContent = words.join(" ");
  find("every-label").hidden = !wide;
}
