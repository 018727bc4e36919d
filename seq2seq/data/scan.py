"""SCAN (Lake and Baroni 2018, arXiv 1711.00350): commands to actions, all 20,910 from the grammar.

`jump twice after turn left` -> `I_TURN_LEFT I_JUMP I_JUMP`. The splits are the published ones
wherever a rule defines them; `simple` is published as a random draw, here it is drawn by the seed.
"""

from seq2seq.data.task import SPLITS, Example, Task, position
from seq2seq.runtime.validation import check_choice, check_count, check_flag
from seq2seq.runtime.vocabulary import Vocabulary

VERBS = {verb: (f"I_{verb.upper()}",) for verb in ("walk", "look", "run", "jump")}
TURNS = {side: (f"I_TURN_{side.upper()}",) for side in ("left", "right")}
SIMPLE_TRAINING = 16_728  # of the 20,910 commands, 80 %
LONGEST_TRAINING = 22  # actions in training of the length split
PRIMITIVES = {"jump": "jump", "turn_left": "turn left"}  # shown alone in training
# Repetitions in training of the primitive and of each added command, by split and number of added
# commands; together they are 10 % of the lines.
COPIES = {("jump", 0): 1_467, ("turn_left", 0): 2_189}
COPIES |= {("jump", 1): 734, ("jump", 2): 489, ("jump", 4): 293}
COPIES |= {("jump", 8): 163, ("jump", 16): 86, ("jump", 32): 44}
SCAN_SPLITS = (
    "simple length jump turn_left jump_around_right around_right opposite_right right "
    "filler_num0 filler_num1 filler_num2 filler_num3"
).split()


def verb_phrases() -> dict[str, tuple[str, ...]]:
    """The 34 phrases of one verb, as command -> actions."""
    phrases = dict(VERBS)
    for side, turn in TURNS.items():
        for verb, action in {"turn": (), **VERBS}.items():
            phrases[f"{verb} {side}"] = turn + action
            phrases[f"{verb} opposite {side}"] = turn + turn + action
            phrases[f"{verb} around {side}"] = (turn + action) * 4
    return phrases


def commands() -> dict[str, tuple[str, ...]]:
    """All 20,910 commands with their actions."""
    sentences = {}
    for phrase, actions in verb_phrases().items():
        sentences[phrase] = actions
        sentences[f"{phrase} twice"] = actions * 2
        sentences[f"{phrase} thrice"] = actions * 3
    everything = dict(sentences)
    for first, first_actions in sentences.items():
        for second, second_actions in sentences.items():
            everything[f"{first} and {second}"] = first_actions + second_actions
            everything[f"{first} after {second}"] = second_actions + first_actions
    return everything


def contains(command: str, phrase: str) -> bool:
    """Whether `command` contains the words of `phrase` side by side.

    >>> contains("turn left twice", "turn left"), contains("turn opposite left", "turn left")
    (True, False)
    """
    return f" {phrase} " in f" {command} "


def is_test(split: str, command: str, actions: tuple[str, ...]) -> bool | None:
    """Whether a rule puts `command` into the test (True), training (False) or neither (None)."""

    def any_of(verbs: str, phrase: str) -> bool:
        return any(contains(command, f"{verb} {phrase}") for verb in verbs.split())

    if split == "length":
        return len(actions) > LONGEST_TRAINING
    if split == "jump":
        return contains(command, "jump") and command != "jump"
    if split == "turn_left":
        return contains(command, "turn left") and command != "turn left"
    if split == "jump_around_right" or split.startswith("filler_num"):
        if contains(command, "turn around right"):
            return None
        if contains(command, "jump around right"):
            return True
        if split == "jump_around_right":
            return False
        not_yet_shown = ("look", "walk", "run")[int(split[-1]) :]
        return None if any_of(" ".join(not_yet_shown), "around right") else False
    held_out = split.replace("_", " ")  # around right, opposite right, right
    if contains(command, f"turn {held_out}"):
        return None
    return any_of("walk look run jump", held_out)


class Scan(Task):
    """SCAN with one of its splits.

    Args:
        split: `simple` (80/20 drawn by `seed`), `length` (test: 24 to 48 actions), `jump` and
            `turn_left` (a primitive shown alone, 10 % of training), the templates
            `jump_around_right`, `around_right`, `opposite_right`, `right`, and `filler_num0` to
            `filler_num3` (Loula et al. 2018).
        validation_examples: distinct commands taken out of the published training set to choose the
            best weights by; 0 leaves the training set as published. Repeated commands
            are never taken.
        seed: draws the validation set, the `simple` split, and the added commands.
        added: of `jump`, how many composed commands with "jump" go from the test to training: 0, 1,
            2, 4, 8, 16 or 32 (the last part of experiment 3 of the paper). The seed draws them, and
            fewer are part of more; "jump" and they are repeated to be 10 % of training together.
        oracle_length: see `Task`; experiment 2 of the paper gives the model the length.
    """

    def __init__(
        self,
        split: str = "simple",
        validation_examples: int = 500,
        seed: int = 0,
        added: int = 0,
        oracle_length: bool = False,
    ):
        self.split = check_choice("SCAN split", split, SCAN_SPLITS)
        self.seed = check_count("seed", seed, 0)
        self.oracle_length = check_flag("oracle_length", oracle_length)
        check_count("validation_examples", validation_examples, 0)
        if check_count("added", added, 0) and (split, added) not in COPIES:
            raise ValueError(
                f"added must be 0, or 1, 2, 4, 8, 16 or 32 with split=jump, got {added} with "
                f"split={split}"
            )
        train, test = self._published()
        primitive = PRIMITIVES.get(split)
        repeated = [example for example in train if example.source == primitive]
        repeated += sorted(test, key=lambda example: position(f"added {example.source}", seed))[
            :added
        ]
        candidates = sorted(
            (example for example in train if example.source != primitive),
            key=lambda example: position(example.source, seed),
        )
        if validation_examples >= len(candidates):
            raise ValueError(
                f"validation_examples must be less than the {len(candidates)} training commands, "
                f"got {validation_examples}"
            )
        self._examples = {
            "train": candidates[validation_examples:] + repeated * COPIES.get((split, added), 1),
            "validation": candidates[:validation_examples],
            "test": [example for example in test if example not in repeated],
        }
        words = "walk look run jump turn left right opposite around twice thrice and after".split()
        actions = sorted(action for (action,) in [*VERBS.values(), *TURNS.values()])
        self.source = Vocabulary(words, "symbols")
        self.target = Vocabulary(actions, "symbols")

    def _published(self) -> tuple[list[Example], list[Example]]:
        everything = commands()
        if self.split == "simple":
            order = sorted(everything, key=lambda command: position(f"simple {command}", self.seed))
            train, test = order[:SIMPLE_TRAINING], order[SIMPLE_TRAINING:]
        else:
            is_test_command = {
                c: is_test(self.split, c, actions) for c, actions in everything.items()
            }
            train = [command for command, test in is_test_command.items() if test is False]
            test = [command for command, test in is_test_command.items() if test]
        return tuple(
            [Example(command, " ".join(everything[command])) for command in part]
            for part in (train, test)
        )

    def examples(self, split: str) -> list[Example]:
        """Examples of `train` (with its repetitions), `validation` or `test`."""
        check_choice("split", split, SPLITS)
        return self._examples[split]
