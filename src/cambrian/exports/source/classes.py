"""The classes of a network's source: one for each module of the network's own kind, of equal ones only one.

A module becomes a class where each of its calls is the same function of its tensors, and uses no module but
its own. Any other is a bag of parts, and its steps are written where it is called.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cambrian.exports.source.body import Body
from cambrian.exports.source.constructors import construct_text, torch_kind
from cambrian.exports.source.dataflow import Dataflow, is_within, walk
from cambrian.exports.source.layout import Group, lay_out, prefix
from cambrian.exports.source.recording import Recording
from cambrian.exports.source.values import Call, Step, Unwritable, find_refs, step_refs

PARTS = '''class Parts(nn.Module):
    """Named parts that the forward of another class calls one by one."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
'''
ROOT = "Network"
_TAKEN = (ROOT, "Parts", "OrderedDict", "torch", "nn", "F", "Path", "load_file")


@dataclass(frozen=True)
class Form:
    """How a module that is called as a whole is made: `ConvBlock()`, `nn.Sequential(...)`."""

    constructor: Group | str


class Classes:
    """The classes of a recorded network; `texts` are theirs, each after those that it uses."""

    def __init__(self, network: nn.Module, recording: Recording, others: list[tuple[int, ...]]) -> None:
        self.network, self.recording, self.others = network, recording, others
        self.flow = Dataflow(recording, network)
        self.texts: list[str] = []
        self.uses_parts = False
        self._names: dict[str, str] = {}  # the text of a class without its name -> its name
        self._forms: dict[str, Form | None] = {}
        self._used = self._used_paths()
        self._class(ROOT, recording.root, [], list(find_refs(recording.result))[:1])

    def _used_paths(self) -> set[str]:
        """The names of the modules, parameters and buffers that the forward reads, and of what holds them."""
        names = {item.path for item in walk(self.recording.root) if item.path}
        numbers = {n for step in self.recording.root.steps() for n in step_refs(step)}
        names |= {self.recording.owned[n] for n in numbers if n in self.recording.owned}
        return {name.rsplit(".", cut)[0] for name in names for cut in range(name.count(".") + 1)}

    def _is_needed(self, path: str) -> bool:
        """Whether the file makes the module at `path`: not where its steps are written out and
        use nothing of it."""
        if path not in self._used or self._is_whole(path):
            return path in self._used
        return any(name.startswith(path + ".") for name in self._used)

    # -- how a module is made ---------------------------------------------------------------------

    def form(self, call: Call) -> Form | None:
        """None where the steps of the call are written where it is called."""
        path = call.path
        if path not in self._forms:
            self._forms[path] = None  # a module that calls itself is written out
            self._forms[path] = self._sequence(path) or self._own_class(path)
        return self._forms[path]

    def _own_class(self, path: str) -> Form | None:
        calls = self.flow.calls[path]
        if not all(self.flow.stays_within(c) and self.flow.outputs(c) for c in calls):
            return None
        if not all(self.flow.inputs(c) for c in calls):
            return None
        texts = {self._text(c, self.flow.inputs(c), self.flow.outputs(c)) for c in calls}
        if len(texts) > 1:
            return None
        name = self._name(calls[0].module, texts.pop())
        return Form(f"{name}()")

    def _sequence(self, path: str) -> Form | None:
        """A Sequential whose modules are each called once, in a row."""
        calls = self.flow.calls[path]
        module = self.network.get_submodule(path)
        if torch_kind(module) is not nn.Sequential or not all(self._is_row(c) for c in calls):
            return None
        return Form(self._container(path, "nn.Sequential"))

    def _is_row(self, call: Call) -> bool:
        names = [name for name, _ in call.module.named_children()]
        if [item.path for item in call.items] != [f"{call.path}.{name}" for name in names]:
            return False
        entering = self.flow.inputs(call)
        for item in call.items:
            ends = (
                (step_refs(item), list(find_refs(item.outputs)))
                if isinstance(item, Step)
                else (self.flow.inputs(item), self.flow.outputs(item))
            )
            if isinstance(item, Call) and self.form(item) is None:
                return False
            if len(ends[1]) != 1 or ends[0] != entering:
                return False
            entering = ends[1]
        return bool(call.items)

    def _name(self, module: nn.Module, text: str) -> str:
        if text not in self._names:
            base = type(module).__name__.lstrip("_")
            base = base if base.isidentifier() and not keyword.iskeyword(base) else "Part"
            taken = {*_TAKEN, *self._names.values()}
            names = [base, *(f"{base}{i}" for i in range(2, len(taken) + 3))]
            self._names[text] = next(n for n in names if n not in taken)
            self.texts.append(text.replace("class _(", f"class {self._names[text]}(", 1))
        return self._names[text]

    # -- classes ----------------------------------------------------------------------------------

    def _class(self, name: str, call: Call, inputs: list[int], outputs: list[int]) -> None:
        inputs = inputs or [self.recording.image]
        if torch_kind(call.module) is nn.Sequential and self._is_row(call):
            row = self._container("", "super().__init__")
            lines = ["class Network(nn.Sequential):", "    def __init__(self):", *lay_out(row, 8), ""]
            self.texts.append("\n".join(lines))
            return
        self.texts.append(self._text(call, inputs, outputs).replace("class _(", f"class {name}(", 1))

    def _text(self, call: Call, inputs: list[int], outputs: list[int]) -> str:
        forward = Body(self, call, inputs, outputs).lines()
        made = list(self._assignments(call.path, call.path))
        lines = ["class _(nn.Module):", "    def __init__(self):", "        super().__init__()"]
        return "\n".join([*lines, *made, *self._ties(call.path), "", *forward, ""])

    def _assignments(self, path: str, owner: str) -> Iterator[str]:
        """The lines of __init__ for the parts of the module at `path`, within the class at `owner`."""
        module = self.network.get_submodule(path)
        own = self.attribute(path, owner)
        for name, tensor in self._tensors(module, path):
            yield from lay_out(_register(own, name, tensor), 8)
        for name, _ in module.named_children():
            child = _join(path, name)
            if self._is_needed(child):
                target = f"{own}.{name} = " if name.isidentifier() else ""
                made = prefix(target, self.constructor(child))
                yield from lay_out(made if target else Group(f'{own}.add_module("{name}", ', [made], ")"), 8)
                yield from self._loose_tensors(child, owner)

    def _loose_tensors(self, path: str, owner: str) -> Iterator[str]:
        """The lines for tensors of parts that have no class of their own."""
        if self._is_whole(path):
            return
        module = self.network.get_submodule(path)
        for name, tensor in self._tensors(module, path):
            yield from lay_out(_register(self.attribute(path, owner), name, tensor), 8)
        for name, _ in module.named_children():
            if self._is_needed(_join(path, name)):
                yield from self._loose_tensors(_join(path, name), owner)

    def _is_whole(self, path: str) -> bool:
        module = self.network.get_submodule(path)
        return construct_text(module) is not None or self._form_of(path) is not None

    def _form_of(self, path: str) -> Form | None:
        calls = self.flow.calls.get(path)
        return self.form(calls[0]) if calls else None

    def constructor(self, path: str) -> Group | str:
        """The expression that makes the module at `path`."""
        module = self.network.get_submodule(path)
        text = construct_text(module)
        if text is not None:
            return text
        form = self._form_of(path)
        if form is not None:
            return form.constructor
        kind = self._container_kind(path)
        if kind == "list":
            return self._container(path, f"nn.{(torch_kind(module) or nn.ModuleList).__name__}")
        children = [
            (n, self.constructor(_join(path, n)))
            for n, _ in module.named_children()
            if self._is_needed(_join(path, n))
        ]
        if kind == "dict":
            return Group("nn.ModuleDict({", [prefix(f'"{n}": ', c) for n, c in children], "})")
        self.uses_parts = True
        if all(n.isidentifier() and not keyword.iskeyword(n) for n, _ in children):
            return Group("Parts(", [prefix(f"{n}=", c) for n, c in children], ")")
        return Group("Parts(**{", [prefix(f'"{n}": ', c) for n, c in children], "})")

    def _container(self, path: str, head: str) -> Group:
        module = self.network.get_submodule(path)
        names = [name for name, _ in module.named_children()]
        parts = [self.constructor(_join(path, name)) for name in names]
        if names == [str(i) for i in range(len(names))]:
            listed = head == "nn.ModuleList"
            return Group(f"{head}([" if listed else f"{head}(", parts, "])" if listed else ")")
        named = [prefix(f'("{n}", ', p) for n, p in zip(names, parts)]
        pairs = [Group(p.head, p.parts, p.tail + ")") if isinstance(p, Group) else p + ")" for p in named]
        return Group(f"{head}(OrderedDict([", pairs, "]))")

    def _container_kind(self, path: str) -> str:
        """ "list", "dict" or "parts": how the parts of a module that is not called as a whole are held."""
        module = self.network.get_submodule(path)
        names = [name for name, _ in module.named_children()]
        all_used = all(self._is_needed(_join(path, name)) for name in names)
        kind = torch_kind(module)
        if kind in (nn.ModuleList, nn.Sequential) and all_used:
            return "list"
        plain = isinstance(module, nn.ModuleList | nn.ModuleDict | nn.Sequential)
        return "dict" if plain and not any(hasattr(nn.ModuleDict, n) for n in names) else "parts"

    def attribute(self, path: str, owner: str) -> str:
        """The expression for a part of the class at `owner`: `self.cells[0].left`."""
        text, at = "self", owner
        rest = path[len(owner) :].lstrip(".") if is_within(path, owner) else None
        if rest is None:
            raise Unwritable(f"{path} is used within {owner}, which it is not a part of")
        for name in rest.split(".") if rest else ():
            # A class of the file has its parts as attributes, whatever its module was a kind of.
            text += _attribute(name) if at == owner else self._step_into(at, name)
            at = _join(at, name)
        return text

    def _step_into(self, path: str, name: str) -> str:
        module = self.network.get_submodule(path)
        if isinstance(module, nn.ModuleList | nn.Sequential | nn.ModuleDict) and name in module._modules:
            kind = "list" if self._form_of(path) is not None else self._container_kind(path)
            if kind == "list" and name.isdigit():
                return f"[{name}]"
            if kind == "dict":
                return f'["{name}"]'
        return _attribute(name)

    # -- tensors ----------------------------------------------------------------------------------

    def _tensors(self, module: nn.Module, path: str) -> Iterator[tuple[str, Tensor]]:
        """The module's own parameters and buffers that the forward reads; the root's are constants too."""
        for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            if _join(path, name) in self._used:
                yield name, tensor
        for number, tensor in self.recording.constants.items() if not path else ():
            yield self.recording.owned[number], tensor

    def _ties(self, path: str) -> Iterator[str]:
        """The lines by which parameters with two names are one; all of them in the root."""
        if path:
            return
        first: dict[int, str] = {}
        for name, tensor in self.network.named_parameters(remove_duplicate=False):
            holder = name.rpartition(".")[0]
            # A module with two names is made under its first one alone.
            if holder and holder not in self._used:
                continue
            earlier = first.setdefault(id(tensor), name)
            if earlier != name:
                yield f"        {self.attribute(name, '')} = {self.attribute(earlier, '')}"


def _attribute(name: str) -> str:
    return f".{name}" if name.isidentifier() else f'._modules["{name}"]'


def _register(owner: str, name: str, tensor: Tensor) -> str:
    shape = ", ".join(map(str, tensor.shape)) or "()"
    dtype = "" if tensor.dtype == torch.float32 else f", dtype={tensor.dtype}"
    zeros = f"torch.zeros({shape}{dtype})"
    if isinstance(tensor, nn.Parameter):
        fixed = "" if tensor.requires_grad else ", requires_grad=False"
        return f"{owner}.{name} = nn.Parameter({zeros}{fixed})"
    return f'{owner}.register_buffer("{name}", {zeros})'


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
