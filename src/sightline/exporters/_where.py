"""Which layer of a network asks for what a target lacks. Comes in: what a converter or an engine raised; goes out: half
a sentence that names the operation and the layer, or nothing where neither can be told.

Converters raise from deep within: the operation that they are at, a node of the traced graph that remembers its layer,
is a variable of one of the functions that the error passed through; while tracing, the layer itself is.

Must not know targets or files.
"""

import ast
import re
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import onnx

WRAPPERS = re.compile(r"(?:network\.)+(?:body\.)?")  # around the network as its builder made it
NAMESPACES = "pkg.torch.onnx.name_scopes"  # in which torch writes the layers of an ONNX node, the outermost first


def asked(error: BaseException, module: torch.nn.Module) -> str:
    """Of an error that a converter of `module` raised: `layer blocks.3 (Attention) asks for aten.x`, or ``."""
    node, at = None, None
    for values in _variables(error):
        node = next((value for value in values.values() if isinstance(value, torch.fx.Node)), node)
        at = own if isinstance(own := values.get("self"), torch.nn.Module) else at
    if node is not None and node.op == "call_function":
        scopes = [str(name) for name, _ in node.meta.get("nn_module_stack", {}).values()]
        return _said(scopes, module, _operation(node))
    name = next((name for name, one in module.named_modules() if one is at and name), "")
    return _said([name], module, "") if name else ""


def asked_of_graph(reason: str, model: "onnx.ModelProto") -> str:
    """The same, of what an engine says of an ONNX graph: by the node that it names, or its kind: `Det-20`, `Erf(9)`"""
    words, kinds = set(re.findall(r"[\w.]+", reason)), set(re.findall(r"\b([A-Z]\w+)(?:-|\()\d", reason))
    nodes = [node for node in model.graph.node if node.name and node.name in words]
    nodes += [node for node in model.graph.node if node.op_type in kinds]
    for node in nodes[:1]:
        scopes = next((entry.value for entry in node.metadata_props if entry.key == NAMESPACES), "[]")
        layers = [scope for scope in ast.literal_eval(scopes)[:-1] if scope]
        return _said(layers, None, node.op_type)
    return ""


def _variables(error: BaseException | None) -> Iterator[dict[str, object]]:
    """Of all functions that a chain of errors passed through, the innermost last."""
    if error is None:
        return
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_locals
        trace = trace.tb_next
    yield from _variables(error.__cause__ or (None if error.__suppress_context__ else error.__context__))


def _operation(node: torch.fx.Node) -> str:
    """As `aten.linalg_eigh`, without its variant."""
    target = node.target
    return str(target.overloadpacket) if isinstance(target, torch._ops.OpOverload) else str(target)


def _said(scopes: list[str], module: torch.nn.Module | None, operation: str) -> str:
    name = scopes[-1] if scopes else ""
    kind = "" if module is None or not name else f" ({type(module.get_submodule(name)).__name__})"
    name = name[found.end() :] if (found := WRAPPERS.match(name)) else name
    layer = f"layer {name}{kind}" if name else "the network"
    return f"{layer} asks for {operation}" if operation else layer
