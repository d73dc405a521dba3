"""A network of OpenVINO cut behind its maps, so that what stands on them can compute otherwise."""

from collections.abc import Iterable
from typing import Any

MAPS = "maps"
# What takes values from one place to another and computes nothing, so that a cut there would change nothing.
_MOVES = frozenset(
    [
        "Constant",
        "Result",
        "ShapeOf",
        "Gather",
        "Slice",
        "StridedSlice",
        "Reshape",
        "Squeeze",
        "Unsqueeze",
        "Transpose",
        "Split",
        "VariadicSplit",
        "Concat",
        "Convert",
    ]
)


# Any: OpenVINO's own types are not published for type checkers.
def cut_after_maps(model: Any) -> tuple[Any, Any | None]:
    """The network up to its maps, and what leads from there to its other outputs, or None where nothing computes there.

    model: is taken apart, and of no use afterwards where it was cut.
    The first gives `maps` and, by name, what the second takes.
    """
    above = _above(place for place in model.outputs if MAPS in place.get_names())
    others = [place for place in model.outputs if MAPS not in place.get_names()]
    top = {name: node for name, node in _above(others).items() if name not in above}
    if all(node.get_type_name() in _MOVES for node in top.values()):
        return model, None
    maps = next(place for place in model.outputs if MAPS in place.get_names())
    given = {MAPS: _source(maps)}
    taken = _disconnected(top, given)
    trunk = _model(given, model.get_parameters())
    return trunk, _model({place.get_any_name(): _source(place) for place in others}, taken)


# Any, here and below: OpenVINO's own types are not published for type checkers.
def _disconnected(top: dict[str, Any], given: dict[str, Any]) -> list[Any]:
    """New inputs for the nodes of `top`, one for each value from outside; those values are added to `given` by name."""
    from openvino import opset13

    taken: dict[str, Any] = {}
    for place in [place for node in top.values() for place in node.inputs()]:
        source = place.get_source_output()
        if source.get_node().get_name() in top or source.get_node().get_type_name() == "Constant":
            continue
        name = next((known for known, value in given.items() if value == source), None)
        if name is None:
            name = f"crossed_{len(given)}"
            source.get_tensor().set_names({name})
            given[name] = source
        if name not in taken:
            taken[name] = opset13.parameter(
                source.get_partial_shape(), source.get_element_type(), name
            )
            taken[name].output(0).get_tensor().set_names({name})
        place.replace_source_output(taken[name].output(0))
    return list(taken.values())


def _source(output: Any) -> Any:
    return output.get_node().input(0).get_source_output()


def _model(outputs: dict[str, Any], parameters: list[Any]) -> Any:
    import openvino
    from openvino import opset13

    return openvino.Model([opset13.result(source) for source in outputs.values()], parameters)


def _above(places: Iterable[Any]) -> dict[str, Any]:
    """The nodes that lead to the outputs, by name."""
    found: dict[str, Any] = {}
    left = [place.get_node() for place in places]
    while left:
        node = left.pop()
        if node.get_name() not in found:
            found[node.get_name()] = node
            left += [place.get_source_output().get_node() for place in node.inputs()]
    return found
