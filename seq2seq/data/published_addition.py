"""Addition as two published examples draw it: `addition_rnn` of Keras and `seq2seq` of Flax.

`seq2seq.data.generated.Addition` is this package's own, with lengths that training and test choose
separately.
"""

import random
import string
from dataclasses import dataclass
from functools import cached_property

from seq2seq.data.generated_task import PATIENCE, GeneratedTask
from seq2seq.data.task import SPLITS, Example, Task
from seq2seq.runtime.validation import check_choice, check_count, check_flag
from seq2seq.runtime.vocabulary import Vocabulary


@dataclass(kw_only=True, eq=False)
class KerasAddition(Task):
    """The data of Keras's `addition_rnn`: `12+345` is read as ` 543+21`, the answer is `357 `.

    An operand has 1 to `digits` digits, each drawn evenly, zeros in front as well (`007` is 7). No
    pair of operands is drawn twice, in whatever order; the shuffled pairs' last tenth is held out.
    There it is validation; here its first part is validation and the rest is the test.

    Args:
        digits: most digits of an operand.
        training_examples: number of pairs, the held-out tenth included, as in the example; all,
            with a note, where there are fewer.
        padded: whether answers are filled up with spaces to `digits` + 1 characters; if not, they
            end where their digits do. Sources always have 2 * `digits` + 1 characters.
        validation_examples: of the held-out tenth.
        seed: the examples are a pure function of it.

    Raises:
        ValueError: for impossible numbers, or (when examples are drawn) so few pairs that no test
            is left.
    """

    digits: int = 3
    training_examples: int = 50_000
    padded: bool = True
    validation_examples: int = 500
    seed: int = 0

    def __post_init__(self):
        check_count("digits", self.digits)
        check_count("training_examples", self.training_examples)
        check_flag("padded", self.padded)
        check_count("validation_examples", self.validation_examples, 0)
        check_count("seed", self.seed, 0)
        if self.validation_examples >= self.training_examples // 10:
            raise ValueError(
                f"validation_examples={self.validation_examples} must be less than a tenth of "
                f"training_examples={self.training_examples}, which is held out, test included"
            )
        self.source = self.target = Vocabulary(string.digits + "+ ")

    def write(self, left: int, right: int) -> Example:
        """Source and target of two operands.

        >>> KerasAddition().write(12, 345)
        Example(source=' 543+21', target='357 ', others=())
        """
        source = f"{left}+{right}".ljust(2 * self.digits + 1)[::-1]
        target = str(left + right)
        return Example(source, target.ljust(self.digits + 1) if self.padded else target)

    def examples(self, split: str) -> list[Example]:
        """The examples of a split."""
        check_choice("split", split, SPLITS)
        return self._parts[split]

    @cached_property
    def _parts(self) -> dict[str, list[Example]]:
        rng = random.Random(f"{self.seed}/pairs")
        examples = [self.write(*pair) for pair in self._draw_pairs(rng)]
        rng.shuffle(examples)  # those that come late have many digits: few of these are left over
        test = len(examples) - len(examples) // 10
        train, held_out = examples[:test], examples[test:]
        count = self.validation_examples
        if count >= len(held_out):
            raise ValueError(
                f"there are {len(examples)} pairs of at most {self.digits} digits, and a tenth is "
                f"held out: task.validation_examples={count} leaves no test; take fewer, or more "
                "digits"
            )
        return {"train": train, "validation": held_out[:count], "test": held_out[count:]}

    def _draw_pairs(self, rng: random.Random) -> list[tuple[int, int]]:
        pairs, known, misses = [], set(), 0
        while len(pairs) < self.training_examples:
            left, right = (
                int("".join(rng.choices(string.digits, k=rng.randint(1, self.digits))))
                for _ in range(2)
            )
            pair = min(left, right), max(left, right)
            if pair not in known:
                known.add(pair)
                pairs.append((left, right))
                misses = 0
            elif (misses := misses + 1) > 10 * PATIENCE:
                break
        return pairs

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Task`: fewer pairs than configured."""
        count = sum(map(len, self._parts.values()))
        if count == self.training_examples:
            return ()
        return (
            f"there are {count} pairs of at most {self.digits} digits, all were taken: "
            f"task.training_examples={self.training_examples} is more",
        )


class FlaxAddition(GeneratedTask):
    """The data of Flax's `seq2seq`: `7+345` -> `352`, new examples in every batch.

    One operand is drawn from 0 to 99 and one from 0 to 999, the smaller is written first. The
    example evaluates its training batches; here some examples are held out.

    >>> FlaxAddition().write(345, 7)
    ('7+345', '352')

    Args:
        training_examples, validation_examples, test_examples, seed: see `GeneratedTask`.
    """

    def __post_init__(self):
        super().__post_init__()
        self.source = Vocabulary(string.digits + "+")
        self.target = Vocabulary(string.digits)

    def sizes(self, split: str) -> tuple[int, int]:
        """Largest value of each operand."""
        return 99, 999

    def write(self, first: int, second: int) -> tuple[str, str]:
        """Source and target of two operands."""
        return f"{min(first, second)}+{max(first, second)}", str(first + second)

    def draw(self, rng: random.Random, low: int, high: int) -> tuple[str, str]:
        """An operand up to `low` and one up to `high`, and their sum."""
        return self.write(rng.randint(0, low), rng.randint(0, high))
