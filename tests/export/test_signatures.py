"""Signatures of graphs: names and shapes of inputs and outputs, and loops that are equal."""

import keras
import numpy as np
import pytest

from seq2seq.export.signatures import run_without_lists, trace
from seq2seq.layers.attention import (
    Additive,
    General,
)
from seq2seq.layers.recurrent import unroll
from seq2seq.models import Seq2Seq
from tests.export.exported_models import (
    BATCHES,
    SIZE,
    STEPS,
    TAGS,
    draw,
    make,
    make_decoder,
    make_encoder,
)


def names_of(ports):
    return [port.name for port in ports]


def test_the_names_are_as_documented():
    model = Seq2Seq(
        make_encoder(layers=2),
        make_decoder(
            layers=2,
            attention=Additive(before=False, input_feeding=True, coverage=True),
            readout="pointer",
            tags=TAGS,
        ),
    )
    encoder, step = trace(model, unroll, greedy=False)
    state = [f"layer_{n}_{field}" for n in (0, 1) for field in ("hidden", "cell")]
    state += ["attentional", "coverage"]
    memory = [f"memory_{part}" for part in ("values", "mask", "keys", "tags", "copies")]
    assert names_of(encoder.inputs) == ["source", "source_mask", "tags", "copies"]
    assert names_of(encoder.outputs) == state + memory
    assert names_of(step.inputs) == ["tokens", *state, *memory]
    next_state = [f"next_{name}" for name in state]
    assert names_of(step.outputs) == ["logits", *next_state, "attention"]
    shapes = {port.name: port.shape for port in (*step.inputs, *step.outputs)}
    assert shapes["memory_copies"] == ("batch", "time", f"{SIZE} + time")
    assert shapes["logits"] == ("batch", f"{SIZE} + time")
    assert shapes["attentional"] == shapes["next_attentional"] == ("batch", 8)
    assert shapes["coverage"] == shapes["attention"] == ("batch", "time")


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("plain", []),
        ("fixed context, top layer", ["memory_keys"]),
        ("simple, dot", ["memory_values", "memory_mask"]),
    ],
)
def test_the_memory_holds_what_steps_read(name, read):
    encoder, step = trace(make(name).model, run_without_lists, greedy=False)
    for ports in (encoder.outputs, step.inputs):
        assert [port.name for port in ports if port.name.startswith("memory_")] == read


def test_real_values_have_names_of_their_own():
    encoder, step, greedy = trace(make("real").model, unroll, greedy=True)
    assert encoder.inputs[0] == ("source", "float32", ("batch", "time", 2))
    assert step.inputs[0] == ("values", "float32", ("batch", 2))
    assert step.outputs[0] == ("next_values", "float32", ("batch", 2))
    assert names_of(greedy.inputs) == ["source", "source_mask", "max_length"]
    assert greedy.outputs[0] == ("values", "float32", ("batch", "max_length", 2))


def test_mixed_precision_is_exported_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = Seq2Seq(make_encoder(), make_decoder(attention=General(input_feeding=True)))
    finally:
        keras.config.set_dtype_policy("float32")
    ports = [
        p for graph in trace(model, unroll, greedy=True) for p in (*graph.inputs, *graph.outputs)
    ]
    assert {port.dtype for port in ports} == {"float32", "int32", "bool"}


def test_exporting_leaves_the_model_alone():
    model = make("plain").model
    inputs = draw(model, *BATCHES[0])
    expected, weights = model.decode(**inputs, max_length=STEPS), model.get_weights()
    copy = trace(model, run_without_lists, greedy=False)
    assert "inner_loop" not in vars(model.encoder.stack.recurrent[0])
    assert not {id(v) for g in copy for v in g.concrete.variables} & {
        id(variable.value) for variable in model.variables
    }
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(expected.tokens, model.decode(**inputs, max_length=STEPS).tokens)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_both_loops_do_the_same(cell):
    stack = make_encoder(cell=cell).stack
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3, 5, 8)).astype("float32")
    mask = np.arange(5) < [[5], [3], [1]]
    sizes = stack.cell.state_sizes(8)
    state = type(sizes)(*rng.normal(size=(len(sizes), 3, 8)).astype("float32"))
    results = [
        loop(stack.recurrent[0].step, inputs, state, mask) for loop in (unroll, run_without_lists)
    ]
    for first, second in zip(*map(keras.tree.flatten, results), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)
