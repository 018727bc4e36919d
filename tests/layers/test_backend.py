"""The loop over time: steps in order, any structure, gradients through it."""

import collections
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import ops

from seq2seq.layers import backend as kernels
from seq2seq.layers.backend import compiled, draw_mask, scan, should_compile, to_dataset

INPUTS = np.random.default_rng(7).normal(size=(2, 5, 3)).astype("float32")


def step(state, inputs):
    total, count = state
    total = total + inputs["x"] * 2
    return (total, count + 1), {"total": total, "count": (count,)}


def start():
    return (ops.zeros((2, 3)), ops.zeros((2,), "int32"))


def test_steps_come_in_order_and_all_is_kept():
    (total, count), outputs = scan(step, start(), {"x": INPUTS, "y": INPUTS})
    np.testing.assert_allclose(total, 2 * INPUTS.sum(1), atol=1e-5)
    np.testing.assert_array_equal(count, [5, 5])
    np.testing.assert_allclose(outputs["total"], 2 * INPUTS.cumsum(1), atol=1e-5)
    np.testing.assert_array_equal(outputs["count"][0], [range(5)] * 2)


def test_compiled_it_does_the_same():
    run = compiled(lambda x: scan(step, start(), {"x": x}), [])
    for inputs in (INPUTS, INPUTS[:, :2]):
        (total, _), _ = run(inputs)
        np.testing.assert_allclose(total, 2 * inputs.sum(1), atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of its two compilers")
def test_only_so_many_shapes_are_compiled_for_good(monkeypatch):
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 2)
    monkeypatch.setattr(kernels, "MAX_COMPILED_SHAPES", 3)
    calls = kernels.CallCounts()
    run = compiled(lambda x: x * 2, [], calls, "double")
    for size in [*range(1, 6)] * 4:
        np.testing.assert_array_equal(run(np.ones(size)), 2 * np.ones(size))
    counts = [*calls.state_dict()["double"].values()]
    assert counts == [4, 4, 4, 2, 2]
    again = kernels.CallCounts()  # what was resumed has the same places, and no more
    again.load_state_dict(calls.state_dict())
    run = compiled(lambda x: x * 2, [], again, "double")
    for size in (5, 1, 4):
        run(np.ones(size))
    assert [*again.state_dict()["double"].values()] == [5, 4, 4, 2, 2]


def test_masks_drop_the_requested_share_and_are_independent(monkeypatch):
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 1)
    seed = keras.random.SeedGenerator(5)

    def draw(scale):
        first, second = (draw_mask((400, 50), 0.3, seed, "float32") for _ in range(2))
        return scale * first, scale * second

    run = compiled(draw, [seed.state])
    for _ in range(2):  # at first as a graph, then as machine code
        first, second = (ops.convert_to_numpy(mask) for mask in run(np.float32(1)))
        np.testing.assert_allclose(np.unique(first), [0, 1 / 0.7], rtol=1e-6)
        first_kept, second_kept = first > 0, second > 0
        np.testing.assert_allclose([first_kept.mean(), second_kept.mean()], 0.7, atol=0.02)
        for left, right in (
            (first_kept, second_kept),
            (first_kept[1:], first_kept[:-1]),
            (first_kept[:, 1:], first_kept[:, :-1]),
        ):
            np.testing.assert_allclose((left & right).mean(), 0.49, atol=0.02)


def test_gradients_flow_through_time():
    class Power(keras.Model):
        def __init__(self):
            super().__init__()
            self.base = self.add_weight(shape=(), initializer=keras.initializers.Constant(1.5))

        def call(self, x):
            def multiply(state, inputs):
                return state * self.base, inputs

            return scan(multiply, ops.ones_like(x[:, 0]), x)[0]

    model = Power()
    model.compile(keras.optimizers.SGD(1.0), lambda _, outputs: ops.mean(outputs))
    model.train_on_batch(INPUTS, np.zeros((2, 1)))
    np.testing.assert_allclose(float(model.base), 1.5 - 5 * 1.5**4, rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of its pipelines")
def test_nothing_waits_for_the_tuning_of_a_pipeline():
    """Its thread wakes up once a minute in a long training, and the end of that waits for it."""
    arrays = ({"source": np.zeros((2, 3), "int32")}, np.zeros((2, 4), "int32"), np.ones((2, 4)))
    dataset = to_dataset(iter([arrays, arrays]))
    assert dataset.options().autotune.enabled is False
    assert [targets.shape for _, targets, _ in dataset] == [(2, 4), (2, 4)]


def test_calls_are_counted_from_many_threads():
    """Each thread brings shapes of its own, while others look at all that there are."""
    calls, interval = collections.Counter(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            shapes = [str(number) for number in range(3_000)]
            futures = [
                threads.submit(should_compile, calls, shape, 1, 8)
                for shape in shapes
                for _ in range(3)
            ]
            hot = sum(future.result() for future in futures)
    finally:
        sys.setswitchinterval(interval)
    assert len(calls) == 3_000 and sum(count > 1 for count in calls.values()) == 8
    assert hot == sum(count - 1 for count in calls.values() if count > 1)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of its two compilers")
@pytest.mark.parametrize("jit_compile, expected", [("auto", "ggm"), (True, "mmm"), (False, "ggg")])
def test_whether_a_shape_is_compiled(jit_compile, expected, monkeypatch):
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 2)
    calls, programs = kernels.CallCounts(), []
    calls.jit_compile = jit_compile

    def function(fn=None, jit_compile=False, **options):
        letter = "m" if jit_compile else "g"
        return lambda *tensors: programs.append(letter)

    monkeypatch.setattr("tensorflow.function", function)
    run = compiled(lambda x: x, [], calls)
    for _ in range(3):
        run(np.ones(3))
    assert "".join(programs) == expected
