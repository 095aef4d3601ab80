"""Faults, one at a time: an operation is hurt, and then nothing acknowledged may be lost.

`Lab.run(fault)` does it once and gives a `Row`. `kinds` names what can be done to a yard.
"""
