"""The forward of one class: a line for every step, with names for its tensors."""

from __future__ import annotations

import keyword
import math
from typing import TYPE_CHECKING, Any

from cambrian.exports.source.expressions import Writer
from cambrian.exports.source.layout import Group, lay_out, prefix
from cambrian.exports.source.values import Call, Ref, Size, Step, Unwritable, find_refs

if TYPE_CHECKING:
    from cambrian.exports.source.classes import Classes

_TAKEN = ("self", "torch", "nn", "F", "_")


class Body:
    """Writes `call`'s forward from the tensors `inputs` to `outputs`."""

    def __init__(self, classes: Classes, call: Call, inputs: list[int], outputs: list[int]) -> None:
        self._classes, self._owner = classes, call.path
        self._names: dict[int, str] = {}
        self._inputs, self._outputs = inputs, outputs
        self._writer = Writer(self._name, self._size, self._device)
        self._lines: list[tuple[str, Group | str]] = []  # the names assigned, or "", and an expression
        hints = dict(_argument_names(call.arguments))
        for number in inputs:
            self._bind(number, hints.get(number, "x"))
        self._items(call.items)

    def lines(self) -> list[str]:
        parameters = ", ".join(["self", *(self._names[n] for n in self._inputs)])
        returned = ", ".join(self._name(n) for n in self._outputs)
        lines = list(self._lines)
        # The last step is returned at once, where it is the one that is.
        if lines and lines[-1][0] == returned:
            lines[-1] = ("return", lines[-1][1])
        else:
            lines.append(("return", returned))
        texts = [lay_out(_statement(target, value), 8) for target, value in lines]
        return [f"    def forward({parameters}):", *(line for text in texts for line in text)]

    def _items(self, items: list[Step | Call]) -> None:
        for item in items:
            if isinstance(item, Step):
                self._step(item)
            elif self._classes.form(item) is not None:
                self._call(item)
            else:
                self._items(item.items)

    def _call(self, call: Call) -> None:
        flow = self._classes.flow
        arguments = [self._name(n) for n in flow.inputs(call)]
        outputs = flow.outputs(call)
        callee = self._classes.attribute(call.path, self._owner)
        names = ", ".join(self._bind(n, _path_hint(call.path)) for n in outputs)
        self._lines.append((names, Group(f"{callee}(", arguments, ")")))

    def _step(self, step: Step) -> None:
        statement = self._writer.augmented(step) if step.function else None
        if statement is not None:
            self._lines.append(("", statement))
            # The same tensor under its old name.
            for number in find_refs(step.outputs):
                self._names[number] = self._writer.value(step.args[0])
            return
        expression: Group | str
        if step.function:
            expression = self._writer.expression(step)
            hint = step.function.removesuffix(".__get__").rpartition(".")[2].strip("_")
            hint = "part" if hint == "getitem" else hint
        else:
            callee = self._classes.attribute(step.path, self._owner)
            expression = self._writer.call(callee, step.args, step.kwargs)
            hint = _path_hint(step.path)
        self._lines.append((self._targets(step.outputs, hint), expression))

    def _targets(self, outputs: Any, hint: str, outer: bool = True) -> str:
        """The left side of an assignment: `x`, or `x, (y, z)`."""
        if isinstance(outputs, Ref):
            return self._bind(outputs.number, hint) if self._is_read(outputs.number) else "_"
        if isinstance(outputs, list | tuple):
            inner = ", ".join(self._targets(o, hint, False) for o in outputs)
            inner += "," if len(outputs) == 1 else ""
            return inner if outer else f"({inner})"
        return "_"

    def _is_read(self, number: int) -> bool:
        return bool(self._classes.flow.read[number])

    # -- names ------------------------------------------------------------------------------------

    def _bind(self, number: int, hint: str) -> str:
        base = hint if hint.isidentifier() and not keyword.iskeyword(hint) else "x"
        taken = {*_TAKEN, *self._names.values()}
        names = (f"{base}_{i}" if i else base for i in range(len(taken) + 2))
        self._names[number] = next(n for n in names if n not in taken)
        return self._names[number]

    def _name(self, number: int) -> str:
        if number in self._names:
            return self._names[number]
        name = self._classes.recording.owned.get(number)
        if name is None:
            raise Unwritable("it uses a tensor that another module keeps from an earlier step")
        return self._classes.attribute(name, self._owner)

    def _device(self) -> str:
        return f"{next(iter(self._names.values()))}.device"

    def _size(self, size: Size) -> str:
        """The number as a multiple or a part of a dimension of a tensor that is at hand."""
        shapes = zip(self._classes.recording.shapes, self._classes.others)
        dimensions = [
            (number, i, a, b)
            for number, (first, second) in enumerate(shapes)
            if number in self._names
            for i, (a, b) in enumerate(zip(first, second))
            if a != b and a * size.second == b * size.first
        ]
        # The nearest in size needs the least arithmetic.
        for number, i, a, _ in sorted(dimensions, key=lambda d: abs(math.log(d[2] / size.first))):
            text = f"{self._names[number]}.shape[{i}]"
            if size.first % a == 0:
                return text if size.first == a else f"{size.first // a} * {text}"
            if a % size.first == 0:
                return f"{text} // {a // size.first}"
        raise Unwritable(
            "a number in its forward depends on the number of images in a way that is not linear"
        )


def _statement(target: str, value: Group | str) -> Group | str:
    if target == "return":
        return prefix("return ", value)
    return prefix(f"{target} = ", value) if target else value


def _argument_names(arguments: Any) -> list[tuple[int, str]]:
    """The number and the name of each tensor among a forward's arguments."""
    names = []
    for name, tree in arguments.items():
        numbers = list(find_refs(tree))
        names += [(n, name if len(numbers) == 1 else f"{name}_{i}") for i, n in enumerate(numbers)]
    return names


def _path_hint(path: str) -> str:
    """`left` for "cells.0.left", `cells_0` for "cells.0"."""
    *before, last = path.split(".")
    return f"{before[-1]}_{last}" if last.isdigit() and before else last
