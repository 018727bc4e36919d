"use strict";
// The data of the page, and how its numbers become colours and words.

const data = JSON.parse(document.getElementById("data").textContent);
const NO_NUMBER = -32768;
const MAX_ROWS = 128; // of a heat map, before units share rows
const arrayName = (name) => data.names[name] || name;
const isState = (name) => name === "hidden" || name === "cell"; // passed by the bridge
const isOpening = (name) => "ifozr".includes(name); // between 0 and 1

function find(id) {
  return document.getElementById(id);
}

// An element with attributes; text is always text, never HTML. SVG needs its own namespace.
function make(tag, attributes = {}, ...children) {
  const drawn = ["svg", "path", "line", "rect", "text", "circle", "title"].includes(tag);
  const element = drawn
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const shorten = (letters, limit) =>
  letters.length <= limit ? letters.join("") : `${letters.slice(0, limit - 1).join("")}…`;

function makeSymbol([text, special]) {
  return make("bdi", { class: special ? "symbol special" : "symbol" }, shorten([...text], 24));
}

// A symbol inside a sentence; it cannot turn the sentence around.
function quote([text, special], limit = Infinity) {
  return special ? `the ${text}` : `“\u2068${shorten([...text], limit)}\u2069”`;
}

// The 16-bit integers of an array, unpacked when they are first read.
function levels(array) {
  if (!array.levels) {
    const text = atob(array.data);
    const bytes = new Uint8Array(text.length);
    for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
    array.levels = new Int16Array(bytes.buffer);
  }
  return array.levels;
}

function valueAt(array, time, unit) {
  const level = levels(array)[time * array.shape[1] + unit];
  return level === NO_NUMBER ? NaN : level * array.scale;
}

const greatest = (array) => array.scale * 32767; // of an array, without its sign

function write(value) {
  if (Number.isNaN(value)) return "no finite number";
  const size = Math.abs(value);
  if (size && (size < 0.001 || size >= 1e5)) return value.toExponential(2);
  return value.toFixed(size >= 100 ? 1 : 3);
}

function percent(fraction) {
  if (fraction === null) return "no finite number";
  if (fraction && fraction < 1e-6) return "< 0.0001 %";
  return `${fraction < 0.1 && fraction ? (100 * fraction).toPrecision(2) : (100 * fraction).toFixed(1)} %`;
}

// Red, green and blue of a value between -1 and 1; beyond, the darkest.
const STOPS = data.colours.map(parseColour);
const MISSING_COLOUR = parseColour(data.nothing);

function parseColour(code) {
  return [1, 3, 5].map((index) => parseInt(code.slice(index, index + 2), 16));
}

function colour(value) {
  if (Number.isNaN(value)) return MISSING_COLOUR;
  const position = ((Math.max(-1, Math.min(1, value)) + 1) / 2) * (STOPS.length - 1);
  const low = Math.min(Math.floor(position), STOPS.length - 2);
  return STOPS[low].map((channel, n) => Math.round(channel + (STOPS[low + 1][n] - channel) * (position - low)));
}

// A canvas with a pixel for each value; `at(column, row)` is between -1 and 1.
function paint(columns, rows, at) {
  const canvas = make("canvas", { width: Math.max(1, columns), height: Math.max(1, rows) });
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      image.data.set([...colour(at(column, row)), 255], 4 * (row * columns + column));
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

// Which unit a row of a heat map shows: of those that share it, the one farthest from 0.
function unitOfRow(array, time, row, size) {
  const end = Math.min((row + 1) * size, array.shape[1]);
  let far = row * size;
  if (size === 1) return far;
  const all = levels(array);
  const start = time * array.shape[1];
  const distance = (unit) => {
    const level = all[start + unit];
    return level === NO_NUMBER ? Infinity : Math.abs(level);
  };
  for (let unit = far + 1; unit < end; unit++) if (distance(unit) > distance(far)) far = unit;
  return far;
}
