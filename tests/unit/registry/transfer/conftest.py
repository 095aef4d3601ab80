"""Yards of all kinds beside each other, and what two of them have in common."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
import pytest

from modelyard.catalog.engine import Catalog
from modelyard.catalog.migrate import migrate
from modelyard.registry.house import House
from modelyard.registry.local import LocalYard
from modelyard.registry.settings import Settings
from modelyard.store.memory import MemoryBackend
from modelyard.testing.models import layers, safetensors_bytes, write_tree


class Counting(MemoryBackend):
    """An object store that counts what it is asked, and may fail."""

    def __init__(self, max_object=None):
        super().__init__(max_object)
        self.clear()

    def clear(self):
        self.requests = self.put_bytes = 0
        self.puts_left = None

    def put(self, key, data):
        self.requests += 1
        self.put_bytes += len(data)
        if self.puts_left is not None:
            self.puts_left -= 1
            if self.puts_left < 0:
                raise ConnectionResetError("the network went")
        super().put(key, data)

    def get(self, key, start=0, end=None):
        self.requests += 1
        return super().get(key, start, end)

    def stat(self, key):
        self.requests += 1
        return super().stat(key)

    def keys(self, prefix=""):
        self.requests += 1
        return super().keys(prefix)


@dataclass
class Yards:
    """Makes yards, and commits to them."""

    root: object
    opened: list = field(default_factory=list)
    numbers: object = field(default_factory=count)

    def folder(self, **settings):
        """A yard as `yard init` makes it."""
        from modelyard.registry import create

        yard = create(self.root / f"yard{next(self.numbers)}", author="ann", **settings)
        self.opened.append(yard)
        return yard

    def memory(self, vault=None, max_object=None):
        """A yard whose store is far away, and counts."""
        root = self.root / f"yard{next(self.numbers)}"
        root.mkdir()
        catalog = Catalog.open(f"sqlite:///{root / 'catalog.db'}")
        migrate(catalog)
        backend = Counting(max_object)
        house = House(root, catalog, backend, Settings(), "bob", vault)
        yard = LocalYard(house)
        self.opened.append(yard)
        return yard

    def files(self, content):
        return write_tree(self.root / f"desk{next(self.numbers)}", content)

    def commit(self, yard, model, content, **more):
        return yard.commit(model, self.files(content), **more)


@pytest.fixture
def yards(tmp_path):
    made = Yards(tmp_path)
    yield made
    for yard in made.opened:
        yard.close()


def weights(step=0, *, part=None, width=160, layer_count=3):
    """A model file; with `step` its first tensors (all, or `part` of them) moved a little."""
    tensors = layers(7, count=layer_count, width=width)
    rng = np.random.default_rng(step)
    names = sorted(tensors)
    moved = names if part is None else names[: max(1, round(len(names) * part))]
    for name in moved if step else ():
        noise = rng.normal(0, 1e-3, tensors[name].shape)
        tensors[name] = (tensors[name] * (1 + noise)).astype("float32")
    return safetensors_bytes(tensors)


def told(yard):
    """Everything that people see of a yard, without what belongs to its place."""
    found = {}
    for model in yard.models():
        versions = {}
        for number in range(1, 1000):
            try:
                detail = yard.show(model.name, number)
            except LookupError as error:
                if getattr(error, "kind", "") != "version-deleted" and number > model.versions + 20:
                    break
                versions[number] = getattr(error, "kind", "")
                continue
            shown = replace(detail.version, new_bytes=0)
            versions[number] = (shown, detail.files, detail.params, detail.card)
        reports = sorted(
            (r.number, r.kind, r.who, r.created, repr(r.content)) for r in yard.reports(model.name)
        )
        found[model.name] = (
            replace(model, updated=model.created), versions, yard.refs(model.name), reports,
            yard.label(model.name),
        )  # fmt: skip
    return found
