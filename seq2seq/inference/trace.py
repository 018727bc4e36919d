"""Trace: recorded states, gates, attention weights and probabilities of a model.

`Predictor.trace` makes it. It is plain NumPy and needs no engine.
"""

import importlib
import io
import json
import zipfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.inference.display import make_frame
from seq2seq.runtime.file_format import parse_json

PAGE = "seq2seq.analysis.page"  # found by name: it renders traces, on a floor above
VERSION = 2  # of the file; 1 had no tags
BACKWARDS = " backwards"
MAX_RATIO = 200  # times smaller than its content a file may be


class NotATrace(ValueError):
    """Error: the file holds no trace of a supported version."""


@dataclass(frozen=True)
class Layer:
    """The states of one recurrent layer, in one direction.

    Attributes:
        name: `"encoder 1"` (the lowest), `"encoder 1 backwards"`, `"decoder 1"`, ...; the same in
            `Trace.encoder` and `Trace.handed_over`, in `Trace.decoder` and `Trace.received`.
        hidden: (batch, time, units); of a state that is handed over (batch, units).
        cell: the same of the cell; None: a GRU or a simple RNN has none.
        gates: (batch, time, units) each, activations of the step that computed the state of that
            time: `i`, `f`, `g`, `o` of an LSTM; `z`, `r`, `g` of a GRU; empty for a simple RNN and
            where not requested. `g`, the candidate, is between -1 and 1, the others from 0 to 1.
    """

    name: str
    hidden: np.ndarray
    cell: np.ndarray | None = None
    gates: dict[str, np.ndarray] | None = None

    @property
    def backwards(self) -> bool:
        """Whether it reads the source from its end, so that its last state is at time 0."""
        return self.name.endswith(BACKWARDS)

    @property
    def units(self) -> int:
        """Number of units."""
        return self.hidden.shape[-1]

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays by name: `hidden`, `cell` and the gates."""
        cell = {} if self.cell is None else {"cell": self.cell}
        return {"hidden": self.hidden, **cell, **(self.gates or {})}

    def map(self, change: Any) -> "Layer":
        """The layer with `change(array)` for each array."""
        arrays = {name: change(array) for name, array in self.arrays.items()}
        return Layer(self.name, arrays.pop("hidden"), arrays.pop("cell", None), arrays or None)


@dataclass(frozen=True)
class Trace:
    """States, gates, attention weights and probabilities of a model, for a batch of sources.

    Time is counted in symbols: `encoder[n].hidden[b, t]` is the state after symbol `sources[b][t]`
    was read (of a backward layer: it and all later symbols), `decoder[n].hidden[b, t]` the state
    that generated `outputs[b][t]`. Sources and targets of a batch differ in length; beyond its own
    length, `len(sources[b])` or `len(outputs[b])`, everything of row `b` is zero.

    Attributes:
        sources: the symbols of each source as the encoder reads them, `"<end>"` the last; real
            values as text, without an end.
        outputs: the symbols of each answer, `"<end>"` the last unless it was cut off.
        encoder: its layers, from the lowest; of a bidirectional one, both directions, forwards
            first.
        handed_over: the encoder's final state, (batch, units) each, the input of the bridge.
        received: the decoder's initial state, (batch, units) each, the output of the bridge.
        decoder: its layers, from the lowest.
        attention: (batch, target time, source time), attention weights; None: there are none.
        probabilities: (batch, target time), of the generated symbol; None for real values.
        top_symbols: for each source and step the likeliest symbols, the likeliest first, as many
            as the last axis of `top_probabilities` has, which may be fewer than requested;
            empty for real values.
        top_probabilities: (batch, target time, symbols); None for real values. They are the
            model's own, whatever constraints or temperature the answer was made with.
        tags: those of each source, as the decoder reads them; None: the task has none.
        bridge: the kind of bridge, as in `"Copy"`.
        task, model: their names in the run.
    """

    sources: list[list[str]]
    outputs: list[list[str]]
    encoder: list[Layer]
    handed_over: list[Layer]
    received: list[Layer]
    decoder: list[Layer]
    attention: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    top_symbols: list[list[list[str]]] | None = None
    top_probabilities: np.ndarray | None = None
    bridge: str = "Copy"
    task: str = ""
    model: str = ""
    tags: list[list[str]] | None = None

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def source_mask(self) -> np.ndarray:
        """(batch, source time), True for real steps."""
        return _mask(self.sources, self.encoder)

    @property
    def target_mask(self) -> np.ndarray:
        """(batch, target time), True for real steps."""
        return _mask(self.outputs, self.decoder)

    def select(self, number: int) -> "Trace":
        """The trace of one source of the batch, a batch of one without padding."""
        if not 0 <= number < len(self):
            raise ValueError(f"the trace is of {len(self)} sources, there is no number {number}")
        source_length, output_length = len(self.sources[number]), len(self.outputs[number])
        row = slice(number, number + 1)
        return replace(
            self,
            sources=self.sources[row],
            outputs=self.outputs[row],
            tags=None if self.tags is None else self.tags[row],
            encoder=[layer.map(lambda a: a[row, :source_length]) for layer in self.encoder],
            handed_over=[layer.map(lambda a: a[row]) for layer in self.handed_over],
            received=[layer.map(lambda a: a[row]) for layer in self.received],
            decoder=[layer.map(lambda a: a[row, :output_length]) for layer in self.decoder],
            attention=None
            if self.attention is None
            else self.attention[row, :output_length, :source_length],
            probabilities=None
            if self.probabilities is None
            else self.probabilities[row, :output_length],
            top_symbols=None if self.top_symbols is None else self.top_symbols[row],
            top_probabilities=(
                None
                if self.top_probabilities is None
                else self.top_probabilities[row, :output_length]
            ),
        )

    def _repr_html_(self) -> str:
        """The page of `seq2seq inspect`, in a frame of its own."""
        return make_frame(importlib.import_module(PAGE).render(self))

    def save(self, path: str | Path) -> None:
        """Write one `.npz` of plain arrays, named as in `encoder 1.hidden`; texts as JSON."""
        arrays, words = {}, {"version": VERSION}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in LAYERS:
                words[field.name] = [layer.name for layer in value]
                for layer in value:
                    for name, array in layer.arrays.items():
                        arrays[f"{field.name}.{layer.name}.{name}"] = array
            elif isinstance(value, np.ndarray):
                arrays[field.name] = value
            else:
                words[field.name] = value
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(words).encode(), "uint8")
        np.savez_compressed(buffer, words=text, **arrays)
        Path(path).expanduser().write_bytes(buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """Load a file of `save`.

        Raises:
            ValueError: the file is missing, damaged, or holds no trace.
        """
        try:
            return cls._read(Path(path).expanduser())
        except NotATrace:
            raise
        except Exception as error:  # NumPy, zip files and JSON have errors of many kinds
            reason = " ".join(str(error).split())
            raise ValueError(f"{path} can't be read: {type(error).__name__}: {reason}") from error

    @classmethod
    def _read(cls, path: Path) -> "Trace":
        with zipfile.ZipFile(path) as file:
            unpacked = sum(member.file_size for member in file.infolist())
        if unpacked > MAX_RATIO * path.stat().st_size + 2**20:
            raise NotATrace(f"{path} is refused: it would unpack to {unpacked:,} bytes")
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        if "words" not in arrays:
            raise NotATrace(f"{path} holds no trace")
        words = parse_json(arrays.pop("words").tobytes())
        if (version := words.pop("version", None)) not in (1, VERSION):
            raise NotATrace(f"{path} holds a trace of version {version}, expected {VERSION}")
        for field in LAYERS:
            layers = []
            for name in words[field]:
                start = f"{field}.{name}."
                layer_arrays = {
                    k.removeprefix(start): arrays.pop(k)
                    for k in [*arrays]
                    if k[: len(start)] == start
                }
                layers.append(
                    Layer(
                        name,
                        layer_arrays.pop("hidden"),
                        layer_arrays.pop("cell", None),
                        layer_arrays or None,
                    )
                )
            words[field] = layers
        trace = cls(**words, **arrays)
        shape = trace.encoder[0].hidden.shape
        if shape[:2] != trace.source_mask.shape or len(trace.outputs) != len(trace):
            raise NotATrace(f"{path} is damaged: its symbols are not those of its states")
        return trace


LAYERS = ("encoder", "handed_over", "received", "decoder")


def _mask(symbols: list[list[str]], layers: list[Layer]) -> np.ndarray:
    lengths = np.array([len(row) for row in symbols])
    return np.arange(layers[0].hidden.shape[1]) < lengths[:, None]
