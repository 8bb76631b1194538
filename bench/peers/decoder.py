"""The fastest installed JSON decoder: orjson, else ujson, else Python's own."""
BOM = b"\xef\xbb\xbf"

try:
    import orjson as module
except ImportError:
    try:
        import ujson as module
    except ImportError:
        import json as module

NAME = module.__name__ + " " + getattr(module, "__version__", "")
if module.__name__ != "orjson":
    NAME += " (orjson is not installed)"


def loads(body):
    return module.loads(body.removeprefix(BOM))
