"""Chapters of the demo: Python objects are kept, measured, chosen, changed and explained."""
# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.cli.demo_story import Story
    from modelyard.cli.demo_zoo import Zoo

__all__ = ["chosen", "kept", "understood"]

_MODEL = "vision/reader"
_TRAIN, _HELD = "data/digits@1:train.csv", "data/digits@1:held.csv"
_PLACE = "models/digits-data"


def kept(story: Story, zoo: Zoo) -> None:
    """Data as a dataset, and three estimators as they are held in Python."""
    story.title("Python objects, and the data they learned from")
    if not _is_possible():
        story.say("(This part needs more libraries: pip install 'modelyard[sklearn,data]')")
        return
    story.say("The data first: 900 pictures of digits to learn from, 897 held back.")
    (story.folder / _PLACE).mkdir()
    story.python(
        "import modelyard, pandas",
        "from sklearn.datasets import load_digits",
        "pixels = load_digits(as_frame=True).frame.rename(columns={'target': 'digit'})",
        "pixels = pixels.sample(frac=1, random_state=0)",
        f"pixels[:900].to_csv('{_PLACE}/train.csv', index=False)",
        f"pixels[900:].to_csv('{_PLACE}/held.csv', index=False)",
    )
    story.yard("commit", "data/digits", _PLACE, "--kind=dataset", "-m", "shuffled, seed 0")
    story.say(
        "Now three estimators. They are committed as they are: parameters, signature, packages and "
        "the digest of the data go with them."
    )
    story.python(
        "from sklearn.linear_model import LogisticRegression",
        f"train = pandas.read_csv('{_PLACE}/train.csv')",
        "X, y = train.drop(columns='digit'), train['digit']",
        "yard = modelyard.open('yard')",
        f"reader = yard.model('{_MODEL}')",
        "for C in (0.0001, 0.001, 0.01):\n"
        "    fitted = LogisticRegression(C=C, max_iter=1000).fit(X, y)\n"
        f"    print(reader.commit(fitted, message=f'C = {{C}}', example=X, data='{_TRAIN}'))",
        "again = reader[3].load()",
        "bool((again.predict(X) == fitted.predict(X)).all())",
    )


def chosen(story: Story, zoo: Zoo) -> None:
    """Evaluation with intervals, comparison by paired tests, the best one."""
    if not _is_possible():
        return
    story.title("Measured, compared, chosen")
    story.say("Each is asked in a child process about pictures that it has not seen.")
    story.yard("evaluate", f"{_MODEL}@3", "--data", _HELD, "--target=digit")
    story.python(
        "for n in (1, 2):\n"
        f"    measured = yard.evaluate('{_MODEL}', n, data='{_HELD}', target='digit')\n"
        "    print(n, measured.measures[0])",
    )
    story.say("Is the difference more than luck? The same pictures went to all three:")
    story.yard("compare", _MODEL, "1", "2", "3")
    story.yard("best", _MODEL, "--metric=accuracy", "--where=size<1MB", "--alias=champion")
    story.say("Change a parameter, train again, measure again. A tie is not called a win:")
    story.yard("update", _MODEL, "--set=C=0.008", "--fit", _TRAIN, "--target=digit")
    story.yard("diff", f"{_MODEL}@3", "4")
    story.yard("evaluate", f"{_MODEL}@4", "--data", _HELD, "--target=digit", "--quiet")
    story.yard("best", _MODEL, "--metric=accuracy", "--alias=champion")


def understood(story: Story, zoo: Zoo) -> None:
    """Why it answers as it does."""
    if not _is_possible():
        return
    story.title("Explained")
    story.say("Shuffle one input after the other, and see how much worse the answers get:")
    held = ("--data", _HELD, "--target=digit", "--rows=300")
    story.yard("explain", f"{_MODEL}@champion", *held)
    story.python("yard.close()")


def _is_possible() -> bool:
    return all(find_spec(name) for name in ("sklearn", "skops", "pandas", "pyarrow"))
