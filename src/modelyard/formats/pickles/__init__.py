"""Pickles without unpickling: `machine` walks opcodes, `ops` knows them, `arrays` finds tensors.

Nothing that a pickle names is ever imported or called.
"""
